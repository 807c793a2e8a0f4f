"""Is splitting exact? The pieces of a branch, chained, against the original file, undivided.

The original runs in plain ONNX Runtime, from the file as it is: neither folding, nor slicing, nor the engine that runs
the pieces can hide a fault of its own by making the same one on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgent.engine.engine import Engine
from edgent.engine.feeds import Array, Feeds, random_feeds
from edgent.errors import CacheError, EdgentError, InputError, ModelError
from edgent.evaluation.original import AnswerComparison, expected_answers
from edgent.model import Branch, Model

INPUTS = 2
"""Random inputs, where none are given."""
_LARGEST = (100, 2, 1)  # whole numbers are drawn below the first of these with which the engine runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A division whose answer differs from the original's, or that could not be run.

    Attributes:
        exit: of the branch.
        cut: the cut that was checked.
        upload_cut: where the division's head ends.
        download_cut: where its suffix begins.
        difference: the largest relative one; None where nothing came out.
        why: in words.
    """

    exit: int
    cut: int
    upload_cut: int
    download_cut: int
    difference: float | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotOffered:
    """A cut at which no division is offered, for something crosses that cannot travel."""

    exit: int
    cut: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was checked.

    Attributes:
        layers: layers of all branches, each counted once.
        cuts: cuts of all branches.
        verified: cuts at which the pieces were run: device first, edge first and divided twice.
        not_offered: cuts at which nothing was run.
        max_relative_difference: the largest difference seen, as a fraction.
        tolerance: what passes for the answer on which it was seen.
        answers_equal: whether whole numbers, text and the place of the largest element are the original's, but for
            what the engine's noise turns.
        drawn: answers that the file draws anew at each run; they were not compared.
        inputs: how many inputs each division was run on.
        failed: divisions that differ by more than the tolerance, or do not run.
    """

    layers: int
    cuts: int
    verified: int
    not_offered: tuple[NotOffered, ...]
    max_relative_difference: float
    tolerance: float
    answers_equal: bool
    drawn: tuple[str, ...]
    inputs: int
    failed: tuple[Failure, ...]


class OfferedCuts:
    """The divisions of a branch that are offered: those at which nothing crosses that cannot travel.

    Args:
        branch: which.

    Attributes:
        cuts: at which the branch can be divided device first or edge first.
        refused: the other cuts.
    """

    def __init__(self, branch: Branch) -> None:
        self.branch = branch
        n = len(branch.layers)
        # A cut counts as offered if it can be used in one of the two directions.
        whys = {cut: self._why(cut, n) and self._why(0, cut) for cut in range(n + 1)}
        self.cuts = [cut for cut, why in whys.items() if not why]
        self.refused = [NotOffered(exit=branch.exit, cut=cut, why=why) for cut, why in whys.items() if why]

    def draw(self, most: int | None, generator: np.random.Generator) -> list[int]:
        """A random choice of that many cuts, or all of them where there are not more."""
        if most is None or most >= len(self.cuts):
            return self.cuts
        return [int(cut) for cut in np.sort(generator.choice(self.cuts, size=most, replace=False))]

    def at(self, cut: int, generator: np.random.Generator) -> list[tuple[int, int]]:
        """Upload and download cut of a division device first, edge first, and with a second cut after this one."""
        n = len(self.branch.layers)
        # All pairs would be quadratic: each cut gets one second cut, drawn anew for each seed.
        second = int(generator.integers(cut, n + 1))
        return [pair for pair in ((cut, n), (0, cut), (cut, second)) if not self._why(*pair)]

    def _why(self, upload: int, download: int) -> str:
        # Without the tensor's name: reports count the cuts of one reason, and each cut has other tensors.
        obstruction = self.branch.obstruction(upload, download)
        return "" if obstruction is None else f"a tensor {obstruction.problem}"


def verify(
    model: Model,
    engine: Engine,
    *,
    most: int | None = None,
    seed: int = 0,
    inputs: Sequence[Feeds] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Runs cuts of every exit in three ways: device first, edge first, and divided twice.

    Args:
        model: the model.
        engine: runs the pieces; the original runs in ONNX Runtime, whatever this is.
        most: how many cuts to draw per exit; None takes all.
        seed: of random inputs, of the draw, and of each second cut.
        inputs: to run it on; by default random ones.
        progress: called with the cuts done and their number.

    Returns:
        Counts, the largest difference, and each failure by its cuts.

    Raises:
        InputError: no random input that the model runs on was found.
        EdgentError: the original does not run.
    """
    generator = np.random.default_rng(seed)
    if inputs:
        comparison = AnswerComparison(expected_answers(model, inputs, threads=engine.threads))
    else:
        inputs, comparison = _drawn(model, generator, engine.threads)
    branches = [OfferedCuts(branch) for branch in model.branches]
    drawn = [(branch, cut) for branch in branches for cut in branch.draw(most, generator)]
    failed: list[Failure] = []
    for done, (divisions, cut) in enumerate(drawn, start=1):
        for upload, download in divisions.at(cut, generator):
            difference, why = _check(model, divisions.branch, engine, inputs, comparison, (upload, download))
            if why:
                failed.append(
                    Failure(
                        exit=divisions.branch.exit,
                        cut=cut,
                        upload_cut=upload,
                        download_cut=download,
                        difference=difference,
                        why=why,
                    )
                )
        if progress:
            progress(done, len(drawn))
    return Verification(
        layers=len({layer.outputs for branch in model.branches for layer in branch.layers}),
        cuts=sum(len(branch.layers) + 1 for branch in model.branches),
        verified=len(drawn),
        not_offered=tuple(refused for branch in branches for refused in branch.refused),
        max_relative_difference=max(comparison.largest, 0.0),
        tolerance=comparison.tolerance,
        answers_equal=comparison.answers_equal,
        drawn=comparison.drawn,
        inputs=len(inputs),
        failed=tuple(failed),
    )


