"""One copy of the weights on disk, shared by every segment of a model."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from edgent.errors import ModelError
from edgent.model.read import is_external

FILE = "weights.bin"
_ALIGN = 4096  # so that an engine may map the file instead of copying it
_INLINE = 1024  # smaller tensors stay in the graph: shape inference wants to read them


@dataclass(slots=True)
class Weights:
    """The large constants of a model; the graph itself holds only their names and shapes.

    Attributes:
        source: folder of the model file, for weights that already lie in files of their own.
        tensors: name to tensor, in a fixed order.
    """

    source: Path
    tensors: dict[str, onnx.TensorProto] = field(default_factory=dict)
    _places: dict[str, tuple[int, int]] | None = None

    def take(self, graph: onnx.GraphProto) -> None:
        """Moves the large constants out of a graph; what stays behind has the shape and no numbers."""
        for index, tensor in enumerate(graph.initializer):
            if (is_external(tensor) or tensor.ByteSize() > _INLINE) and tensor.name not in self.tensors:
                self.tensors[tensor.name] = onnx.TensorProto.FromString(tensor.SerializeToString())
                graph.initializer[index].CopyFrom(_stub(tensor))

    def put(self, name: str, array: NDArray[np.generic]) -> onnx.TensorProto:
        """Takes a constant that was computed; returns it as the graph shall hold it."""
        tensor = numpy_helper.from_array(array, name)
        if tensor.ByteSize() <= _INLINE:
            return tensor
        self.tensors[name] = tensor
        return _stub(tensor)

    def array(self, tensor: onnx.TensorProto) -> NDArray[np.generic]:
        """The numbers of a constant of the graph, wherever they are."""
        return _array(self.tensors.get(tensor.name, tensor), self.source)

    def keep(self, names: Iterable[str]) -> None:
        """Forgets all weights but these."""
        wanted = set(names)
        self.tensors = {name: tensor for name, tensor in self.tensors.items() if name in wanted}

    def folder(self, digest: str) -> Path:
        """The folder that holds the one weights file of the model, written at the first call.

        The file is complete or absent: it appears under its name only when whole.
        """
        folder = cache_folder() / "weights" / digest[:32]
        file = folder / FILE
        size = self._size()
        if not file.is_file() or file.stat().st_size != size:
            folder.mkdir(parents=True, exist_ok=True)
            self._write(file)
        return folder

    def reference(self, tensor: onnx.TensorProto) -> onnx.TensorProto:
        """The constant as a segment's file names it: by place in the weights file, or itself where it is small."""
        if tensor.name not in self.tensors:
            return tensor
        offset, length = self._layout()[tensor.name]
        made = _stub(tensor)
        for key, value in (("location", FILE), ("offset", str(offset)), ("length", str(length))):
            made.external_data.add(key=key, value=value)
        return made

    def _layout(self) -> dict[str, tuple[int, int]]:
        if self._places is None:
            places, offset = {}, 0
            for name, tensor in self.tensors.items():
                length = _nbytes(tensor)
                places[name] = (offset, length)
                offset += -(-length // _ALIGN) * _ALIGN
            self._places = places
        return self._places

    def _size(self) -> int:
        return max((offset + length for offset, length in self._layout().values()), default=0)

    def _write(self, file: Path) -> None:
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".weights-")
        try:
            with os.fdopen(handle, "wb") as stream:
                for name, (offset, _) in self._layout().items():
                    stream.seek(offset)
                    stream.write(_raw(self.array(self.tensors[name])))
            os.replace(temporary, file)
        except BaseException:
            os.unlink(temporary)
            raise


def digest(proto: onnx.ModelProto, source: Path) -> str:
    """SHA-256 over graph and weights, not the metadata: the same wherever and however the weights are stored."""
    bare = onnx.ModelProto()
    bare.CopyFrom(proto)
    for name in ("metadata_props", "doc_string", "producer_name", "producer_version", "domain", "model_version"):
        bare.ClearField(name)
    bare.graph.ClearField("doc_string")
    bare.graph.ClearField("value_info")
    total = hashlib.sha256()
    for index, tensor in enumerate(proto.graph.initializer):
        total.update(_raw(_array(tensor, source)))
        bare.graph.initializer[index].CopyFrom(_stub(tensor, location=False))
    total.update(bare.SerializeToString(deterministic=True))
    return total.hexdigest()


def cache_folder() -> Path:
    """Where files that can be made again are kept (XDG_CACHE_HOME, else ~/.cache)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "edgent"


def _array(tensor: onnx.TensorProto, source: Path) -> NDArray[np.generic]:
    try:
        return numpy_helper.to_array(tensor, str(source))
    except Exception as error:  # ValueError, or onnx's own kinds of validation errors
        raise ModelError(
            f"weight {tensor.name!r} has no {tuple(tensor.dims)} numbers; export the model again"
        ) from error


def _stub(tensor: onnx.TensorProto, *, location: bool = True) -> onnx.TensorProto:
    made = onnx.TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type)
    if location:
        made.data_location = onnx.TensorProto.EXTERNAL
    return made


def _raw(array: NDArray[np.generic]) -> bytes:
    return np.ascontiguousarray(array).tobytes()


def _nbytes(tensor: onnx.TensorProto) -> int:
    item = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return int(np.prod(tensor.dims, dtype=np.int64)) * int(item)
