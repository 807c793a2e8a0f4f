"""What a model's own files answer in plain ONNX Runtime, and how far an answer may be from that.

The engine itself is not of one mind: optimised differently, one file answers a little differently, for sums are rounded
in another order. On most networks that is a millionth of the largest value, on some a thousandth. A division moves the
places where the engine may optimise, so its answers differ in the same way and by about as much. The noise is therefore
measured, for the very inputs that are compared: by the other levels of optimisation, and by inputs that are changed by
a few units in their last place. What is a few times as far is a difference.

Two distances are taken. The largest finds a fault in one place. But where a network sorts or rounds, noise turns the
order of two boxes that are nearly equal, and an element is as wrong as it can be: there the median still tells apart
a fault, which moves everything a little, from noise.

A quantised network below the level "extended" is computed in floating point, which is another arithmetic and no noise;
and an input changed a little may be rounded to another integer, which a division never does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from edgent.engine.feeds import Array, Feeds
from edgent.engine.onnxruntime import Level, OnnxRuntimeEngine, Original
from edgent.errors import EdgentError
from edgent.model import Model
from edgent.model.files.bundle import prefix_of

Finish = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes answers of a file's outputs."""

MULTIPLE = 4.0
"""How many times the engine's own noise passes."""

_REPEATS = 5  # runs that must agree, or the file draws at random
_CHANGE = 4.0  # units in the last place by which an input is moved, as a standard deviation
_CHANGES = 2  # inputs so changed
_LEAST_SHARE = 1e-30  # of a softmax: below it a logarithm tells only of rounding


class Difference(NamedTuple):
    """Distances of two answers.

    Attributes:
        largest: of the worst element, relative to the largest value of the right answer.
        typical: the median over the elements, each relative to itself: scores beside pixels count as much.
            Of whole numbers, truth values and text, both are the share of elements that differ.
    """

    largest: float
    typical: float

    def __or__(self, other: Difference) -> Difference:
        """The larger of both distances, each by itself."""
        return Difference(max(self.largest, other.largest), max(self.typical, other.typical))

    def within(self, tolerance: Difference) -> bool:
        """Whether neither distance is larger than a tolerance's."""
        return self.largest <= tolerance.largest and self.typical <= tolerance.typical


