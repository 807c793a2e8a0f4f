"""The values of a model: tensors, layers, branches, cuts and what crosses them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgent.errors import ModelError

_ITEM_SIZES = {"bfloat16": 2, "string": None}

# What the Open Inference Protocol has a type for, text as its BYTES.
_TRAVELLING = {
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
    "string",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A tensor by name.

    Attributes:
        name: the graph's.
        dtype: numpy's name; None: not a tensor at all.
        shape: None where inference fails, or where it depends on the data.
        most: the largest shape that the data can give it, where that is known beforehand: boxes are so many at most.
        example: what stands in an input where a random array makes no sense (see `InputInfo`); empty: it does.
    """

    name: str
    dtype: str | None
    shape: tuple[int, ...] | None
    most: tuple[int, ...] | None = None
    example: tuple[float, ...] | tuple[str, ...] = field(default=(), compare=False)

    @property
    def nbytes(self) -> int | None:
        """Bytes of the raw tensor, the most that it can have; None where dtype or shape is unknown."""
        # Numpy has no bfloat16 and no size for text; every other type's size is numpy's.
        shape = self.most if self.shape is None else self.shape
        if self.dtype is None or shape is None:
            return None
        size = _ITEM_SIZES[self.dtype] if self.dtype in _ITEM_SIZES else np.dtype(self.dtype).itemsize
        return None if size is None else math.prod(shape) * size

    @property
    def travels(self) -> bool:
        """Whether it can be sent: bfloat16, float8, int4, sequences, maps, optional and sparse values cannot."""
        return self.dtype in _TRAVELLING


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One node, with the shape-only nodes that feed it, and those that make its constants.

    Attributes:
        name: the node's name, or its last output where it has none.
        op: the node's ONNX operator.
        nodes: positions of the nodes in the folded graph, in its order; the last one is the layer's own.
        inputs: tensors read from outside the layer, without constants.
        outputs: tensors made, without constants.
        own: those of them that the layer's own node makes.
    """

    name: str
    op: str
    nodes: tuple[int, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    own: tuple[str, ...]


class Boundary(NamedTuple):
    """The tensors that really cross: up from head to middle, down from middle to suffix (or as the answer)."""

    up: tuple[Tensor, ...]
    down: tuple[Tensor, ...]


class Obstruction(NamedTuple):
    """A tensor that cannot be handed from one part to another, and why: "of type int4 cannot travel"."""

    tensor: Tensor
    problem: str


class _Use(NamedTuple):
    """The life of a tensor along the layers: all that decides which cuts it crosses."""

    tensor: Tensor
    since: int  # layers after which the tensor exists; 0 for inputs
    read: tuple[int, ...]  # 1-based positions of the layers that read it, rising; n + 1 stands for "is the answer"


@dataclass(frozen=True, kw_only=True, repr=False)
class Branch:
    """The graph from the inputs to one exit, in one stated order: that of the file.

    A cut k has the first k layers before it, k = 0 .. n. Two cuts 0 <= upload <= download <= n divide the branch
    into head (device), middle (edge) and suffix (device). Whether they may is `divisible`, or for one pair `obstacle`:
    what one part hands to another must be able to travel, and must not be *fused* (see `edgent.model.quantised`).
    """

    exit: int
    name: str
    layers: tuple[Layer, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    accuracy: float | None = None
    tensors: dict[str, Tensor] = field(hash=False, compare=False)
    fused: frozenset[str] = field(default=frozenset(), hash=False, compare=False)

    def __repr__(self) -> str:
        accuracy = "unknown" if self.accuracy is None else f"{self.accuracy:.2%}"
        return f"<Branch exit {self.exit} {self.name!r}: {len(self.layers)} layers, accuracy {accuracy}>"

    @cached_property
    def uses(self) -> tuple[_Use, ...]:
        """Every tensor that can cross a cut of this branch, with where it is made and read."""
        since = {tensor.name: 0 for tensor in self.inputs}
        read: dict[str, list[int]] = {tensor.name: [] for tensor in self.inputs}
        # A tensor lives from the layer that makes it to the last one that reads it; a cut between the two is crossed by
        # it. Positions count from 1, so that a position is the number of layers before the cut behind it.
        for position, layer in enumerate(self.layers, start=1):
            for name in dict.fromkeys(layer.inputs):
                read[name].append(position)
            for name in layer.outputs:
                since[name] = position
                read[name] = []
        # The caller reads the answers, as if one more layer stood behind the last one: so an answer crosses every
        # download cut behind the layer that makes it, without a case of its own.
        for tensor in self.outputs:
            if tensor.name in read:  # else it is a constant, which both sides have
                read[tensor.name].append(len(self.layers) + 1)
        return tuple(_Use(self.tensors[name], since[name], tuple(at)) for name, at in read.items() if at)

    def boundary(self, upload_cut: int, download_cut: int) -> Boundary:
        """What crosses when layers [upload_cut, download_cut) run on the edge.

        Raises:
            ModelError: a cut outside 0 .. n, or the download before the upload.
        """
        self._check(upload_cut, download_cut)
        up, down = [], []
        for use in self.uses:
            # Made by the head, or an input: it goes up only if the middle reads it. What the suffix alone reads stays,
            # since the device still has it. Made by the middle: it goes down if anything behind the middle reads it, or
            # it is the answer.
            if use.since <= upload_cut:
                if any(upload_cut < position <= download_cut for position in use.read):
                    up.append(use.tensor)
            elif use.since <= download_cut < use.read[-1]:
                down.append(use.tensor)
        return Boundary(tuple(up), tuple(down))

    @cached_property
    def clean_cuts(self) -> NDArray[np.bool_]:
        """At which of the cuts 0 .. n everything that crosses can be handed on."""
        clean = np.ones(len(self.layers) + 1, dtype=np.bool_)
        # A tensor that cannot be handed on forbids every cut that it crosses, wherever the other cut is. The caller who
        # reads the answers is no layer and does not count here; answers that cannot travel are left to `divisible`.
        for use in self.uses:
            if self._problem(use.tensor):
                clean[use.since : self._last_reader(use)] = False
        return clean

    @cached_property
    def divisible(self) -> NDArray[np.bool_]:
        """Whether device and edge can share the branch: shape (n + 1, n + 1), indexed [upload, download].

        True on the diagonal, where nothing runs on the edge; nothing is said below it.
        """
        n = len(self.layers)
        # Both cuts have to be clean by themselves, so all pairs follow from one line: no pair needs to be looked at.
        plane = self.clean_cuts[:, None] & self.clean_cuts
        for use in self.uses:
            # An answer that cannot travel must be made on the device: upload cuts from its layer on have it in the
            # head, download cuts before its layer have it in the suffix. All others are forbidden.
            if not use.tensor.travels and use.read[-1] > n:
                plane[: use.since, use.since :] = False
        np.fill_diagonal(plane, True)
        return plane

    def obstacle(self, upload_cut: int, download_cut: int) -> str:
        """Why device and edge cannot share the branch at these cuts, in one line; empty if they can.

        Raises:
            ModelError: as `boundary`.
        """
        obstruction = self.obstruction(upload_cut, download_cut)
        if obstruction is None:
            return ""
        cuts = f"cuts {upload_cut}..{download_cut} of exit {self.exit}"
        return f"{cuts} cannot be used: tensor {obstruction.tensor.name!r} {obstruction.problem}; choose others"

    def obstruction(self, upload_cut: int, download_cut: int) -> Obstruction | None:
        """The first tensor that keeps device and edge from sharing the branch at these cuts; None: they can.

        Raises:
            ModelError: as `boundary`.
        """
        self._check(upload_cut, download_cut)
        # Nothing crosses: the device does everything, and may cut through nothing.
        if upload_cut == download_cut:
            return None
        # The same rules as in `divisible`, for one pair, so that the tensor at fault can be named.
        for use in self.uses:
            crossed = any(use.since <= cut < self._last_reader(use) for cut in (upload_cut, download_cut))
            answer = use.read[-1] > len(self.layers) and upload_cut < use.since <= download_cut
            problem = self._problem(use.tensor)
            if problem and (crossed or (answer and not use.tensor.travels)):
                return Obstruction(use.tensor, problem)
        return None

    def sent(self, upload_cut: int, download_cut: int) -> Boundary:
        """The boundary, of cuts that device and edge can share the branch at.

        Raises:
            ModelError: they cannot; or as `boundary`.
        """
        if obstacle := self.obstacle(upload_cut, download_cut):
            raise ModelError(obstacle)
        return self.boundary(upload_cut, download_cut)

    def boundary_bytes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Raw bytes up and down for every pair of cuts: two arrays (n + 1, n + 1), indexed [upload, download].

        nan where a crossing tensor's size is unknown, and below the diagonal. Near-linear in the uses of tensors,
        plus one pass over the pairs: each tensor crosses in whole rectangles of the plane of pairs.
        """
        # Tables of differences: a rectangle is written at its four corners, and two running sums fill all of them at
        # the end. One row and one column more than there are cuts, for corners just outside. Unknown sizes are counted
        # apart: nan in a table of differences would spoil all that is summed after it.
        n = len(self.layers)
        up, down = np.zeros((n + 2, n + 2)), np.zeros((n + 2, n + 2))
        unknown_up, unknown_down = np.zeros((n + 2, n + 2)), np.zeros((n + 2, n + 2))
        for use in self.uses:
            size = use.tensor.nbytes
            plane, amount = (unknown_up, 1.0) if size is None else (up, float(size))
            # It goes up for each pair whose middle has a reader of it: upload from `since` to before that reader,
            # download from the reader on. Each reader adds only the uploads that the one before did not, or pairs with
            # two would count twice.
            start = use.since
            for position in (p for p in use.read if p <= n):
                _add_rectangle(plane, start, position - 1, position, n, amount)
                start = position
            # It goes down where the middle makes it, and something behind the middle reads it.
            plane = unknown_down if size is None else down
            _add_rectangle(plane, 0, use.since - 1, use.since, min(use.read[-1] - 1, n), amount)
        return _integrate(up, unknown_up), _integrate(down, unknown_down)

    def cut_bytes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Raw bytes at each cut 0 .. n: up where the edge does all that follows, and down where it did all before.

        nan where the size of a tensor that crosses is unknown. The largest boundaries of their direction at each cut:
        `boundary_bytes()[0][:, n]` and `boundary_bytes()[1][0]`, in linear time.
        """
        n = len(self.layers)
        up, down = _Line(n), _Line(n)
        for use in self.uses:
            # Up: from the cut behind its layer to the cut before its last reader on the edge. Down: the same, and the
            # caller counts as a reader; inputs never come down, for the device has them.
            up.add(use.since, max((position for position in use.read if position <= n), default=0), use.tensor.nbytes)
            if use.since:
                down.add(use.since, use.read[-1], use.tensor.nbytes)
        return up.sums(), down.sums()

    def uploads(self) -> Iterator[Mapping[str, Tensor]]:
        """What crosses each cut 0 .. n where the edge does all that follows: one mapping, changed from cut to cut."""
        n = len(self.layers)
        ending: dict[int, list[str]] = {}
        begun: dict[int, list[Tensor]] = {}
        for use in self.uses:
            last = max((position for position in use.read if position <= n), default=use.since)
            if last > use.since:
                begun.setdefault(use.since, []).append(use.tensor)
                ending.setdefault(last, []).append(use.tensor.name)
        # One mapping for all cuts: networks have thousands of layers, and a copy at each would be quadratic.
        crossing: dict[str, Tensor] = {}
        for cut in range(n + 1):
            # A cut lies behind the layer of its number, so what that layer read for the last time has ended here.
            for name in ending.get(cut, ()):
                del crossing[name]
            crossing.update((tensor.name, tensor) for tensor in begun.get(cut, ()))
            yield crossing

    def _problem(self, tensor: Tensor) -> str:
        """Why no part can hand a tensor to another; empty if it can."""
        if not tensor.travels:
            return f"of type {tensor.dtype or 'sequence, map, optional, sparse or unknown'} cannot travel"
        return "lies inside a quantised operator, which divided answers otherwise" if tensor.name in self.fused else ""

    def _last_reader(self, use: _Use) -> int:
        """The last layer that reads a tensor; 0 if none does."""
        return max((position for position in use.read if position <= len(self.layers)), default=0)

    def _check(self, upload_cut: int, download_cut: int) -> None:
        n = len(self.layers)
        if not 0 <= upload_cut <= download_cut <= n:
            raise ModelError(
                f"cuts {upload_cut}..{download_cut} of exit {self.exit}: expected 0 <= upload <= download <= {n}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentName:
    """A segment on the wire: `{model}.x{exit}.u{upload cut}.d{download cut}`."""

    model: str
    exit: int
    upload_cut: int
    download_cut: int

    def __str__(self) -> str:
        return f"{self.model}.x{self.exit}.u{self.upload_cut}.d{self.download_cut}"


def segment_name(model: str, exit: int, upload_cut: int, download_cut: int) -> str:
    """The wire's name of a branch's middle."""
    return str(SegmentName(model=model, exit=exit, upload_cut=upload_cut, download_cut=download_cut))


def parse_segment_name(text: str) -> SegmentName | None:
    """Reads the wire's name of a segment; None where it is not one (a whole model's name, say)."""
    # From the right: a model's own name may have dots. Numbers in any other form are no name of ours, and neither are
    # those of ten digits or more: the name comes from the network, and Python takes its time with long numbers.
    parts = text.rsplit(".", 3)
    if len(parts) != 4 or [part[:1] for part in parts[1:]] != ["x", "u", "d"]:
        return None
    numbers = [part[1:] for part in parts[1:]]
    if not all(number.isascii() and number.isdigit() and len(number) < 10 for number in numbers):
        return None
    exit_, upload, download = map(int, numbers)
    return SegmentName(model=parts[0], exit=exit_, upload_cut=upload, download_cut=download)


def tensors_by_name(names: Iterable[str], known: dict[str, Tensor], what: str) -> tuple[Tensor, ...]:
    """Looks tensors up.

    Raises:
        ModelError: a name the model does not have.
    """
    # In the order in which they were asked for: it is that of a segment's inputs and outputs.
    tensors = tuple(known[name] for name in names if name in known)
    missing = [name for name in names if name not in known]
    if missing:
        raise ModelError(f"{what}: the model has no tensor {missing[0]!r}")
    return tensors


class _Line:
    """Sums over the cuts 0 .. n, of what crosses from one cut up to another."""

    def __init__(self, n: int) -> None:
        self._steps, self._unknown = np.zeros(n + 2), np.zeros(n + 2)

    def add(self, start: int, stop: int, amount: int | None) -> None:
        """Adds an amount, or one that is unknown, to the cuts start .. stop - 1."""
        if start < stop:
            # Steps and not sums: each tensor changes two numbers however many cuts it crosses, and one pass adds all
            # up.
            line, step = (self._unknown, 1.0) if amount is None else (self._steps, float(amount))
            line[start] += step
            line[stop] -= step

    def sums(self) -> NDArray[np.float64]:
        """The sum at each cut, nan where a part of it is unknown."""
        return np.where(self._unknown.cumsum() > 0.5, np.nan, self._steps.cumsum())[:-1]


def _add_rectangle(plane: NDArray[np.float64], u0: int, u1: int, d0: int, d1: int, amount: float) -> None:
    if u0 > u1 or d0 > d1:
        return
    # The corners of a rectangle in a table of differences: summed along both axes they fill it with the amount.
    plane[u0, d0] += amount
    plane[u1 + 1, d0] -= amount
    plane[u0, d1 + 1] -= amount
    plane[u1 + 1, d1 + 1] += amount


def _integrate(plane: NDArray[np.float64], unknown: NDArray[np.float64]) -> NDArray[np.float64]:
    # Holes are whole numbers up to rounding: half of one tells some from none. Below the diagonal the download would
    # lie before the upload.
    sums = plane.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]
    holes = unknown.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]
    sums[(holes > 0.5) | (np.tri(len(sums), k=-1) > 0)] = np.nan
    return sums


__all__: Sequence[str] = ("Boundary", "Branch", "Layer", "SegmentName", "Tensor", "parse_segment_name", "segment_name")
