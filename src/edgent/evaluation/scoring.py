"""How often a model is right on labelled images: undivided, behind a codec, and divided with a codec in between."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgent.codec import (
    CodecError,
    decode_pixels,
    encode_image,
    encode_tensor,
    fit,
    is_image_codec,
    normalise,
    round_trip,
)
from edgent.engine.engine import Engine
from edgent.engine.feeds import Array
from edgent.engine.loading import load
from edgent.errors import InputError, ModelError
from edgent.model import Model, Preprocessing
from edgent.model.files.read import BATCH

if TYPE_CHECKING:
    from edgent.evaluation.datasets import Images

Rows = NDArray[np.intp]
Right = NDArray[np.bool_]
"""Whether an exit was right about an image: shape (exits, images)."""
Crossing = tuple[str, ...]
"""Names of the tensors that cross together, sorted."""

_BATCH = 100
_BATCH_BYTES = 2**27  # of activations kept at a time
_GROUP = 12  # crossings whose sessions are held together
_BATCH_NAMES = {BATCH, "batch_size", "N", "n", "s0", "None", "unk__0"}  # what exporters call a free leading dimension


class Scored(NamedTuple):
    """Whether exits were right, and the mean bytes of the coded images (nan: the images crossed as tensors)."""

    right: Right
    mean_bytes: float


class CrossingRight(NamedTuple):
    """Which exits read a crossing, and whether they were right behind a codec: shape (len(exits), images)."""

    tensors: Crossing
    codec: str
    exits: Sequence[int]
    right: Right


class Scorer:
    """A model and labelled images.

    Args:
        model: name or file.
        engine: runs it.
        images: labelled, all of one size.

    Raises:
        InputError: the model takes no images, or its answers are not about these classes.
        ModelError: as `load`.
    """

    def __init__(self, model: str | Path, engine: Engine, images: Images) -> None:
        self.single = load(model)
        form = self.single.metadata.preprocessing
        if form is None or len(self.single.inputs) != 1:
            raise InputError(
                f"{self.single.name} does not say how an image becomes its input: it cannot be scored on images"
            )
        self.engine, self.images, self.form = engine, images, form
        self.input = self.single.inputs[0].name
        self.answers = [branch.outputs[0].name for branch in self.single.branches]
        self._check_classes()
        self.model, self.batch = _batched(model, self.single)

    def __len__(self) -> int:
        return len(self.images.labels)

    def crossings(self) -> dict[Crossing, list[int]]:
        """What crosses at each inner cut that can be used, in their order, with the exits for which it does."""
        found: dict[Crossing, list[int]] = {}
        for branch in self.single.branches:
            n = len(branch.layers)
            for cut in (k for k in range(1, n) if branch.divisible[k, n] or branch.divisible[0, k]):
                names = tuple(sorted(tensor.name for tensor in branch.boundary(cut, n).up))
                exits = found.setdefault(names, [])
                if branch.exit not in exits:
                    exits.append(branch.exit)
        return found

    def is_coded(self, tensor: str) -> bool:
        """Whether codecs change what crosses: whole numbers travel as they are."""
        return (self.single.tensors[tensor].dtype or "").startswith("float")

    def score(self, codec: str | None = None) -> Scored:
        """Whether each exit is right about all images, undivided, when the input crosses by a codec or as it is."""
        rows = np.arange(len(self))
        session = self.engine.build(self.model.segment([self.input], self.answers))
        image_codec = codec is not None and is_image_codec(codec)
        found, size = [], 0
        for batch in self._batches(rows):
            data = self._coded(codec, batch) if codec is not None and image_codec else None
            size += sum(map(len, data or ()))
            tensor = self._tensor(batch, data)
            if codec is not None and not image_codec:
                tensor = round_trip(codec, tensor)
            found.append(self._judged(session.run({self.input: self._filled(tensor)}), self.answers, batch))
        return Scored(np.concatenate(found, axis=1), size / len(rows) if image_codec else np.nan)

    def image_size(self, codec: str, rows: Rows) -> float:
        """Mean bytes of images behind an image codec."""
        return sum(len(data) for batch in self._batches(rows) for data in self._coded(codec, batch)) / len(rows)

    def right_behind(
        self, crossings: Mapping[Crossing, Sequence[int]], codecs: Sequence[str], rows: Rows
    ) -> Iterator[CrossingRight]:
        """Whether exits are right about images when what crosses a cut went through a codec, image by image.

        A codec that cannot carry the numbers of a crossing (uint8 and infinity) is left out there.
        """
        names = list(crossings)
        for first in range(0, len(names), _GROUP):
            group = {tensors: crossings[tensors] for tensors in names[first : first + _GROUP]}
            yield from self._right_behind(group, codecs, rows)

    def encoded_sizes(
        self, crossings: Collection[Crossing], codecs: Sequence[str], rows: Rows
    ) -> dict[tuple[Crossing, str], float]:
        """Mean bytes of crossings behind tensor codecs, each image sent by itself."""
        names = sorted({name for tensors in crossings for name in tensors} - {self.input})
        session = self.engine.build(self.single.segment([self.input], names)) if names else None
        totals = {(tensors, codec): 0.0 for tensors in crossings for codec in codecs}
        for row in rows:
            tensor = self._tensor(np.array([row]), None)
            made = {self.input: tensor} | ({} if session is None else session.run({self.input: tensor}))
            for codec in codecs:
                size = {name: _encoded_size(codec, array) for name, array in made.items()}
                for tensors in crossings:
                    totals[tensors, codec] += sum(size[name] for name in tensors)
        return {key: total / len(rows) for key, total in totals.items() if np.isfinite(total)}

    def _right_behind(
        self, group: Mapping[Crossing, Sequence[int]], codecs: Sequence[str], rows: Rows
    ) -> Iterator[CrossingRight]:
        wanted = sorted({name for tensors in group for name in tensors} - {self.input})
        head = self.engine.build(self.model.segment([self.input], wanted)) if wanted else None
        asked = {tensors: [self.answers[number] for number in exits] for tensors, exits in group.items()}
        rest = {tensors: self.engine.build(self.model.segment(tensors, asked[tensors])) for tensors in group}
        found: dict[tuple[Crossing, str], list[Right]] = {(tensors, codec): [] for tensors in group for codec in codecs}
        for batch in self._batches(rows):
            tensor = self._tensor(batch, None)
            made = {self.input: tensor}
            if head is not None:
                outputs = head.run({self.input: self._filled(tensor)})
                made |= {name: array[: len(batch)] for name, array in outputs.items()}
            for tensors, codec in list(found):
                try:
                    arrived = {name: self._filled(round_trip(codec, made[name])) for name in tensors}
                except CodecError:
                    del found[tensors, codec]
                    continue
                found[tensors, codec].append(self._judged(rest[tensors].run(arrived), asked[tensors], batch))
        for (tensors, codec), parts in found.items():
            yield CrossingRight(tensors, codec, group[tensors], np.concatenate(parts, axis=1))

    def _batches(self, rows: Rows) -> Iterator[Rows]:
        for start in range(0, len(rows), self.batch):
            yield rows[start : start + self.batch]

    def _coded(self, codec: str, rows: Rows) -> list[bytes]:
        """Images as an image codec sends them: `source` as they come, taken to be PNG files."""
        if codec == "source":
            return [encode_image("png", self.images.pixels[row]) for row in rows]
        return [encode_image(codec, fit(self.images.pixels[row], self.form)) for row in rows]

    def _tensor(self, rows: Rows, data: Sequence[bytes] | None) -> Array:
        pixels = self.images.pixels[rows] if data is None else map(decode_pixels, data)
        return np.concatenate([_prepared(one, self.form) for one in pixels])

    def _filled(self, array: Array) -> Array:
        """A last, short batch filled up: the session takes whole ones only."""
        missing = self.batch - len(array)
        return np.concatenate([array, *([array[-1:]] * missing)]) if missing > 0 else array

    def _judged(self, made: Mapping[str, Array], names: Sequence[str], rows: Rows) -> Right:
        answers = [made[name].reshape(self.batch, -1)[: len(rows)].argmax(axis=1) for name in names]
        right: Right = np.stack(answers) == self.images.labels[rows]
        return right

    def _check_classes(self) -> None:
        labels, classes = self.single.metadata.labels, self.images.class_names
        if labels and labels != classes:
            raise InputError(
                f"{self.single.name} answers with {', '.join(labels[:3])}, ...; the images are of "
                f"{', '.join(classes[:3])}, ...: expected the same classes in the same order"
            )
        for branch in self.single.branches:
            shape = branch.outputs[0].shape
            if shape is not None and np.prod(shape) != len(classes):
                raise InputError(
                    f"exit {branch.exit} of {self.single.name} gives {np.prod(shape)} scores, "
                    f"expected one for each of {len(classes)} classes"
                )


def _batched(model: str | Path, single: Model) -> tuple[Model, int]:
    """The model with many images a run, if its leading dimension is free and counts the images in every tensor."""
    crossing = {use.tensor.name: use.tensor for branch in single.branches for use in branch.uses}
    taken = sum(tensor.nbytes or 0 for tensor in crossing.values())
    batch = max(1, min(_BATCH, _BATCH_BYTES // max(1, taken)))
    try:
        many = load(model, dims=dict.fromkeys(_BATCH_NAMES & single.dims.keys(), batch))
    except ModelError:  # shapes that hold for one image only
        return single, 1
    for name, one in crossing.items():
        other = many.tensors.get(name)
        if other is None or one.shape is None or one.shape[:1] != (1,) or other.shape != (batch, *one.shape[1:]):
            return single, 1
    return many, batch


def _prepared(pixels: NDArray[np.uint8], form: Preprocessing) -> Array:
    return normalise(fit(pixels, form), form)


def _encoded_size(codec: str, array: Array) -> float:
    try:
        return len(encode_tensor(codec, array))
    except CodecError:
        return np.inf
