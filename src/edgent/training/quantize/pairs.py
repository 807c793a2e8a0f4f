"""Two files of one network, side by side: the same pictures, and times of the same rounds.

A difference that two numbers do not show is often plain in pairs: most pictures are right or wrong with both, and what
slows the machine down for a moment slows down both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from edgent.engine.engine import Engine, branch_ends
from edgent.engine.feeds import random_feeds
from edgent.evaluation.data.examples import Examples
from edgent.evaluation.judging import judgement_of
from edgent.evaluation.measures.measure import Interval
from edgent.evaluation.scoring import Scorer
from edgent.model import Model
from edgent.profiling.timing import Progress, interleaved, stopwatch_for
from edgent.training.measuring import ExitScore

ROUNDS = 60
_LONGEST = 60.0  # seconds of timing


class ExitPair(NamedTuple):
    """One exit in both files.

    Attributes:
        plain: what it is worth in the network as it was.
        whole: in whole numbers.
        change: the 95 % interval of what changed, in pairs.
    """

    plain: ExitScore
    whole: ExitScore
    change: Interval


class Accuracies(NamedTuple):
    """Both files on the same pictures.

    Attributes:
        name: "accuracy"; without labels "agreement", with the network as it was.
        metric: the number's: "top-1".
        exits: the earliest first.
    """

    name: str
    metric: str
    exits: tuple[ExitPair, ...]


class Times(NamedTuple):
    """Both files in the same rounds, whole networks.

    Attributes:
        plain: median seconds of the network as it was.
        whole: in whole numbers.
        ratio: the second divided by the first, the median of the rounds.
        interval: the 95 % interval of that median.
    """

    plain: float
    whole: float
    ratio: float
    interval: Interval


def accuracies_of(plain: Model, whole: Model, examples: Examples, engine: Engine) -> Accuracies:
    """What both are worth by labels; without any, how far they agree with the last answer of the network as it was."""
    is_labelled = all(truth is not None for truth in examples.truths)
    judgement = judgement_of(plain, examples, engine, None if is_labelled else plain)
    measure = judgement.measure
    before, after = (Scorer(model, engine, examples, judgement.judge).score().verdicts for model in (plain, whole))
    return Accuracies(
        judgement.name,
        measure.metric,
        tuple(
            ExitPair(
                ExitScore(measure.number(one), measure.interval(one)),
                ExitScore(measure.number(other), measure.interval(other)),
                measure.change(one, other),
            )
            for one, other in zip(before, after, strict=True)
        ),
    )


def times_of(plain: Model, whole: Model, engine: Engine, progress: Progress) -> Times:
    """How long each takes here, on one thread of the engine."""
    tasks = [_task(model, engine) for model in (plain, whole)]
    before, after = interleaved(
        tasks,
        rounds=ROUNDS,
        until=time.perf_counter() + _LONGEST,
        stopwatch=stopwatch_for(engine),
        progress=progress,
    )
    ratios = after / before
    # Of the medians of rounds drawn again with replacement, the middle 95 %.
    draws = np.random.default_rng(0).integers(0, len(ratios), (1000, len(ratios)))
    low, high = np.quantile(np.median(ratios[draws], axis=1), [0.025, 0.975])
    middle = float(np.median(ratios))
    return Times(float(np.median(before)), float(np.median(after)), middle, Interval(float(low), float(high)))


def _task(model: Model, engine: Engine) -> Callable[[], object]:
    given, asked = branch_ends(model.branches[-1])
    feeds = random_feeds(model.inputs, np.random.default_rng(0))
    session = engine.build(model.segment(given, asked))
    return lambda: session.run(feeds)
