"""One copy of the weights on disk, shared by every segment of a model.

The file is named by what it holds: its folder's name is the hash of the hashes of its constants. So two bindings of one
file, two versions of ours or of the engine that fold differently, or two models at once, can never answer with each
other's weights, and those of equal weights share one file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from edgent import cache
from edgent.errors import ModelError
from edgent.model.files.constants import inline, is_small, nbytes, pieces
from edgent.model.files.external import is_external
from edgent.model.files.identity import content_hash

FILE = "weights.bin"
_ALIGN = 4096  # so that an engine may map the file instead of copying it


@dataclass(slots=True)
class Weights:
    """The large constants of a model; the graph itself holds only their names and shapes.

    Attributes:
        source: folder of the model file, for weights that already lie in files of their own.
        hashes: SHA-256 of the bytes of constants, by name, as far as they are known.
        tensors: name to tensor, in a fixed order.
    """

    source: Path
    hashes: dict[str, bytes] = field(default_factory=dict)
    tensors: dict[str, onnx.TensorProto] = field(default_factory=dict)
    _places: dict[str, tuple[int, int]] | None = None
    _entry: cache.Entry | None = None

    def take(self, graph: onnx.GraphProto) -> None:
        """Moves the large constants out of a graph; what stays behind has the shape and no numbers."""
        for index, tensor in enumerate(graph.initializer):
            # A copy of the message: the graph's own is overwritten by the stub in the next line.
            if tensor.name not in self.tensors and not is_small(tensor):
                self.tensors[tensor.name] = onnx.TensorProto.FromString(tensor.SerializeToString())
                graph.initializer[index].CopyFrom(_stub(tensor))

    def put(self, name: str, array: NDArray[np.generic]) -> onnx.TensorProto:
        """Takes in a computed constant, and returns it in the form that the graph holds."""
        tensor = numpy_helper.from_array(array, name)
        if is_small(tensor):
            return tensor
        self.tensors[name] = tensor
        return _stub(tensor)

    def array(self, tensor: onnx.TensorProto) -> NDArray[np.generic]:
        """The numbers of a constant of the graph, wherever they are."""
        whole = self.tensors.get(tensor.name, tensor)
        try:
            return numpy_helper.to_array(inline(whole, self.source) if is_external(whole) else whole)
        except ModelError:
            raise
        except Exception as error:  # ValueError, or onnx's own kinds of validation errors
            raise ModelError(
                f"weight {tensor.name!r} has no {tuple(tensor.dims)} numbers; export the model again"
            ) from error

    def keep(self, names: Iterable[str]) -> None:
        """Forgets all weights but these."""
        wanted = set(names)
        self.tensors = {name: tensor for name, tensor in self.tensors.items() if name in wanted}

    def folder(self) -> Path:
        """The folder of the one weights file of the model, in use from now on for as long as this object lives.

        Returns:
            The folder; `Path()` for a model whose graph holds all.

        Raises:
            InputError: the cache cannot be written.
        """
        if not self.tensors:
            return Path()
        self._entry = cache.entry("weights", self._name(), self._is_right, self._write)
        return self._entry.path

    def reference(self, tensor: onnx.TensorProto) -> onnx.TensorProto:
        """The constant as a segment's file names it: by place in the weights file, or itself where it is small."""
        if tensor.name not in self.tensors:
            return tensor
        offset, length = self._layout()[tensor.name]
        reference = _stub(tensor)
        for key, value in (("location", FILE), ("offset", str(offset)), ("length", str(length))):
            reference.external_data.add(key=key, value=value)
        return reference

    def _name(self) -> str:
        for name, tensor in self.tensors.items():
            if name not in self.hashes:
                self.hashes[name] = content_hash(tensor, self.source)
        # By content: whoever needs the same constants gets the same file, and nobody another one's. In the order of the
        # tensors, for their places in the file follow from it.
        return hashlib.sha256(b"".join(self.hashes[name] for name in self.tensors)).hexdigest()[:32]

    def _layout(self) -> dict[str, tuple[int, int]]:
        # Computed and not stored with the file: it follows from the constants alone, so no segment can be given a place
        # in another file.
        if self._places is None:
            places, offset = {}, 0
            for name, tensor in self.tensors.items():
                length = nbytes(tensor)
                places[name] = (offset, length)
                offset += -(-length // _ALIGN) * _ALIGN
            self._places = places
        return self._places

    def _placed(self) -> Iterator[tuple[int, Iterator[bytes]]]:
        for name, (offset, _) in self._layout().items():
            yield offset, pieces(self.tensors[name], self.source)

    def _is_right(self, folder: Path) -> bool:
        file = folder / FILE
        if not file.is_file():
            return False
        with file.open("rb") as stream:
            # Every byte is compared: a file cut off by a full disk or changed by hand would answer wrongly, not fail.
            return all(_holds(stream, offset, data) for offset, data in self._placed())

    def _write(self, folder: Path) -> None:
        with (folder / FILE).open("wb") as stream:
            for offset, data in self._placed():
                stream.seek(offset)
                stream.writelines(data)


def _holds(stream: BinaryIO, offset: int, data: Iterable[bytes]) -> bool:
    stream.seek(offset)
    return all(stream.read(len(piece)) == piece for piece in data)


def _stub(tensor: onnx.TensorProto) -> onnx.TensorProto:
    stub = onnx.TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type)
    stub.data_location = onnx.TensorProto.EXTERNAL
    return stub
