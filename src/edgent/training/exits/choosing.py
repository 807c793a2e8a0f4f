"""The places of the exits: where a reader leaves the last answer as it is, and an early answer wins the most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.evaluation.reading import form_of
from edgent.training.exits import survey as look
from edgent.training.exits.graft import Twig, is_unchanged, write_grafted
from edgent.training.exits.job import ExitsJob
from edgent.training.exits.places import ExitPlace, places_of
from edgent.training.exits.search import Prospect, chosen, nearest_below, readout
from edgent.training.exits.twigs import zero_weights
from edgent.training.pictures import input_of

_CHECKED = 2  # pictures on which the old answer must be the same to the bit


def choose(job: ExitsJob) -> dict[ExitPlace, Prospect]:
    """The places of the exits, the earliest first; a resumed run has those of the first.

    Raises:
        InputError: there is none, or none that wins anything.
    """
    places = _undisturbing(job)
    kept = job.work.once("places", lambda: _search(job, places))
    return {place: Prospect(*kept[place.tensor]) for place in places if place.tensor in kept}


def leaves_unchanged(job: ExitsJob, twigs: Sequence[Twig], pictures: int) -> bool:
    """Whether the last answer to some pictures is the same to the bit in plain ONNX Runtime with twigs and without."""
    form, name = form_of(job.subject.model), job.subject.model.inputs[0].name
    feeds = [{name: input_of(job.examples.pixels(int(row)), form)} for row in job.split.choosing[:pictures]]
    file = job.work.path / "tried.onnx"
    write_grafted(job.subject.model.path, twigs, file)
    return is_unchanged(job.subject.model.path, file, feeds)


def _undisturbing(job: ExitsJob) -> list[ExitPlace]:
    """Places whose reader leaves the last answer as it is; see `graft`."""
    places = list(places_of(job.subject.model))
    twigs = [Twig(place, form := job.form(place), zero_weights(form)) for place in places]
    if leaves_unchanged(job, twigs, _CHECKED):
        return places
    apart = [twig.place for twig in twigs if leaves_unchanged(job, [twig], _CHECKED)]
    if not apart:
        raise InputError(
            f"{job.subject.model.name} has no place for an exit: wherever somebody reads, the engine computes its last "
            "answer in another order, and it would no longer be the same to the bit"
        )
    return apart


def _search(job: ExitsJob, places: Sequence[ExitPlace]) -> dict[str, Any]:
    looking = look.Looking(job.subject, job.engine, places, job.order.seed)
    rows = np.concatenate([job.split.learning, job.split.choosing])
    seen = look.survey(looking, job.examples, rows, job.work, job.step("looking at every place"))
    learned, asked = slice(0, len(job.split.learning)), slice(len(job.split.learning), None)
    right = seen.said if job.classes is None else np.eye(job.subject.outputs)[job.classes[rows]]
    targets = right if job.subject.is_vector or job.classes is not None else np.exp(right)
    prospects = []
    for place in places:
        statistics = seen.statistics[place.tensor]
        answers = readout(statistics[learned], targets[learned].astype(np.float64), statistics[asked])
        share = (place.operations + job.form(place).operations) / job.whole
        prospects.append(Prospect(share, _score(job, answers, right[asked])))
    last = _score(job, seen.said[asked], right[asked])
    wanted = job.order.shares
    numbers = nearest_below(prospects, wanted) if wanted else chosen(prospects, last, job.order.exits)
    return {places[number].tensor: prospects[number] for number in numbers}


def _score(job: ExitsJob, answers: NDArray[Any], right: NDArray[Any]) -> float:
    if not job.subject.is_vector:
        return float((answers.argmax(axis=1) == right.argmax(axis=1)).mean())
    lengths = np.linalg.norm(answers, axis=1) * np.linalg.norm(right, axis=1)
    return float((np.einsum("nk,nk->n", answers, right) / np.maximum(lengths, 1e-12)).mean())
