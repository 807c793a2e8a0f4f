"""A YOLOv8 export behind LitServe (PyPI), run in an environment of its own: no Edgent.

python peers_litserve_detector.py MODEL.onnx SIDE HOST PORT

Serves POST /predict with a picture as the form field `picture`.
"""

from __future__ import annotations

import sys

import litserve
import onnxruntime

from yolov8_plain import boxes_of, prepared


class Detector(litserve.LitAPI):
    """The export and its boxes; without annotations where LitServe would take them for schemas."""

    def __init__(self, model: str, side: int) -> None:
        super().__init__()
        self._model, self._side = model, side

    def setup(self, _device: str) -> None:
        """Opens the session, in the worker."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(self._model, options, providers=["CPUExecutionProvider"])

    def decode_request(self, request):
        """A picture's file to the network's input."""
        return prepared(request["picture"].file, self._side)

    def predict(self, x):
        """What the export puts out."""
        return self._session.run(None, {self._session.get_inputs()[0].name: x})[0]

    def encode_response(self, output):
        """The boxes, each of six numbers."""
        return {"boxes": boxes_of(output).round(3).tolist()}


if __name__ == "__main__":
    model, side, host, port = sys.argv[1:]
    server = litserve.LitServer(Detector(model, int(side)), accelerator="cpu")
    server.run(host=host, port=int(port), generate_client_file=False, log_level="error")
