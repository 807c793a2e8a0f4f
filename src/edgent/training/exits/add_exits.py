"""Exits for a trained network: placed, taught, cooled, measured, and in a file whose last answer is the old one.

The network itself is never trained. So all that its layers make of a picture is computed once, and only small twigs are
taught. What a run has finished lies in a folder beside its output: killed and started again, it goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.evaluation.gates.pool import fitted_weights
from edgent.model import Model
from edgent.model.configuration.embed import embed_exits
from edgent.model.tasks.class_probabilities import log_probabilities
from edgent.training.exits import survey as look
from edgent.training.exits.choosing import choose, leaves_unchanged
from edgent.training.exits.graft import Twig, write_grafted
from edgent.training.exits.job import ExitsJob
from edgent.training.exits.lesson import Lesson, Trainer
from edgent.training.exits.places import ExitPlace
from edgent.training.exits.twigs import TwigForm, TwigWeights
from edgent.training.measuring import ExitScore, Measured, answers_to, exits_told, measure
from edgent.training.pictures import PicturePart
from edgent.units import format_duration

LEAST_EPOCHS, MOST_EPOCHS = 8, 60

_LOOKING = 0.3  # of the budget, for maps that are kept
_MEASURING = 0.1  # of the budget, for what comes behind teaching
_ROUNDED = 1.02  # so that a time that is printed at three digits is enough
_COMPARED = 20  # pictures on which the last answer must be the same to the bit


class NewExit(NamedTuple):
    """An exit of the file that was made.

    Attributes:
        name: its own.
        place: the tensor that it reads; None: it is the old answer.
        share: of the old network's operations, with its twig's.
        temperature: by which its scores were divided.
        score: what it is worth.
    """

    name: str
    place: str | None
    share: float
    temperature: float
    score: ExitScore


class Added(NamedTuple):
    """What came of it.

    Attributes:
        model: the file that was made, opened.
        exits: the earliest first; the last one is the old answer.
        epochs: how often each twig saw each picture.
        views: of each picture.
        data: what the exits were measured on.
        samples: pictures of it.
        measure: "accuracy", or how far they agree with the last one: "fidelity".
        metric: the number's name.
    """

    model: Model
    exits: tuple[NewExit, ...]
    epochs: int
    views: int
    data: str
    samples: int
    measure: str
    metric: str


def add_exits(job: ExitsJob, trainer: Trainer, output: Path) -> Added:
    """Makes a file with exits out of a file without.

    Args:
        job: what is to be done.
        trainer: finds the weights of twigs.
        output: the file to write.

    Raises:
        InputError: no place for an exit, or a budget that is too small.
    """
    job.work.begin()
    places = choose(job)
    forms = {place: job.form(place) for place in places}
    an_epoch = job.work.once("an epoch", lambda: _seconds_an_epoch(job, trainer, forms.values()))
    _check_budget(job, an_epoch, len(forms))
    views, lessons = _lessons(job, forms)
    epochs = _epochs(job, an_epoch)
    twigs = [
        Twig(place, form, _taught(job, trainer, number, form, lessons[place], epochs))
        for number, (place, form) in enumerate(forms.items())
    ]
    temperatures = _temperatures(job, twigs)
    cooled = [
        twig._replace(weights=twig.weights.cooled(temperature))
        for twig, temperature in zip(twigs, temperatures, strict=True)
    ]
    measured = _written(job, cooled, output)
    model = load(output, dims=job.subject.model.dims)
    job.work.remove()
    tensors, shares = [place.tensor for place in places], [prospect.share for prospect in places.values()]
    columns = zip([*tensors, None], [*shares, 1.0], [*temperatures, 1.0], measured.scores, strict=True)
    return Added(
        model=model,
        exits=tuple(NewExit(branch.name, *one) for branch, one in zip(model.branches, columns, strict=True)),
        epochs=epochs,
        views=views,
        data=job.measuring.name,
        samples=len(job.measuring),
        measure=measured.name,
        metric=measured.metric,
    )


def _seconds_an_epoch(job: ExitsJob, trainer: Trainer, forms: Collection[TwigForm]) -> float:
    """Seconds in which each twig sees each picture once, tried out before anything is kept to teach with."""
    return sum(trainer.seconds_an_epoch(form, _empty_lesson(job, form)) for form in forms)


def _check_budget(job: ExitsJob, an_epoch: float, twigs: int) -> None:
    """Makes sure that there is time to teach enough; a run that goes on may have been given less than the one before.

    Raises:
        InputError: there is none.
    """
    if job.work.has("epochs"):
        untaught = sum(not _twig_file(job, number).exists() for number in range(twigs)) / twigs
        taken, free = untaught * _epochs(job, an_epoch) * an_epoch, 1 - _MEASURING
    else:
        spent = job.order.budget - job.left
        taken, free = (1 - _LOOKING) * spent + LEAST_EPOCHS * an_epoch, 1 - _LOOKING - _MEASURING
    needed = _ROUNDED * taken / free
    if needed > _ROUNDED * job.order.budget:
        raise InputError(
            f"a budget of {format_duration(job.order.budget)} is too small: {len(job.split.learning)} pictures need "
            f"{format_duration(needed)} for this many exits; what is done is kept, so give more (--budget), or ask for "
            "fewer (--exits)"
        )


def _empty_lesson(job: ExitsJob, form: TwigForm) -> Lesson:
    """A lesson that takes as long as the true one, and no memory."""
    rows, nothing = job.split.learning, np.float16(0)
    maps, said = ((len(rows), 1, *shape) for shape in (form.read, (form.outputs,)))
    classes = None if job.classes is None else job.classes[rows]
    return Lesson(np.broadcast_to(nothing, maps), np.broadcast_to(nothing, said), classes, job.subject.is_vector)


def _lessons(job: ExitsJob, forms: Mapping[ExitPlace, TwigForm]) -> tuple[int, dict[ExitPlace, Lesson]]:
    """How many views are kept of each picture, and what each place's twig is taught with."""
    rows = job.split.learning
    looking = look.Looking(job.subject, job.engine, list(forms), job.order.seed)
    seconds = _LOOKING * job.left
    views = job.work.once(
        "views", lambda: look.affordable_views(looking, forms, job.examples, rows, seconds, job.clock)
    )
    kept = look.maps(looking, forms, job.examples, rows, views, job.work, job.step("keeping what the places hold"))
    classes = None if job.classes is None else job.classes[rows]
    return views, {
        place: Lesson(kept.of_place[place.tensor], kept.said, classes, job.subject.is_vector) for place in forms
    }


