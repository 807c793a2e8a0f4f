"""Faults planted in a divided model, to see whether they are found: a check that accuses nobody is easily made.

Three kinds, at seeded cuts: a weight of the file is 1 % off; two tensors that cross together are swapped; and the
constants are those of another folder, where the same graph has other numbers. What runs is the faulty model, what is
right comes from the original file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from edgent.engine.engine import Session
from edgent.engine.feeds import Feeds
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.evaluation.original import AnswerComparison
from edgent.evaluation.verify import OfferedCuts, run_pieces
from edgent.model import Branch, Layer, Model

KINDS = ("weight", "swapped", "constants")
OFF = 1.01  # a weight's factor
MULTIPLYING = {"Conv", "ConvTranspose", "Gemm", "LSTM", "MatMul"}
COMMUTATIVE = {"Add", "Mul", "Max", "Min", "Sum", "Mean"}
STORED = 2048  # bytes from which a constant surely lies in the folder, not in the graph
TRIES = 200  # divisions looked at for one whose boundary has two tensors of one form
_KEPT = 4  # sessions

Edit = Callable[[NDArray[np.generic]], NDArray[np.generic]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A model whose answers are known, to plant faults in."""

    name: str
    path: Path
    dims: Mapping[str, int]
    model: Model
    inputs: Sequence[Feeds]
    comparison: AnswerComparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What was planted, and whether it was seen."""

    model: str
    kind: str
    where: str
    difference: float
    found: bool


def planted(bench: Bench, kind: str, random: np.random.Generator, folder: Path) -> Fault | None:
    """Plants one fault in a model and looks for it; None where the model has no place for this kind."""
    branch = bench.model.branches[int(random.integers(len(bench.model.branches)))]
    if kind == "swapped":
        pairs = _pairs(branch, random)
        if pairs is None:
            return None
        cuts, one, other = pairs
        return _judged(
            bench, kind, f"{one} and {other}", branch, cuts, bench.model, _Swapping(branch, cuts, one, other)
        )
    weights = _weights(bench.model, branch, bench.path, STORED if kind == "constants" else 0)
    if not weights:
        return None
    cuts = _division(branch, random)
    if kind == "weight":
        name = weights[int(random.integers(len(weights)))]
        edited = _edited(bench.path, folder, {name: lambda array: (array * OFF).astype(array.dtype)})
        return _judged(
            bench, kind, name, branch, cuts, load(edited, dims=bench.dims), OnnxRuntimeEngine(capacity=_KEPT)
        )
    rolled = _edited(bench.path, folder, dict.fromkeys(weights, lambda array: np.roll(array, 1)))
    elsewhere = load(rolled, dims=bench.dims).segment(*_ends(branch)).weights
    return _judged(bench, kind, str(elsewhere.name), branch, cuts, bench.model, _Misled(elsewhere))


class _Swapping(OnnxRuntimeEngine):
    """Hands the middle of a division two tensors under each other's names."""

    def __init__(self, branch: Branch, cuts: tuple[int, int], one: str, other: str) -> None:
        super().__init__(capacity=_KEPT)
        self._up = {tensor.name for tensor in branch.boundary(*cuts).up}
        self._names = {one: other, other: one}

    def session(self, model: Model, given: Sequence[str], asked: Sequence[str]) -> Any:
        made = super().session(model, given, asked)
        return _Swapped(made, self._names) if set(given) == self._up else made


class _Swapped:
    def __init__(self, session: Session, names: Mapping[str, str]) -> None:
        self._session, self._names = session, names

    def run(self, feeds: Feeds) -> dict[str, Any]:
        return self._session.run({self._names.get(name, name): array for name, array in feeds.items()})


class _Misled(OnnxRuntimeEngine):
    """Makes its sessions with the constants of another folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(capacity=_KEPT)
        self._folder = folder

    def session(self, model: Model, given: Sequence[str], asked: Sequence[str]) -> Session:
        return self.build(replace(model.segment(given, asked), weights=self._folder))


def _judged(
    bench: Bench, kind: str, where: str, branch: Branch, cuts: tuple[int, int], faulty: Model, engine: OnnxRuntimeEngine
) -> Fault:
    """Runs the faulty pieces on every input."""
    worst, found = 0.0, False
    for at, feeds in enumerate(bench.inputs):
        answers = run_pieces(faulty, faulty.branches[branch.exit], engine, feeds, *cuts)
        difference, why = bench.comparison.check(at, answers)
        worst, found = max(worst, difference.largest), found or bool(why)
    return Fault(model=bench.name, kind=kind, where=f"{where}, cuts {cuts}", difference=worst, found=found)


def _division(branch: Branch, random: np.random.Generator) -> tuple[int, int]:
    divisions = OfferedCuts(branch)
    cut = divisions.cuts[int(random.integers(len(divisions.cuts)))]
    among = divisions.at(cut, random)
    return among[int(random.integers(len(among)))]


def _pairs(branch: Branch, random: np.random.Generator) -> tuple[tuple[int, int], str, str] | None:
    """A division, and two tensors of one type and shape that go up together, and that are not only added."""
    for _ in range(TRIES):
        cuts = _division(branch, random)
        up = branch.boundary(*cuts).up
        alike = [
            (a.name, b.name) for a in up for b in up if a.name < b.name and (a.dtype, a.shape) == (b.dtype, b.shape)
        ]
        alike = [pair for pair in alike if not _exchangeable(branch.layers[slice(*cuts)], *pair)]
        if alike:
            one, other = alike[int(random.integers(len(alike)))]
            return cuts, one, other
    return None


def _exchangeable(layers: Sequence[Layer], one: str, other: str) -> bool:
    """Whether all layers that read one of two tensors read the other too, and do not mind which is which."""
    readers = [layer for layer in layers if one in layer.inputs or other in layer.inputs]
    return all(layer.op in COMMUTATIVE and {one, other} <= set(layer.inputs) for layer in readers)


def _weights(model: Model, branch: Branch, path: Path, least: int) -> list[str]:
    """Names of a file's matrices and kernels that a branch multiplies by, of that many bytes at least."""
    nodes = [model.proto.graph.node[at] for layer in branch.layers for at in layer.nodes]
    read = {name for node in nodes if node.op_type in MULTIPLYING for name in node.input}
    return [
        tensor.name
        for tensor in onnx.load(path, load_external_data=False).graph.initializer
        if tensor.name in read and len(tensor.dims) > 1 and tensor.data_type == TensorProto.FLOAT
        if 4 * math.prod(tensor.dims) >= least
    ]


def _edited(path: Path, folder: Path, edits: Mapping[str, Edit]) -> Path:
    """A copy of a file with other numbers in some weights."""
    proto = onnx.load(path)
    for tensor in proto.graph.initializer:
        if tensor.name in edits:
            array = edits[tensor.name](numpy_helper.to_array(tensor))
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), tensor.name))
    target = folder / path.name
    onnx.save(proto, target)
    return target


def _ends(branch: Branch) -> Iterator[list[str]]:
    yield [tensor.name for tensor in branch.inputs]
    yield [tensor.name for tensor in branch.outputs]
