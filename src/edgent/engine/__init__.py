"""Who runs a segment: ONNX Runtime, or OpenVINO."""
