"""What all steps of adding exits share: the network, the pictures and their parts, the order, and the work so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from edgent.engine.engine import Engine
from edgent.errors import InputError
from edgent.evaluation.data.examples import Examples
from edgent.model import Model
from edgent.profiling.timing import Progress
from edgent.training.exits.places import ExitPlace, operations_of
from edgent.training.exits.twigs import TwigForm, form_of
from edgent.training.pictures import PicturePart, Say, measuring_part, stamp_of, without_labels
from edgent.training.split import Split, split
from edgent.training.subject import Classes, Subject, check_every_class, subject_of
from edgent.training.work_folder import WorkFolder

TWIG_SHARE = 0.045
"""Of the network's operations that a twig may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is wanted.

    Attributes:
        exits: so many at most.
        shares: of the operations at which they are wanted, instead of where a search finds them.
        budget: seconds, for all of it.
        seed: of everything random.
    """

    exits: int = 3
    shares: tuple[float, ...] = ()
    budget: float = 1800.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class ExitsJob:
    """Exits for one network.

    Attributes:
        subject: the network.
        examples: pictures to learn from.
        classes: of them; None: the network's own answers count.
        split: of them.
        test: other pictures to measure on; None: those that the split holds back.
        engine: runs the network.
        order: what is wanted.
        work: what is done.
        say: told of the progress.
        clock: in seconds.
        begun_at: by it.
    """

    subject: Subject
    examples: Examples
    classes: Classes | None
    split: Split
    test: Examples | None
    engine: Engine
    order: Order
    work: WorkFolder
    say: Say
    clock: Callable[[], float]
    begun_at: float

    @cached_property
    def whole(self) -> float:
        """Operations of the network."""
        return operations_of(self.subject.model)

    @cached_property
    def measuring(self) -> PicturePart:
        """The pictures that the exits are measured on."""
        return measuring_part(self.examples, self.split, self.test)

    @property
    def left(self) -> float:
        """Seconds of the budget."""
        return self.order.budget - (self.clock() - self.begun_at)

    def form(self, place: ExitPlace) -> TwigForm:
        """Of the twig at a place."""
        return form_of(place, self.subject.outputs, self.subject.answers_shares, TWIG_SHARE * self.whole)

    def step(self, what: str) -> Progress:
        """Tells of the progress of one step."""
        return lambda done, whole: self.say(what, done, whole)


def new_job(
    model: Model,
    examples: Examples,
    output: Path,
    *,
    engine: Engine,
    order: Order,
    test: Examples | None,
    say: Say,
    clock: Callable[[], float] = time.monotonic,
) -> ExitsJob:
    """A job, or the one that an earlier run left unfinished beside the output.

    Raises:
        InputError: no classifier and no embedder, a network that has exits; too few pictures, a class without any, or
            another run's unfinished work.
    """
    subject = without_exits(model)
    stamps = [stamp_of(part) for part in (examples, test) if part is not None]
    if subject.is_vector:  # a class says nothing about where a vector should point
        examples, test = without_labels(examples), None if test is None else without_labels(test)
    classes = subject.classes_of(examples)
    if classes is not None:
        check_every_class(subject, classes)
    groups = np.zeros(len(examples), np.int64) if classes is None else classes
    parts = split(groups, seed=order.seed, measured_elsewhere=test is not None)
    if test is not None and (classes is None) != (subject.classes_of(test) is None):
        raise InputError(f"{examples.name} and {test.name}: found labels in one of them, expected them in both")
    return ExitsJob(
        subject=subject,
        examples=examples,
        classes=classes,
        split=parts,
        test=test,
        engine=engine,
        order=order,
        work=WorkFolder(output, _decisive(model, stamps, order)),
        say=say,
        clock=clock,
        begun_at=clock(),
    )


def without_exits(model: Model) -> Subject:
    """Refuses a network that no exits can be added to.

    Raises:
        InputError: no classifier and no embedder, or one that has exits.
    """
    subject = subject_of(model, "adding exits")
    if len(model.branches) > 1:
        raise InputError(
            f"{model.name} has {len(model.branches)} exits already, expected a network with its last one only"
        )
    return subject


def _decisive(model: Model, stamps: Sequence[str], order: Order) -> dict[str, object]:
    """What must be the same for a run to go on: all but the budget, which may be given anew."""
    wanted = {key: value for key, value in asdict(order).items() if key != "budget"}
    return {"what": "add-exits", "model": model.digest, "pictures": stamps, **wanted}
