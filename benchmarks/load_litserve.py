"""The network of `load.py` behind LitServe (PyPI), run in an environment of its own: no Edgent.

    python load_litserve.py MODEL.onnx HOST PORT

Serves POST /predict with a tensor's bytes as the form field `tensor`; runs ONNX Runtime as the bare loop does.
"""

from __future__ import annotations

import sys

import litserve
import numpy as np
import onnxruntime


class Scores(litserve.LitAPI):
    """The scores of a tensor; without annotations where LitServe would take them for schemas."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self._model = model

    def setup(self, _device: str) -> None:
        """Opens the session, in the worker."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(self._model, options, providers=["CPUExecutionProvider"])
        self._shape = self._session.get_inputs()[0].shape

    def decode_request(self, request):
        """The tensor."""
        return np.frombuffer(request["tensor"].file.read(), np.float32).reshape(self._shape)

    def predict(self, tensor):
        """Its scores."""
        return self._session.run(None, {"image": tensor})[0]

    def encode_response(self, scores):
        """As a list."""
        return {"scores": scores[0].tolist()}


if __name__ == "__main__":
    model, host, port = sys.argv[1:]
    server = litserve.LitServer(Scores(model), accelerator="cpu")
    server.run(host=host, port=int(port), generate_client_file=False, log_level="error")
