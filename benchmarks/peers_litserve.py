"""b-alexnet's last exit behind LitServe (PyPI), run in an environment of its own: no Edgent.

    python peers_litserve.py MODEL.onnx OUTPUT HOST PORT

Serves POST /predict with a picture as the form field `picture`.

Decoding, normalising and ONNX Runtime as the bare loop does them.
"""

from __future__ import annotations

import sys

import litserve
import numpy as np
import onnxruntime
from PIL import Image

MEAN, STD = np.float32((0.4914, 0.4822, 0.4465)), np.float32((0.2470, 0.2435, 0.2616))


class Classifier(litserve.LitAPI):
    """One branch, undivided; without annotations where LitServe would take them for schemas."""

    def __init__(self, model: str, output: str) -> None:
        super().__init__()
        self._model, self._output = model, output

    def setup(self, _device: str) -> None:
        """Opens the session, in the worker."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(self._model, options, providers=["CPUExecutionProvider"])

    def decode_request(self, request):
        """A picture's file to the network's input."""
        pixels = np.asarray(Image.open(request["picture"].file).convert("RGB"), np.float32) / 255
        return np.ascontiguousarray(((pixels - MEAN) / STD).transpose(2, 0, 1)[None])

    def predict(self, x):
        """The scores."""
        return self._session.run([self._output], {"image": x})[0]

    def encode_response(self, output):
        """The class of the highest one."""
        return {"label": int(np.argmax(output))}


if __name__ == "__main__":
    model, output, host, port = sys.argv[1:]
    server = litserve.LitServer(Classifier(model, output), accelerator="cpu")
    server.run(host=host, port=int(port), generate_client_file=False, log_level="error")
