"""Is splitting exact? The pieces of a branch, chained, against the undivided branch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgent.errors import EdgentError
from edgent.model import Branch, Model, Tensor
from edgent.runtime.engine import Array, Engine, Feeds

TOLERANCE = 1e-4
_SOFTMAX = {"Softmax", "LogSoftmax"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A division whose answer differs from the whole's, or that could not be run."""

    exit: int
    upload_cut: int
    download_cut: int
    difference: float | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was checked.

    Attributes:
        layers: layers of all branches, each counted once.
        cuts: cuts of all branches.
        verified: cuts at which the pieces were run, device first, edge first and divided twice.
        max_relative_difference: the largest difference seen, as a fraction.
        failed: divisions that differ by more than `TOLERANCE`, or do not run.
    """

    layers: int
    cuts: int
    verified: int
    max_relative_difference: float
    failed: tuple[Failure, ...]


def verify(
    model: Model,
    engine: Engine,
    *,
    most: int | None = None,
    seed: int = 0,
    feeds: Feeds | None = None,
    tolerance: float = TOLERANCE,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Runs cuts of every exit in three ways: device first, edge first, and divided twice.

    Args:
        model: the model.
        engine: runs whole and pieces.
        most: how many cuts to draw per exit; None takes all.
        seed: of the inputs, of the draw, and of each second cut.
        feeds: inputs to use in place of random ones.
        tolerance: the largest relative difference that passes.
        progress: called with the cuts done and their number.

    Returns:
        Counts, the largest difference, and each failure by its cuts.
    """
    generator = np.random.default_rng(seed)
    given = random_feeds(model.inputs, generator) if feeds is None else feeds
    drawn = [(branch, _draw(branch, most, generator)) for branch in model.branches]
    total = sum(len(cuts) for _, cuts in drawn)
    worst, failed, done = 0.0, [], 0
    for branch, cuts in drawn:
        whole = run_pieces(model, branch, engine, given, 0, 0)
        for cut in cuts:
            for upload, download in _divisions(cut, len(branch.layers), generator):
                difference, why = _check(model, branch, engine, given, whole, upload, download)
                worst = max(worst, difference or 0.0)
                if why or difference is None or not difference <= tolerance:
                    failed.append(_failure(branch, upload, download, difference, why))
            done += 1
            if progress:
                progress(done, total)
    return Verification(
        layers=len({layer.outputs for branch in model.branches for layer in branch.layers}),
        cuts=sum(len(branch.layers) + 1 for branch in model.branches),
        verified=done,
        max_relative_difference=worst,
        failed=tuple(failed),
    )


def run_pieces(
    model: Model, branch: Branch, engine: Engine, feeds: Feeds, upload_cut: int, download_cut: int
) -> dict[str, Array]:
    """Head, middle and suffix one after the other, only the boundaries handed on; every piece a session of its own.

    Returns:
        The branch's answers; where an answer is a final softmax, also what goes into it.
    """
    watched = [tensor.name for tensor in branch.outputs] + list(_before_softmax(branch).values())
    boundary = branch.boundary(upload_cut, download_cut)
    up, down = ([tensor.name for tensor in side] for side in boundary)
    kept = _read_later(branch, download_cut)
    values = {**feeds, **_constant_answers(model, branch, engine)}
    for start, stop, handed in ((0, upload_cut, [*up, *kept]), (download_cut, len(branch.layers), [])):
        if start == download_cut and upload_cut < download_cut:
            sent = {name: values[name] for name in up}
            values.update(_piece(model, branch, engine, sent, upload_cut, download_cut, [*down, *watched]))
        values.update(_piece(model, branch, engine, values, start, stop, [*handed, *watched]))
    return {name: values[name] for name in dict.fromkeys(watched)}