NONE = Difference(0.0, 0.0)
FLOOR = Difference(1e-4, 1e-5)
"""What passes between floating-point numbers however quiet the engine is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedAnswer:
    """One answer of the original file to one input.

    Attributes:
        value: an array; a list or a mapping where the answer is a sequence or a map.
        shares: whether it is a softmax, which hides differences: it is compared by its logarithm.
        noise: how far the engine is from itself.
        drawn: whether the file answers differently at each run, so that nothing can be compared.
    """

    value: Any
    shares: bool
    noise: Difference
    drawn: bool

    @property
    def tolerance(self) -> Difference:
        """The difference that passes. Nothing but noise excuses whole numbers and text."""
        noise = Difference(*(MULTIPLE * part for part in self.noise))
        return noise | FLOOR if any(_is_number(leaf) for leaf in _leaves(self.value)) else noise

    def difference(self, value: Any) -> Difference:
        """How far another answer is from this one."""
        return difference(value, self.value, shares=self.shares)

    def has_same_choice(self, value: Any) -> bool:
        """Whether a reader would choose the same: whole numbers and text are equal, the largest score is the largest.

        What the engine's own noise turns does not count.
        """
        pairs = list(zip(_leaves(value), _leaves(self.value), strict=False))
        if not all(_is_number(right) for _, right in pairs):
            return self.difference(value).within(self.tolerance)
        return all(_largest_stays(leaf, right, self.tolerance.largest) for leaf, right in pairs)


class AnswerComparison:
    """Answers beside those of the original file, and the largest difference so far.

    Args:
        expected: the original's answers by name, one mapping for each input.
    """

    def __init__(self, expected: Sequence[Mapping[str, ExpectedAnswer]]) -> None:
        self.expected = expected
        self.answers_equal = True
        self.largest = -1.0
        self.tolerance = 0.0

    @property
    def drawn(self) -> tuple[str, ...]:
        """Answers that the file draws anew at each run."""
        return tuple(sorted({name for answers in self.expected for name, one in answers.items() if one.drawn}))

    def check(self, at: int, answers: Mapping[str, Any]) -> tuple[Difference, str]:
        """Compares the answers to one input with those expected.

        Args:
            at: the input's place.
            answers: all or some of the model's, by name.

        Returns:
            The largest difference, and why it is one too many; an empty text where all pass.
        """
        worst, why = NONE, ""
        for name, value in answers.items():
            expected = self.expected[at][name]
            # A file that draws at random answers differently from itself: nothing can be said of a division then.
            if expected.drawn:
                continue
            difference = expected.difference(value)
            worst |= difference
            if difference.largest > self.largest:
                self.largest, self.tolerance = difference.largest, expected.tolerance.largest
            if not difference.within(expected.tolerance):
                why = _too_far(name, difference, expected.tolerance)
            self.answers_equal &= expected.has_same_choice(value)
        return worst, why


def expected_answers(model: Model, inputs: Sequence[Feeds], *, threads: int = 1) -> list[dict[str, ExpectedAnswer]]:
    """What the model's files answer to each input, by the answer's name in the model.

    A file is opened once for each level of optimisation, one session at a time.

    Raises:
        ModelError: ONNX Runtime does not take a file.
        EdgentError: it fails on an input.
    """
    nodes = model.proto.graph.node
    softmax = {name for node in nodes if node.op_type == "Softmax" for name in node.output}
    quantised = any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in nodes)
    answers: list[dict[str, ExpectedAnswer]] = [{} for _ in inputs]
    for path in model.members:
        prefix = "" if path == model.path else prefix_of(path)
        finish = _finish(model, path, prefix, threads)
        for answer, part in zip(answers, _of_file(path, inputs, finish, softmax, quantised, threads), strict=True):
            answer.update(part)
    return answers


def difference(value: Any, right: Any, *, shares: bool = False) -> Difference:
    """How far an answer is from the right one; infinitely far where its form is another."""
    leaves, expected = _leaves(value), _leaves(right)
    if len(leaves) != len(expected):
        return Difference(math.inf, math.inf)
    worst = NONE
    for leaf, wanted in zip(leaves, expected, strict=True):
        worst |= _of_arrays(leaf, wanted, shares=shares)
    return worst


def _finish(model: Model, path: Path, prefix: str, threads: int) -> Finish:
    """What makes a file's answers, by their names in the model, of its outputs: these, or what a task appends."""
    branches = [branch for branch in model.branches if model.member_of(branch) == path]
    appended = [tensor.name for branch in branches for tensor in branch.outputs if tensor.name not in model.own_outputs]
    if not appended:
        return lambda outputs: {prefix + name: value for name, value in outputs.items()}
    others = tuple(prefix_of(member) for member in model.members[1:] if member != path)
    own = [name for name in model.own_outputs if name in model.tensors and name.startswith(prefix)]
    read = [name for name in own if not name.startswith(others)]
    session = OnnxRuntimeEngine(threads=threads).session(model, read, appended)
    return lambda outputs: session.run({name: outputs[name.removeprefix(prefix)] for name in read})


def _of_file(
    path: Path, inputs: Sequence[Feeds], finish: Finish, shares: Collection[str], quantised: bool, threads: int
) -> list[dict[str, ExpectedAnswer]]:
    whole = Original(path, threads=threads)
    right = [finish(whole.run(feeds)) for feeds in inputs]
    again = [finish(whole.run(inputs[0])) for _ in range(_REPEATS)]
    others = [] if quantised else [[finish(whole.run(feeds)) for feeds in changed] for changed in _changed(inputs)]
    del whole  # a file of gigabytes is held once
    levels: tuple[Level, ...] = ("extended",) if quantised else ("extended", "basic", "none")
    for level in levels:
        with suppress(EdgentError):  # some operators run only in the form that optimising gives them
            session = Original(path, level=level, threads=threads)
            others.append([finish(session.run(feeds)) for feeds in inputs])
    drawn = {name for name, value in right[0].items() if any(difference(run[name], value) != NONE for run in again)}
    return [
        {
            name: ExpectedAnswer(
                value=value,
                shares=name in shares,
                noise=_noise(value, [runs[at][name] for runs in others], shares=name in shares),
                drawn=name in drawn,
            )
            for name, value in values.items()
        }
        for at, values in enumerate(right)
    ]


