"""The network of `load.py` behind mlserver (PyPI), run in an environment of its own: no Edgent.

`load_peers.py` starts `mlserver start FOLDER`, whose settings name the class here. It speaks the Open Inference
Protocol over gRPC, as our edge does, and is asked by the same client.
"""

from __future__ import annotations

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Scores(MLModel):
    """The scores of a tensor; runs ONNX Runtime as the bare loop does."""

    async def load(self) -> bool:
        """Opens the session."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        file = self.settings.parameters.uri
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Of the one tensor that it is given."""
        tensor = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32, copy=False)
        (scores,) = self._session.run(None, {"image": tensor})
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("scores", scores)])
