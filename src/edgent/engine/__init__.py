"""Who runs a segment: ONNX Runtime, or OpenVINO. Each is known to one file, and to nobody else."""
