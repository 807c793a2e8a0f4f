"""The models that latency models are judged on, the segments at all places where one tensor crosses, and their truth.

No layer of theirs may be used for fitting.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from edgent.latency.family import References
from edgent.latency.nonnegative import non_negative_least_squares
from edgent.latency.prediction import BranchWork
from edgent.latency.profile import Profile
from edgent.model import Branch, Model
from edgent.model.builder import Builder
from edgent.profiling.sweep import slowness

Timings = list[tuple[float, References]]
"""Seconds of something, each beside those of the sweep's references."""

_MOST_FOLLOWED = 1.3
_TOGETHER = 1e9  # bytes of weights of segments that are held at once; engines keep a second copy of many


@dataclass
class Piece:
    """A segment of a model: the layers between two cuts, and its timings."""

    first: int
    last: int
    ends: tuple[list[str], list[str]]
    passes: tuple[Timings, Timings] = field(default_factory=lambda: ([], []))


@dataclass
class Case:
    """A model; `pieces` begin with the whole."""

    model: Model
    work: BranchWork
    pieces: list[Piece]
    measured: Profile | None = None

    @property
    def name(self) -> str:
        """The model's."""
        return self.model.name

    def groups(self) -> Iterator[list[Piece]]:
        """The pieces, as many at a time as fit into memory together."""
        group: list[Piece] = []
        weights = 0.0
        for piece in self.pieces:
            weights += sum(cost.bytes_weights for cost in self.work.costs[piece.first : piece.last])
            if group and weights > _TOGETHER:
                yield group
                group, weights = [], 0.0
            group.append(piece)
        yield group


def pieces(branch: Branch, most: int) -> Iterator[Piece]:
    """The whole, and head and tail at the cuts that one tensor crosses, or at so many of them, evenly spread."""
    n = len(branch.layers)
    given, asked = ([tensor.name for tensor in side] for side in (branch.inputs, branch.outputs))
    yield Piece(0, n, (given, asked))
    crossings = {k: [tensor.name for tensor in branch.boundary(k, n).up] for k in range(1, n)}
    cuts = [k for k, names in crossings.items() if len(names) == 1 and _passes_all(branch, k)]
    for k in _spread(cuts, most):
        yield Piece(0, k, (given, crossings[k]))
        yield Piece(k, n, (crossings[k], asked))


def _passes_all(branch: Branch, k: int) -> bool:
    """Whether nothing else joins head and tail: no input that the tail reads too, no answer that the head makes."""
    read = {name for layer in branch.layers[k:] for name in layer.inputs}
    made = {name for layer in branch.layers[:k] for name in layer.outputs}
    return read.isdisjoint(tensor.name for tensor in branch.inputs) and made.isdisjoint(
        tensor.name for tensor in branch.outputs
    )


def _spread(cuts: Sequence[int], most: int) -> list[int]:
    count = min(most, len(cuts))
    return [cuts[(2 * k + 1) * len(cuts) // (2 * count)] for k in range(count)]


def followed(parts: Sequence[Timings]) -> NDArray[np.float64]:
    """How strongly the times of a model's parts follow those of the references: shape (2,)."""
    logs = [np.log([(seconds, *references) for seconds, references in part]) for part in parts]
    rows = np.concatenate([part - part.mean(axis=0) for part in logs])
    return np.minimum(non_negative_least_squares(rows[:, 1:], rows[:, 0]), _MOST_FOLLOWED)


def usual_time(timings: Timings, follows: NDArray[np.float64], usual: References) -> float:
    """Median seconds, had the references been as usual."""
    return math.exp(float(np.median([math.log(t) - follows @ slowness(now, usual) for t, now in timings])))


def test_models(folder: Path) -> list[Path]:
    """The topologies of the onnx wheel, and EfficientNet-Lite0, written into a folder."""
    light = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    lite = folder / "efficientnet_lite0.onnx"
    lite.write_bytes(_efficientnet_lite0())
    return [*sorted(light.glob("light_*.onnx")), lite]


def _efficientnet_lite0() -> bytes:
    """EfficientNet-Lite0 with random weights [Tan and Le 2019; lite: ReLU6, no squeeze-and-excitation]."""
    made = Builder()

    def normed(x: str, maps: int, side: int, stride: int = 1, groups: int = 1) -> str:
        return made.norm(made.conv(x, maps, side, stride=stride, groups=groups, bias=False))

    x = made.activation(normed(made.input((1, 3, 224, 224)), 32, 3, 2), "Clip")
    stages = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3))
    for widening, side, first_stride, maps, repeats in (*stages, (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)):
        for number in range(repeats):
            channels, stride = made.shapes[x][1], first_stride if number == 0 else 1
            y = made.activation(normed(x, channels * widening, 1), "Clip") if widening > 1 else x
            y = made.activation(normed(y, channels * widening, side, stride, channels * widening), "Clip")
            y = normed(y, maps, 1)
            x = made.add(y, x) if made.shapes[y] == made.shapes[x] else y
    x = made.mean(made.activation(normed(x, 1280, 1), "Clip"))
    return made.segment([made.gemm(made.reshape(x, 1, 1280), 1000)]).proto