def relative_difference(found: Array, expected: Array) -> float:
    """Max |a - b| / max |b|; equal infinities and nans do not count, different ones are infinitely far."""
    if found.shape != expected.shape:
        return float("inf")
    a, b = (
        np.asarray(array, dtype=np.complex128 if np.iscomplexobj(array) else np.float64) for array in (found, expected)
    )
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return 0.0
    scale = np.abs(b[np.isfinite(b)]).max(initial=0.0)
    difference = np.abs(a[~same] - b[~same]).max()
    return float(difference / scale) if scale > 0 and np.isfinite(difference) else float("inf")


def random_feeds(tensors: Sequence[Tensor], generator: np.random.Generator) -> dict[str, Array]:
    """Random inputs: normal numbers, small whole numbers, or truth values, as the types ask."""
    feeds: dict[str, Array] = {}
    for tensor in tensors:
        dtype = np.dtype(tensor.dtype or "float32")
        if dtype.kind == "f":
            feeds[tensor.name] = generator.standard_normal(tensor.shape or ()).astype(dtype)
        else:
            feeds[tensor.name] = generator.integers(0, 2, tensor.shape or ()).astype(dtype)
    return feeds


def _piece(
    model: Model, branch: Branch, engine: Engine, values: Feeds, start: int, stop: int, wanted: Sequence[str]
) -> dict[str, Array]:
    layers = branch.layers[start:stop]
    made = {name for layer in layers for name in layer.outputs}
    asked = [name for name in dict.fromkeys(wanted) if name in made]
    if not asked:
        return {}
    needed = {name for layer in layers for name in layer.inputs} - made
    given = [name for name in values if name in needed]
    return engine.session(model, given, asked).run({name: values[name] for name in given})


def _constant_answers(model: Model, branch: Branch, engine: Engine) -> dict[str, Array]:
    """The answers that no layer makes: each side has them."""
    made = {use.tensor.name for use in branch.uses}
    asked = [tensor.name for tensor in branch.outputs if tensor.name not in made]
    return engine.session(model, [], asked).run({}) if asked else {}


def _read_later(branch: Branch, download_cut: int) -> list[str]:
    return list(dict.fromkeys(name for layer in branch.layers[download_cut:] for name in layer.inputs))


def _before_softmax(branch: Branch) -> dict[str, str]:
    """The answers that are a softmax of something made before: a softmax hides differences."""
    answers = {tensor.name for tensor in branch.outputs}
    made = {name for layer in branch.layers for name in layer.outputs}
    return {
        layer.outputs[-1]: layer.inputs[0]
        for layer in branch.layers
        if layer.op in _SOFTMAX and layer.outputs[-1] in answers and layer.inputs and layer.inputs[0] in made
    }


def _draw(branch: Branch, most: int | None, generator: np.random.Generator) -> list[int]:
    cuts = np.arange(len(branch.layers) + 1)
    if most is not None and most < len(cuts):
        cuts = np.sort(generator.choice(cuts, size=most, replace=False))
    return [int(cut) for cut in cuts]


def _divisions(cut: int, layers: int, generator: np.random.Generator) -> Iterator[tuple[int, int]]:
    yield cut, layers
    yield 0, cut
    yield cut, int(generator.integers(cut, layers + 1))


def _check(
    model: Model, branch: Branch, engine: Engine, feeds: Feeds, whole: Feeds, upload: int, download: int
) -> tuple[float | None, str]:
    try:
        answers = run_pieces(model, branch, engine, feeds, upload, download)
    except EdgentError as error:
        return None, str(error)
    hidden = _before_softmax(branch)
    names = dict.fromkeys(hidden.get(tensor.name, tensor.name) for tensor in branch.outputs)
    return max((relative_difference(answers[name], whole[name]) for name in names), default=0.0), ""


def _failure(branch: Branch, upload: int, download: int, difference: float | None, why: str) -> Failure:
    reason = why or "the answer differs from the undivided branch"
    return Failure(exit=branch.exit, upload_cut=upload, download_cut=download, difference=difference, why=reason)