def _noise(right: Any, others: Sequence[Any], *, shares: bool) -> Difference:
    worst = NONE
    for other in others:
        worst |= difference(other, right, shares=shares)
    return worst


def _changed(inputs: Sequence[Feeds]) -> Iterator[list[Feeds]]:
    """The inputs, moved in their last places; whole numbers stay, for they may be masks or counts."""
    random = np.random.default_rng(0)
    for _ in range(_CHANGES):
        yield [{name: _moved(array, random) for name, array in feeds.items()} for feeds in inputs]


def _moved(array: Array, random: np.random.Generator) -> Array:
    if array.dtype.kind != "f":
        return array
    factor = 1 + _CHANGE * np.finfo(array.dtype).eps * random.standard_normal(array.shape)
    # Whole numbers in floating point may be pixels, masks or indices: a network may round them, so they stay as well.
    return np.where(array == np.round(array), array, array * factor).astype(array.dtype)


def _too_far(name: str, difference: Difference, tolerance: Difference) -> str:
    kind = "typically" if difference.largest <= tolerance.largest else "by"
    at = 1 if kind == "typically" else 0
    by, most = f"{difference[at]:.2g}", f"{tolerance[at]:.2g}"
    return f"answer {name!r} differs from the original file's {kind} {by}, more than {most}"


def _of_arrays(value: Array, right: Array, *, shares: bool = False) -> Difference:
    if value.shape != right.shape or _is_number(value) != _is_number(right):
        return Difference(math.inf, math.inf)
    if not _is_number(right):
        share = float(np.mean(value != right)) if right.size else 0.0
        return Difference(share, share)
    a, b = _wide(value, shares=shares), _wide(right, shares=shares)
    with np.errstate(invalid="ignore"):  # infinity less infinity
        apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    scale = np.abs(b[np.isfinite(b)]).max(initial=0.0)
    if not apart.any():
        return NONE
    if scale == 0 or not np.isfinite(apart).all():
        return Difference(math.inf, math.inf)
    # Relative to the larger of both: dividing by the right one alone would be infinite where that is 0.
    own = np.maximum(np.abs(a), np.abs(b))
    return Difference(float(apart.max() / scale), float(np.median(apart[own > 0] / own[own > 0])))


def _wide(array: Array, *, shares: bool) -> Array:
    # In double precision, so that comparing adds no rounding of its own.
    wide = array.astype(np.complex128 if np.iscomplexobj(array) else np.float64)
    return np.log(np.maximum(wide, _LEAST_SHARE)) if shares else wide


def _largest_stays(value: Array, right: Array, tolerance: float) -> bool:
    if value.shape != right.shape or not right.size or not np.isfinite(tolerance):
        return True
    flat = right.astype(np.float64).ravel()
    # By how much the right answer itself scores our choice below its own: two that tie within the noise are the same
    # choice.
    lost = flat.max() - flat[int(np.argmax(value))]
    return not lost > tolerance * np.abs(flat).max()


def _leaves(answer: Any) -> list[Array]:
    """The arrays of an answer: a sequence has several, a map its keys and its values, an empty optional none."""
    if answer is None:
        return []
    if isinstance(answer, Mapping):
        return [np.array(list(answer)), np.array(list(answer.values()))]
    if isinstance(answer, list | tuple):
        return [leaf for part in answer for leaf in _leaves(part)]
    return [np.asarray(answer)]


def _is_number(array: Array) -> bool:
    """Whether rounding touches it: floating point, numpy's own or one of eight or sixteen bits."""
    return array.dtype.kind in "fcV"
