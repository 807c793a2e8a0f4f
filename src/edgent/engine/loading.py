"""Loading a model with the product's own engine: what is constant in a file is computed by what runs the rest.

Users and commands load by `edgent.engine.guarded_loading`, which tries a file before it comes here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgent import model as files
from edgent.model import Model, Tensor
from edgent.model.files.named import ModelFiles

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray


def load(model: ModelFiles, *, dims: Mapping[str, int] | None = None) -> Model:
    """Opens a model by name or file.

    Args:
        model: the name of a shipped model ("b-alexnet"), or the path of an ONNX file; several with "+" between them
            are a bundle (see `edgent.model.files.bundle`), named after all of them.
        dims: numbers for free dimensions. A free leading dimension is the batch and becomes 1.

    Raises:
        ModelError: as `edgent.model.load`.
    """
    return files.load(model, interpreter=_OnnxRuntime(), dims=dims)


class _OnnxRuntime:
    """ONNX Runtime, imported when it is first asked: many files have nothing to compute."""

    def compute(self, proto: onnx.ModelProto, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        from edgent.engine import onnxruntime as engine

        return engine.compute(proto.SerializeToString(), feeds)

    def describe(self, proto: onnx.ModelProto) -> dict[str, Tensor]:
        from edgent.engine import onnxruntime as engine

        return engine.describe(proto.SerializeToString())
