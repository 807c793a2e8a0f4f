"""Gates of a model or a bundle, measured on pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgent.codec.calibration import MeasureName
from edgent.codec.names import check_codec, is_image_codec, is_lossless
from edgent.engine.engine import Engine
from edgent.errors import InputError
from edgent.evaluation.calibration_files import members_of
from edgent.evaluation.gates.fusing import boxes_of, gate_of_boxes
from edgent.evaluation.gates.pool import cross_fitted
from edgent.evaluation.gates.threshold import allowed_in_expectation, allowed_with_confidence, threshold
from edgent.evaluation.judging import true_labels
from edgent.evaluation.measures.likeness import SameLabel
from edgent.evaluation.reading import task_of
from edgent.evaluation.scoring import Scorer
from edgent.model import Model
from edgent.model.tasks.class_probabilities import Floats, confidence, log_probabilities
from edgent.planning.gates import LATER_ALONE, Gate, Gates
from edgent.profiling.timing import Progress

if TYPE_CHECKING:
    from edgent.evaluation.data.examples import Examples

SOURCE = "source"
"""The codec of a picture that crosses as the file that it is; it loses nothing."""

STEPS = (1.0, 0.75, 0.5, 0.25)
"""The parts about which steps ask of the pictures about which the gate does that keeps the promise."""


class Promise(NamedTuple):
    """What a gate may cost.

    Attributes:
        max_drop: the share of the pictures that may be lost.
        level: probability that no more are; None: no more are in the mean.
    """

    max_drop: float
    level: float | None

    def allowed(self, pictures: int) -> int:
        """How many of so many pictures may be lost.

        Raises:
            InputError: too few pictures for any gate.
        """
        if self.level is None:
            return allowed_in_expectation(pictures, self.max_drop)
        return allowed_with_confidence(pictures, self.max_drop, self.level)


class Opinions(NamedTuple):
    """What all exits say to some pictures, and what is right.

    Attributes:
        by_exit: log-probabilities of each exit, shape (n, classes).
        coded: the same of the last exit behind each lossy codec of pictures.
        truths: the right class of each picture, shape (n,).
        measure: what being right is called.
    """

    by_exit: dict[int, Floats]
    coded: dict[str, Floats]
    truths: NDArray[np.int64]
    measure: MeasureName

    @property
    def last(self) -> int:
        """The most accurate exit's number."""
        return max(self.by_exit)


def measure_gates(
    model: Model,
    examples: Examples,
    *,
    engine: Engine,
    promise: Promise,
    codecs: Sequence[str] = (SOURCE,),
    progress: Progress | None = None,
) -> Gates:
    """A gate for each exit before the last, with its steps; the last one is asked about what it does not accept.

    Args:
        model: a classifier or detector with several exits, or a bundle.
        examples: pictures that it was not trained on; without labels a classifier's last exit counts as right.
        engine: runs it.
        promise: what a gate may cost.
        codecs: of pictures on their way to the last exit, a gate for each.
        progress: called with the steps done and their number; a step is a pass of a file over all pictures.

    Raises:
        InputError: too few pictures, neither a classifier nor a detector, only one exit, or a codec that is none of
            pictures.
    """
    _check(model, codecs)
    lossy = [codec for codec in codecs if not is_lossless(codec)]
    measure: MeasureName = "accuracy"
    set_one: Callable[[int, str], Sequence[Gate]]
    if task_of(model) == "detection":
        boxes = boxes_of(model, examples, engine, lossy)

        def set_one(exit: int, codec: str) -> Sequence[Gate]:
            return (gate_of_boxes(boxes, exit, codec),)

    else:
        # Before hours of computing: too few pictures are too few whatever is answered to them.
        promise.allowed(len(examples))
        answers = answers_of(model, examples, engine, lossy, progress)
        measure, set_one = answers.measure, partial(steps_of, answers, promise=promise)
    earlier = sorted(branch.exit for branch in model.branches)[:-1]
    return Gates(
        model=model.name,
        digest=model.digest,
        data=examples.name,
        measure=measure,
        max_drop=promise.max_drop,
        confidence_level=promise.level,
        gates=tuple(gate for exit in earlier for codec in codecs for gate in set_one(exit, codec)),
    )


