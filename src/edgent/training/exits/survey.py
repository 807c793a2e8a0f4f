"""What the network itself makes of the pictures, computed once by the engine and kept: what twigs learn from.

First every place is looked at in little: the statistics of its channels on each picture as it is. Of the places that
are then chosen, whole maps are kept, of several views of each picture that is learned from, in half precision.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgent.engine.engine import Engine
from edgent.engine.feeds import Array
from edgent.errors import InputError
from edgent.evaluation.data.examples import Examples
from edgent.evaluation.reading import form_of
from edgent.profiling.timing import Progress
from edgent.training.exits.places import ExitPlace
from edgent.training.exits.search import statistics_of
from edgent.training.exits.twigs import TwigForm, pooled_map
from edgent.training.exits.views import view_of
from edgent.training.pictures import input_of
from edgent.training.row_files import RowFiles
from edgent.training.subject import Subject
from edgent.training.work_folder import WorkFolder

MOST_VIEWS = 8
MOST_BYTES = 4e9
"""Of all maps that are kept."""

SAID = "the network's own answer"
"""The name under which it is kept beside the places; it has spaces and a tensor's name has none."""

_TIMED = 8  # pictures

Values = NDArray[Any]
Looked = Mapping[str, Array]


class Looking:
    """The network, run on pictures up to some places and to its answer.

    Args:
        subject: the network.
        engine: runs it.
        places: that are looked at.
        seed: of the views.
    """

    def __init__(self, subject: Subject, engine: Engine, places: Sequence[ExitPlace], seed: int) -> None:
        self.subject, self.places, self.seed = subject, places, seed
        self.form = form_of(subject.model)
        self.input = subject.model.inputs[0].name
        self.answer = subject.model.branches[-1].outputs[0].name
        # Not kept by the engine: it is of no use to anybody else.
        asked = list(dict.fromkeys([*(place.tensor for place in places), self.answer]))
        self._session = engine.build(subject.model.segment([self.input], asked))

    def views(self, examples: Examples, row: int, count: int) -> list[Looked]:
        """What the places hold and the network answers, for the first views of a picture."""
        pixels = examples.pixels(row)
        # A seed for each picture, so that its views are the same in whatever order pictures are looked at.
        random = np.random.default_rng((self.seed, row))
        inputs = (input_of(view_of(pixels, number, random), self.form) for number in range(count))
        return [self._session.run({self.input: tensor}) for tensor in inputs]

    def said(self, looked: Looked) -> Values:
        """The network's own answer; see `Subject`."""
        return self.subject.said([looked[self.answer]])


class Survey(NamedTuple):
    """Statistics of all places on some pictures as they are.

    Attributes:
        statistics: of each place, by its tensor, shape (n, 2 * channels).
        said: the network's own answers, shape (n, outputs).
    """

    statistics: Mapping[str, Values]
    said: Values


def survey(
    looking: Looking, examples: Examples, rows: NDArray[np.intp], work: WorkFolder, progress: Progress
) -> Survey:
    """Looks at every place in little; goes on where an earlier run had come to."""
    shapes = {place.tensor: (2 * place.shape[0],) for place in looking.places}
    files = RowFiles(work.path / "survey", len(rows), shapes | {SAID: (looking.subject.outputs,)}, "float32")

    def row_of(number: int) -> Mapping[str, Values]:
        (looked,) = looking.views(examples, int(rows[number]), 1)
        known = {place.tensor: statistics_of(looked[place.tensor][0]) for place in looking.places}
        return known | {SAID: looking.said(looked)}

    files.fill(row_of, progress)
    return Survey({name: array for name, array in files.arrays.items() if name != SAID}, files.arrays[SAID])


class Maps(NamedTuple):
    """Maps of the chosen places, as their twigs read them.

    Attributes:
        of_place: by its tensor, shape (n, views, channels, height, width).
        said: the network's own answer to each view, shape (n, views, outputs).
    """

    of_place: Mapping[str, Values]
    said: Values


def maps(
    looking: Looking,
    forms: Mapping[ExitPlace, TwigForm],
    examples: Examples,
    rows: NDArray[np.intp],
    views: int,
    work: WorkFolder,
    progress: Progress,
) -> Maps:
    """Keeps the maps that twigs learn from; goes on where an earlier run had come to."""
    shapes = {place.tensor: (views, *form.read) for place, form in forms.items()}
    files = RowFiles(work.path / "maps", len(rows), shapes | {SAID: (views, looking.subject.outputs)})

    def row_of(number: int) -> Mapping[str, Values]:
        seen = looking.views(examples, int(rows[number]), views)
        held = {
            place.tensor: np.stack([pooled_map(one[place.tensor][0], form.pool) for one in seen])
            for place, form in forms.items()
        }
        return held | {SAID: np.stack([looking.said(one) for one in seen])}

    files.fill(row_of, progress)
    return Maps({name: array for name, array in files.arrays.items() if name != SAID}, files.arrays[SAID])


def affordable_views(
    looking: Looking,
    forms: Mapping[ExitPlace, TwigForm],
    examples: Examples,
    rows: NDArray[np.intp],
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """How many views of each picture can be kept, by the room that they take and the time; at least 1.

    Raises:
        InputError: not even one takes no more room than may be.
    """
    numbers = sum(math.prod(form.read) for form in forms.values()) + looking.subject.outputs
    room = int(MOST_BYTES // (2 * numbers * len(rows)))
    if not room:
        most = int(MOST_BYTES // (2 * numbers))
        raise InputError(f"found {len(rows)} pictures to learn from, expected at most {most} for exits at these places")
    begin, timed = clock(), [int(row) for row in rows[:_TIMED]]
    for row in timed:
        looking.views(examples, row, 1)
    a_view = max(1e-9, (clock() - begin) / len(timed))
    return max(1, min(MOST_VIEWS, room, int(seconds / (a_view * len(rows)))))