def run_pieces(
    model: Model, branch: Branch, engine: Engine, feeds: Feeds, upload_cut: int, download_cut: int
) -> dict[str, Array]:
    """Head, middle and suffix one after the other, only the boundaries handed on; every piece a session of its own.

    Returns:
        The branch's answers.
    """
    answers = [tensor.name for tensor in branch.outputs]
    up, down = ([tensor.name for tensor in side] for side in branch.boundary(upload_cut, download_cut))
    # What the suffix reads of the head's tensors stays on the device and is not sent down again.
    kept = _read_later(branch, download_cut)
    values = {**feeds, **_constant_answers(model, branch, engine)}
    # Head and suffix run on the device with all values at hand; only the middle is held to what was sent, as on the
    # wire. A boundary that lacks a tensor fails here, and not only on the first request.
    for start, stop, handed in ((0, upload_cut, [*up, *kept]), (download_cut, len(branch.layers), [])):
        if start == download_cut and upload_cut < download_cut:
            sent = {name: values[name] for name in up}
            values.update(_piece(model, branch, engine, sent, upload_cut, download_cut, [*down, *answers]))
        values.update(_piece(model, branch, engine, values, start, stop, [*handed, *answers]))
    return {name: values[name] for name in answers}


def _drawn(model: Model, generator: np.random.Generator, threads: int) -> tuple[list[Feeds], AnswerComparison]:
    """Random inputs on which the model runs: a whole number may be an index, or a length."""
    why = ""
    # Such a number must be within what it points into, which only running the model tells: so smaller ones are tried.
    for largest in _LARGEST:
        inputs: list[Feeds] = [random_feeds(model.inputs, generator, largest=largest) for _ in range(INPUTS)]
        try:
            return inputs, AnswerComparison(expected_answers(model, inputs, threads=threads))
        except ModelError:
            raise
        except EdgentError as error:
            why = str(error)
    raise InputError(f"{why}; that was on random input: give it real ones, --source FILE (.npz, .npy or a picture)")


def _check(
    model: Model,
    branch: Branch,
    engine: Engine,
    inputs: Sequence[Feeds],
    comparison: AnswerComparison,
    cuts: tuple[int, int],
) -> tuple[float | None, str]:
    """The largest difference over the inputs, and why the division fails, if it does."""
    worst, why = 0.0, ""
    for at, feeds in enumerate(inputs):
        try:
            difference, reason = comparison.check(at, run_pieces(model, branch, engine, feeds, *cuts))
        # A full disk is no fault of the division.
        except CacheError:
            raise
        except EdgentError as error:
            return None, str(error)
        # The first reason is kept: the inputs that follow fail for the same one, if they fail.
        worst, why = max(worst, difference.largest), why or reason
    return worst, why


def _piece(
    model: Model, branch: Branch, engine: Engine, values: Feeds, start: int, stop: int, wanted: Sequence[str]
) -> dict[str, Array]:
    layers = branch.layers[start:stop]
    outputs = {name for layer in layers for name in layer.outputs}
    asked = [name for name in dict.fromkeys(wanted) if name in outputs]
    if not asked:
        return {}
    # What the piece computes itself is not handed in, so that a value from before cannot hide that it is computed
    # wrongly.
    needed = {name for layer in layers for name in layer.inputs} - outputs
    fed = [name for name in values if name in needed]
    return engine.session(model, fed, asked).run({name: values[name] for name in fed})


def _constant_answers(model: Model, branch: Branch, engine: Engine) -> dict[str, Array]:
    """The answers that no layer makes: each side has them."""
    computed = {use.tensor.name for use in branch.uses}
    asked = [tensor.name for tensor in branch.outputs if tensor.name not in computed]
    return engine.session(model, [], asked).run({}) if asked else {}


def _read_later(branch: Branch, download_cut: int) -> list[str]:
    """Names of the tensors that the layers behind a cut read."""
    return list(dict.fromkeys(name for layer in branch.layers[download_cut:] for name in layer.inputs))