def steps_of(answers: Opinions, exit: int, codec: str, promise: Promise, seed: int = 0) -> tuple[Gate, ...]:
    """The gate of one exit, and its steps, each of which asks about fewer pictures than the one before.

    Args:
        answers: of all exits.
        exit: the one that answers first.
        codec: by which pictures come to the last one.
        promise: what it may cost.
        seed: of the folds by which combining is judged.
    """
    truths, early = answers.truths, answers.by_exit[exit]
    later = answers.by_exit[answers.last] if is_lossless(codec) else answers.coded[codec]
    together = cross_fitted([early, later], truths, seed)
    first, alone, both = (_is_right(scores, truths) for scores in (early, later, together.log_probabilities))
    gain = SameLabel([], "top-1").change(alone.astype(float).tolist(), both.astype(float).tolist())
    # Without labels the later exit is what is right: nothing can be better than it.
    combines = gain.low > 0 and answers.measure == "accuracy"
    last = both if combines else alone
    sure = confidence(early)
    promised = threshold(sure, last & ~first, promise.allowed(len(truths))).confidence

    def at(least: float) -> Gate:
        accepted = sure >= least
        return Gate(
            exit=exit,
            later=answers.last,
            codec=codec,
            confidence=float(least) if np.isfinite(least) else None,
            accepted=float(accepted.mean()),
            lost=float((accepted & last & ~first).mean()),
            accuracy=float(np.where(accepted, first, last).mean()),
            ungated=float(last.mean()),
            alone=float(alone.mean()),
            standing=_share(first[~accepted]),
            asked=_share(last[~accepted]),
            weights=(together.weights[0], together.weights[1]) if combines else LATER_ALONE,
            gain=gain,
            samples=len(truths),
        )

    # By how many it asks about, so that steps between which nobody can tell are one.
    steps = {gate.accepted: gate for gate in map(at, [promised, *_below(sure, promised)])}
    return tuple(steps.values())


def _below(sure: Floats, promised: float) -> list[float]:
    """The confidences at which only parts of those are asked about that are below the promised one."""
    asked = np.sort(sure[sure < promised])
    # One at least: who asks about none would never learn that there is room again.
    above = asked[asked > asked[:1]]
    places = [min(round(part * len(asked)), len(asked) - 1) for part in STEPS[1:]] if above.size else []
    return [float(max(asked[place], above[0])) for place in places]


def answers_of(
    model: Model, examples: Examples, engine: Engine, lossy: Sequence[str], progress: Progress | None = None
) -> Opinions:
    """Runs every exit on every picture, and the last one behind each codec as well."""
    members = members_of(model)
    last = max(branch.exit for branch in model.branches)
    total, done = len(members) + len(lossy), 0
    by_exit: dict[int, Floats] = {}
    coded: dict[str, Floats] = {}
    for member in members:
        scorer = Scorer(member.member, engine, examples, lambda outputs, _: outputs[0].ravel())
        numbers = [member.exit(branch.exit) for branch in member.member.branches]
        by_exit |= dict(zip(numbers, _logs(scorer), strict=True))
        for codec in lossy if last in numbers else ():
            coded[codec] = _logs(scorer, codec)[numbers.index(last)]
            done = _step(progress, done, total)
        done = _step(progress, done, total)
    if all(isinstance(truth, int) for truth in examples.truths):
        return Opinions(by_exit, coded, np.array(true_labels(members[0].member, examples)), "accuracy")
    return Opinions(by_exit, coded, by_exit[last].argmax(axis=1), "agreement")


def _logs(scorer: Scorer, codec: str | None = None) -> list[Floats]:
    return [log_probabilities(np.stack(scores)) for scores in scorer.score(codec).verdicts]


def _step(progress: Progress | None, done: int, total: int) -> int:
    if progress:
        progress(done + 1, total)
    return done + 1


def _is_right(scores: Floats, truths: NDArray[np.int64]) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = scores.argmax(axis=1) == truths
    return right


def _share(right: NDArray[np.bool_]) -> float:
    return float(right.mean()) if right.size else 0.0


def _check(model: Model, codecs: Sequence[str]) -> None:
    if task_of(model) not in ("classification", "detection"):
        raise InputError(f"the task of {model.name} is {task_of(model)}: a gate is for classifiers and detectors")
    if len(model.branches) < 2:
        raise InputError(
            f"{model.name} has one exit, expected two: a network with early exits, or a bundle (small.onnx+big.onnx)"
        )
    for codec in codecs:
        check_codec(codec)
        if not is_image_codec(codec):
            raise InputError(f"codec {codec}: found one of tensors, expected one of pictures, as source or jpeg-25")
