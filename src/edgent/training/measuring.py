"""What the exits of a finished file are worth, on pictures that nothing was learned from or chosen by."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgent.engine.engine import Engine
from edgent.evaluation.data.examples import Examples
from edgent.evaluation.judging import judgement_of
from edgent.evaluation.measures.measure import Interval
from edgent.evaluation.scoring import Scorer
from edgent.model import ExitInfo, Model
from edgent.model.configuration.embed import exits_with, own_exits


class ExitScore(NamedTuple):
    """A number of one exit with its 95 % interval."""

    number: float
    interval: Interval


class Measured(NamedTuple):
    """What was measured of a file.

    Attributes:
        name: "accuracy", where there are labels; else "fidelity", to the last exit.
        metric: the number's: "top-1".
        scores: of each exit, the earliest first.
        verdicts: on each picture, of each exit.
    """

    name: str
    metric: str
    scores: tuple[ExitScore, ...]
    verdicts: list[list[Any]]


def measure(model: Model, examples: Examples, engine: Engine) -> Measured:
    """Every exit on every picture, by labels, or where there are none beside the last exit."""
    judgement = judgement_of(model, examples, engine)
    verdicts = Scorer(model, engine, examples, judgement.judge).score().verdicts
    return Measured(judgement.name, judgement.measure.metric, scores_of(judgement.measure, verdicts), verdicts)


def scores_of(measure: Any, verdicts: list[list[Any]]) -> tuple[ExitScore, ...]:
    """The number of each exit."""
    return tuple(ExitScore(measure.number(of_exit), measure.interval(of_exit)) for of_exit in verdicts)


def answers_to(model: Model, examples: Examples, engine: Engine) -> list[NDArray[Any]]:
    """What each exit answers, shape (pictures, outputs)."""
    scorer = Scorer(model, engine, examples, lambda outputs, _: outputs[0].ravel())
    return [np.stack(of_exit) for of_exit in scorer.score().verdicts]


def exits_told(model: Model, measured: Measured, examples: Examples) -> tuple[ExitInfo, ...]:
    """The exits of a model with their accuracies; as they were where only a fidelity is known, for that is none."""
    if measured.name != "accuracy":
        return own_exits(model)
    return exits_with(model, [score.number for score in measured.scores], len(examples), examples.name)
