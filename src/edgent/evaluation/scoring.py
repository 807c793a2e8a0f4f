"""What a model answers to pictures: undivided, behind a codec, and divided with a codec in between.

Each answer is handed to a judge as soon as it is there, and only the verdict is kept: pictures are read one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgent.codec import (
    CodecError,
    decode_pixels,
    encode_image,
    encode_tensor,
    fit,
    fit_decoded,
    is_image_codec,
    normalise,
    round_trip,
)
from edgent.engine.engine import Engine
from edgent.engine.feeds import Array
from edgent.engine.loading import load
from edgent.errors import ModelError
from edgent.evaluation.reading import form_of
from edgent.model import Model
from edgent.model.configuration.dimensions import BATCH

if TYPE_CHECKING:
    from edgent.evaluation.data.examples import Examples

Rows = NDArray[np.intp]
Judge = Callable[[Sequence[Array], int], Any]
"""Makes a verdict of an exit's outputs to the picture of a row; see `edgent.evaluation.measures.measure.Measure`."""
Verdicts = list[list[Any]]
"""A list for each exit, with a verdict on each picture."""
Crossing = tuple[str, ...]
"""Names of the tensors that cross together, sorted."""

_BATCH = 100
_BATCH_BYTES = 2**27  # of activations kept at a time
_GROUP = 12  # crossings whose sessions are held together
_BATCH_NAMES = {BATCH, "batch_size", "N", "n", "s0", "unk__0"}  # what exporters call a free leading dimension


class Scored(NamedTuple):
    """Verdicts, and the mean bytes of the coded pictures (nan: the pictures crossed as tensors)."""

    verdicts: Verdicts
    mean_bytes: float


class CrossingVerdicts(NamedTuple):
    """Which exits read a crossing, and the verdicts on their answers behind a codec, a list for each of them."""

    tensors: Crossing
    codec: str
    exits: Sequence[int]
    verdicts: Verdicts


