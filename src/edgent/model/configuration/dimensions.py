"""Numbers for the dimensions that a file leaves free: by name, or as "INPUT:AXIS"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from edgent.errors import ModelError
from edgent.text import nearest

BATCH = "batch"
"""What a leading free dimension without a name is called."""

_BATCHES = re.compile(r"n|b|.*batch.*|bs", re.IGNORECASE)

_RANK_OF_PICTURES = 4  # sequences of vectors have 3 dimensions

# What exporters make up where nobody gave a name, each dimension its own.
_NAMELESS = re.compile(r"unk__\d+|.*dim_?\d+|DynamicDimension\.\d+|[sd]\d+", re.IGNORECASE)

# What exporters write for any unknown dimension: Paddle names all of them "?". It is no name, for it ties nothing.
_UNKNOWN = re.compile(r"\?|-1|None|", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeDimension:
    """A dimension of an input that has no number in the file.

    Attributes:
        name: its own; without one `BATCH` if it leads, else "INPUT:AXIS". Those of one name are one number.
        input: the input's name.
        axis: which of its dimensions it is.
        rank: how many it has.
        is_named: whether the name is the file's.
    """

    name: str
    input: str
    axis: int
    rank: int
    is_named: bool

    @property
    def place(self) -> str:
        """Where it stands: what may be written in place of its name."""
        return f"{self.input}:{self.axis}"

    @property
    def is_surely_a_batch(self) -> bool:
        """Whether a leading one counts inputs, as far as names tell; it may be the length of a sequence instead."""
        if self.is_named and not _NAMELESS.fullmatch(self.name):
            return self.rank >= _RANK_OF_PICTURES or bool(_BATCHES.fullmatch(self.name))
        return self.rank > 1


def free_dimensions(graph: onnx.GraphProto) -> tuple[FreeDimension, ...]:
    """Those of all inputs, in their order."""
    return tuple(
        FreeDimension(
            name=_name(value.name, axis, dim),
            input=value.name,
            axis=axis,
            rank=len(_dims(value)),
            is_named=_is_named(dim),
        )
        for value in graph.input
        for axis, dim in enumerate(_dims(value))
        if _is_free(dim)
    )


def numbers_of(
    path: Path, free: Sequence[FreeDimension], given: Mapping[str, int], defaults: Mapping[str, int]
) -> dict[str, int]:
    """A number for every free dimension, by its name.

    Args:
        path: for messages.
        free: the dimensions.
        given: numbers that the caller gives, by name or place.
        defaults: numbers that the configuration has, by name or place. A leading dimension is the batch and 1 unless
            either says otherwise.

    Raises:
        ModelError: a dimension without a number, a number for one that no input has, or two numbers for one.
    """
    leading = {entry.name: 1 for entry in free if entry.axis == 0}
    numbers = leading | _by_name(path, free, defaults, "its configuration") | _by_name(path, free, given, "--dim")
    for entry in free:
        if entry.name not in numbers:
            shown = "without a name" if entry.name == entry.place else entry.name
            raise ModelError(
                f"{path}: dimension {entry.axis} of input {entry.input!r} is free ({shown}); "
                f"give it a number: --dim {entry.name}=128"
            )
    return numbers


def doubts_of(path: Path, free: Iterable[FreeDimension], said: Iterable[str]) -> tuple[str, ...]:
    """A sentence for each leading dimension that became 1 though it may be no batch.

    Args:
        path: for messages.
        free: the dimensions.
        said: the names and places for which somebody gave a number.
    """
    known = set(said)
    doubtful = {
        entry.name: entry
        for entry in free
        if entry.axis == 0 and not entry.is_surely_a_batch and known.isdisjoint((entry.name, entry.place))
    }
    return tuple(
        f"{path}: the leading dimension {entry.name!r} of input {entry.input!r} was taken for a batch and is 1; "
        f"where it is the length of a sequence, say how long: --dim {entry.name}=128"
        for entry in doubtful.values()
    )


def write(graph: onnx.GraphProto, numbers: Mapping[str, int]) -> None:
    """Puts the numbers into a graph."""
    for value in graph.input:
        for axis, dim in enumerate(_dims(value)):
            if _is_free(dim):
                dim.dim_value = numbers[_name(value.name, axis, dim)]


def _by_name(path: Path, free: Sequence[FreeDimension], numbers: Mapping[str, int], source: str) -> dict[str, int]:
    """The numbers, each under its dimension's own name."""
    names = {entry.place: entry.name for entry in free} | {entry.name: entry.name for entry in free}
    found: dict[str, int] = {}
    for written, number in numbers.items():
        if written not in names:
            known = ", ".join(dict.fromkeys(entry.name for entry in free)) or "none"
            raise ModelError(
                f"{path}: no input has a free dimension {written!r}{nearest(written, names)}, found in {source}; "
                f"those that can have a number: {known}"
            )
        if number < 0:
            raise ModelError(f"{path}: dimension {written!r} cannot be {number}; give it the size that the inputs have")
        if found.setdefault(names[written], number) != number:
            raise ModelError(
                f"{path}: dimension {names[written]!r} has two numbers in {source}, {found[names[written]]} and "
                f"{number} (as {written}); expected one"
            )
    return found


def _dims(value: onnx.ValueInfoProto) -> Sequence[onnx.TensorShapeProto.Dimension]:
    dims: Sequence[onnx.TensorShapeProto.Dimension] = value.type.tensor_type.shape.dim
    return dims


def _is_free(dim: onnx.TensorShapeProto.Dimension) -> bool:
    """Engines take -1 for a free one."""
    return not dim.HasField("dim_value") or dim.dim_value < 0


def _name(value: str, axis: int, dim: onnx.TensorShapeProto.Dimension) -> str:
    if _is_named(dim):
        return str(dim.dim_param)
    return BATCH if axis == 0 else f"{value}:{axis}"


def _is_named(dim: onnx.TensorShapeProto.Dimension) -> bool:
    return not _UNKNOWN.fullmatch(dim.dim_param)