def _epochs(job: ExitsJob, an_epoch: float) -> int:
    """As many for each twig as the rest of the budget had time for when there was all to teach them with."""
    affordable = (job.left - _MEASURING * job.order.budget) / max(an_epoch, 1e-9)
    epochs: int = job.work.once("epochs", lambda: max(LEAST_EPOCHS, min(int(affordable), MOST_EPOCHS)))
    return epochs


def _twig_file(job: ExitsJob, number: int) -> Path:
    return job.work.path / f"twig{number}.npz"


def _taught(job: ExitsJob, trainer: Trainer, number: int, form: TwigForm, lesson: Lesson, epochs: int) -> TwigWeights:
    file = _twig_file(job, number)
    if not file.exists():
        weights = trainer.fit(
            form,
            lesson,
            epochs=epochs,
            seed=job.order.seed + number,
            checkpoint=job.work.path / f"twig{number}.checkpoint",
            progress=job.step(f"teaching exit {number}"),
        )
        weights.save(file)
    return TwigWeights.load(file)


def _temperatures(job: ExitsJob, twigs: Sequence[Twig]) -> list[float]:
    """Of each twig, by which its confidence on pictures that it did not learn from is most honest."""
    if job.subject.is_vector:
        return [1.0] * len(twigs)
    file = job.work.path / "warm.onnx"
    write_grafted(job.subject.model.path, twigs, file)
    choosing = PicturePart(whole=job.examples, rows=job.split.choosing, name=job.examples.name)
    job.say("measuring", 0, 2)
    *early, last = [
        log_probabilities(answers)
        for answers in answers_to(load(file, dims=job.subject.model.dims), choosing, job.engine)
    ]
    classes = job.subject.classes_of(choosing)
    truths = last.argmax(axis=1) if classes is None else classes
    # The weight of one opinion alone is the inverse of its temperature; at 0 it would say nothing.
    return [1 / max(fitted_weights([one], truths)[0], 0.05) for one in early]


def _written(job: ExitsJob, twigs: Sequence[Twig], output: Path) -> Measured:
    """Writes the file with what is measured of it."""
    if not leaves_unchanged(job, twigs, _COMPARED):
        raise InputError(f"{job.subject.model.name}: with these exits its last answer is another one; ask for fewer")
    file = job.work.path / f"{output.stem}.onnx"
    write_grafted(job.subject.model.path, twigs, file)
    model = load(file, dims=job.subject.model.dims)
    job.say("measuring", 1, 2)
    measured = measure(model, job.measuring, job.engine)
    job.say("measuring", 2, 2)
    embed_exits(file, exits_told(model, measured, job.measuring), output)
    return measured