class Scorer:
    """A model and pictures.

    Args:
        model: answers.
        engine: runs it.
        examples: the pictures.
        judge: what becomes of each answer.

    Raises:
        InputError: the model takes no pictures.
    """

    def __init__(self, model: Model, engine: Engine, examples: Examples, judge: Judge) -> None:
        self.single, self.form = model, form_of(model)
        self.engine, self.examples, self.judge = engine, examples, judge
        self.input = model.inputs[0].name
        self.answers = [tuple(output.name for output in branch.outputs) for branch in model.branches]
        self.model, self.batch = _batched(model)

    def __len__(self) -> int:
        return len(self.examples)

    def crossings(self) -> dict[Crossing, list[int]]:
        """What crosses at each inner cut that can be used, in their order, with the exits for which it does."""
        # By tensors and not by cuts: several cuts, of several exits, may send the same ones, and are measured once.
        by_tensors: dict[Crossing, list[int]] = {}
        for branch in self.single.branches:
            n = len(branch.layers)
            for cut in (k for k in range(1, n) if branch.divisible[k, n] or branch.divisible[0, k]):
                names = tuple(sorted(tensor.name for tensor in branch.boundary(cut, n).up))
                exits = by_tensors.setdefault(names, [])
                if branch.exit not in exits:
                    exits.append(branch.exit)
        return by_tensors

    def is_coded(self, tensor: str) -> bool:
        """Whether codecs change what crosses: whole numbers travel as they are."""
        # A crossing of whole numbers alone has no lossy codec, so there is nothing to measure about it.
        return (self.single.tensors[tensor].dtype or "").startswith("float")

    def score(self, codec: str | None = None) -> Scored:
        """Verdicts on all pictures, undivided, when the input crosses by a codec or as it is."""
        rows = np.arange(len(self))
        # All exits in one run: their branches share most of their layers. And without the kept sessions of a device: a
        # segment for whole batches is of no use to anybody else.
        session = self.engine.build(self.model.segment([self.input], _together(self.answers)))
        image_codec = codec is not None and is_image_codec(codec)
        verdicts: Verdicts = [[] for _ in self.answers]
        size = 0
        for batch in self._batches(rows):
            data = self._coded(codec, batch) if codec is not None and image_codec else None
            size += sum(map(len, data or ()))
            tensor = self._tensor(batch, data, codec or "")
            if codec is not None and not image_codec:
                tensor = round_trip(codec, tensor)
            self._judged(session.run({self.input: self._filled(tensor)}), self.answers, batch, verdicts)
        return Scored(verdicts, size / len(rows) if image_codec else np.nan)

    def image_size(self, codec: str, rows: Rows) -> float:
        """Mean bytes of pictures behind an image codec."""
        return sum(len(data) for batch in self._batches(rows) for data in self._coded(codec, batch)) / len(rows)

    def verdicts_behind(
        self, crossings: Mapping[Crossing, Sequence[int]], codecs: Sequence[str], rows: Rows
    ) -> Iterator[CrossingVerdicts]:
        """Verdicts on pictures when what crosses a cut went through a codec, picture by picture.

        A codec that cannot carry the numbers of a crossing (uint8 and infinity) is left out there.
        """
        names = list(crossings)
        # In groups, for each crossing has a session of what follows it, and all of them at once may not fit into
        # memory.
        for first in range(0, len(names), _GROUP):
            group = {tensors: crossings[tensors] for tensors in names[first : first + _GROUP]}
            yield from self._behind(group, codecs, rows)

    def encoded_sizes(
        self, crossings: Collection[Crossing], codecs: Sequence[str], rows: Rows
    ) -> dict[tuple[Crossing, str], float]:
        """Mean bytes of crossings behind tensor codecs, each picture sent by itself."""
        names = sorted({name for tensors in crossings for name in tensors} - {self.input})
        session = self.engine.build(self.single.segment([self.input], names)) if names else None
        totals = {(tensors, codec): 0.0 for tensors in crossings for codec in codecs}
        # One at a time, with the single model: a codec on a batch would be another measurement than on the wire.
        for row in rows:
            tensor = self._tensor(np.array([row]))
            arrays = {self.input: tensor} | ({} if session is None else session.run({self.input: tensor}))
            for codec in codecs:
                size = {name: _encoded_size(codec, array) for name, array in arrays.items()}
                for tensors in crossings:
                    totals[tensors, codec] += sum(size[name] for name in tensors)
        return {key: total / len(rows) for key, total in totals.items() if np.isfinite(total)}

    def _behind(
        self, group: Mapping[Crossing, Sequence[int]], codecs: Sequence[str], rows: Rows
    ) -> Iterator[CrossingVerdicts]:
        wanted = sorted({name for tensors in group for name in tensors} - {self.input})
        head = self.engine.build(self.model.segment([self.input], wanted)) if wanted else None
        asked = {tensors: [self.answers[number] for number in exits] for tensors, exits in group.items()}
        rest = {tensors: self.engine.build(self.model.segment(tensors, _together(asked[tensors]))) for tensors in group}
        running: dict[tuple[Crossing, str], Verdicts] = {
            (tensors, codec): [[] for _ in asked[tensors]] for tensors in group for codec in codecs
        }
        for batch in self._batches(rows):
            tensor = self._tensor(batch)
            arrays = {self.input: tensor}
            if head is not None:
                outputs = head.run({self.input: self._filled(tensor)})
                arrays |= outputs if self.batch == 1 else {name: array[: len(batch)] for name, array in outputs.items()}
            for (tensors, codec), verdicts in list(running.items()):
                try:
                    arrived = {name: self._filled(round_trip(codec, arrays[name])) for name in tensors}
                # One picture that it cannot carry is enough: a plan would fail on such a picture, and an accuracy of
                # the others would promise more than it keeps.
                except CodecError:
                    del running[tensors, codec]
                    continue
                self._judged(rest[tensors].run(arrived), asked[tensors], batch, verdicts)
        for (tensors, codec), verdicts in running.items():
            yield CrossingVerdicts(tensors, codec, group[tensors], verdicts)

    def _batches(self, rows: Rows) -> Iterator[Rows]:
        for start in range(0, len(rows), self.batch):
            yield rows[start : start + self.batch]

    def _coded(self, codec: str, rows: Rows) -> list[bytes]:
        """Pictures as an image codec sends them."""
        if codec == "source":
            return [self.examples.source(int(row)) for row in rows]
        return [encode_image(codec, fit(self.examples.pixels(int(row)), self.form)) for row in rows]

    def _tensor(self, rows: Rows, data: Sequence[bytes] | None = None, codec: str = "") -> Array:
        # Resized before it is coded, as the device does it; what arrives is only decoded and normalised.
        if data is None:
            fitted = [fit(self.examples.pixels(int(row)), self.form) for row in rows]
        else:
            fitted = [fit_decoded(decode_pixels(coded), self.form, codec=codec) for coded in data]
        return np.concatenate([normalise(pixels, self.form) for pixels in fitted])

    def _filled(self, array: Array) -> Array:
        """A last, short batch filled up: the session takes whole ones only."""
        # With copies of the last picture, which are real values; their answers are never judged.
        missing = self.batch - len(array)
        return np.concatenate([array, *([array[-1:]] * missing)]) if self.batch > 1 and missing > 0 else array

    def _judged(
        self, arrays: Mapping[str, Array], exits: Sequence[Sequence[str]], rows: Rows, verdicts: Verdicts
    ) -> None:
        for names, of_exit in zip(exits, verdicts, strict=True):
            for place, row in enumerate(rows):
                answers = [arrays[name] if self.batch == 1 else arrays[name][place : place + 1] for name in names]
                of_exit.append(self.judge(answers, int(row)))


def _together(exits: Sequence[Sequence[str]]) -> list[str]:
    """The outputs of some exits, each once."""
    return list(dict.fromkeys(name for names in exits for name in names))


def _batched(single: Model) -> tuple[Model, int]:
    """The model with many pictures a run, if its leading dimension is free and counts them in every tensor."""
    # As many pictures as their activations fit into a bound: all crossings of a group are held at once.
    crossing = {use.tensor.name: use.tensor for branch in single.branches for use in branch.uses}
    nbytes = sum(tensor.nbytes or 0 for tensor in crossing.values())
    batch = max(1, min(_BATCH, _BATCH_BYTES // max(1, nbytes)))
    try:
        files = "+".join(map(str, single.members))
        many = load(files, dims={**single.dims, **dict.fromkeys(_BATCH_NAMES & single.dims.keys(), batch)})
    except ModelError:  # shapes that hold for one picture only
        return single, 1
    # Believed only where every tensor that crosses has the batch in front: else pictures of one run would mix.
    outputs = {output.name: output for branch in single.branches for output in branch.outputs}
    for name, one in (crossing | outputs).items():
        other = many.tensors.get(name)
        if other is None or one.shape is None or one.shape[:1] != (1,) or other.shape != (batch, *one.shape[1:]):
            return single, 1
    return many, batch


def _encoded_size(codec: str, array: Array) -> float:
    # Infinite, so that a mean over pictures shows that one of them could not be carried.
    try:
        return len(encode_tensor(codec, array))
    except CodecError:
        return np.inf
