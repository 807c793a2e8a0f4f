"""How accurate and how small: exits, codecs and cuts of a model, measured on labelled images."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgent.codec import (
    IMAGE_CODECS,
    TENSOR_CODECS,
    Calibration,
    CodecAccuracy,
    EncodedSize,
    base_codec,
    decode_pixels,
    encode_image,
    encode_tensor,
    fit,
    is_lossless,
    normalise,
    round_trip,
)
from edgent.datasets import Images
from edgent.errors import InputError
from edgent.model import SHIPPED, Model, Preprocessing, load
from edgent.model.weights import cache_folder
from edgent.runtime.engine import Array, Engine

Progress = Callable[[int, int], None]
Labels = NDArray[np.int64]

BATCH = 100
SIZES_ON = 200
"""Images on which encoded sizes are measured, one by one as the wire sends them."""

_LOSSY = tuple(codec for codec in TENSOR_CODECS if not is_lossless(codec) and base_codec(codec) == codec)


def evaluate(
    model: str | Path,
    images: Images,
    *,
    engine: Engine,
    sample: int = 2000,
    data: str = "CIFAR-10 test",
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[tuple[float, ...], Calibration]:
    """Accuracy of each exit, and the model's calibration.

    At cut 0 lossy codecs are scored on all images. At the other cuts they are scored on a seeded sample, as a pair: the
    accuracy on all images, plus how much the codec changed it on the sample. Each image is quantised by itself.

    Args:
        model: name or file; its leading dimension must be free (the batch).
        images: labelled ones that the model was not trained on.
        engine: runs it.
        sample: images for the other cuts.
        data: what the images are.
        seed: of the sample.
        progress: called with the steps done and their number.

    Raises:
        InputError: the model takes no images.
    """
    bench = _Bench(load(model, dims={"batch": BATCH}), engine, images)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(images.labels))[: max(BATCH, sample // BATCH * BATCH)])
    boundaries = bench.boundaries()
    coded = [codec for codec in IMAGE_CODECS if codec != "source"]
    lossy_images = [codec for codec in coded if not is_lossless(codec)]
    steps = _Steps(progress, 1 + len(lossy_images) + 2 + len(boundaries))
    everything = np.arange(len(images.labels))
    plain = bench.accuracy(everything)
    steps.done()
    found: list[CodecAccuracy] = []
    given = (bench.input,)
    for codec in lossy_images:
        found += _entries(bench.accuracy(everything, image_codec=codec), given, codec, len(everything))
        steps.done()
    for codec in _LOSSY:
        found += _entries(bench.accuracy(everything, tensor_codec=codec), given, codec, len(everything))
        steps.done()
    for tensors, exits in boundaries.items():
        found += bench.crossing(tensors, exits, plain, chosen)
        steps.done()
    sizes = bench.sizes([given, *boundaries], coded)
    calibration = Calibration(
        model=bench.model.name, digest=bench.model.digest, data=data, sizes=tuple(sizes), accuracies=tuple(found)
    )
    return tuple(plain), calibration


def calibration_for(model: Model, file: Path | None = None) -> Calibration | None:
    """The calibration of a model: the file named, else the one beside the model, else the one kept by digest.

    Raises:
        InputError: the named file is of another model, or is no calibration.
    """
    if file is not None:
        found = Calibration.load(file)
        if found.digest != model.digest:
            raise InputError(
                f"{file} is of version {found.digest[:12]}, the model is {model.version}: "
                "measure it again with edgent evaluate"
            )
        return found
    beside = SHIPPED if model.path.parent == SHIPPED else model.path.parent
    for path in (
        beside / f"{model.name}.calibration.json",
        cache_folder() / "calibrations" / f"{model.digest[:32]}.json",
    ):
        if path.is_file() and (found := Calibration.load(path)).digest == model.digest:
            return found
    return None


class _Bench:
    def __init__(self, model: Model, engine: Engine, images: Images) -> None:
        form = model.metadata.preprocessing
        if form is None or len(model.inputs) != 1:
            raise InputError(f"{model.name} does not say how an image becomes its input: it cannot be scored on images")
        self.model, self.engine, self.images, self.form = model, engine, images, form
        self.input = model.inputs[0].name
        self.single = load(model.path)
        self.answers = [branch.outputs[0].name for branch in model.branches]

    def boundaries(self) -> dict[tuple[str, ...], list[int]]:
        """What crosses at each inner cut, with the exits for which it does."""
        found: dict[tuple[str, ...], list[int]] = {}
        for branch in self.model.branches:
            n = len(branch.layers)
            for cut in range(1, n):
                names = tuple(sorted(tensor.name for tensor in branch.boundary(cut, n).up))
                if all(self.model.tensors[name].dtype == "float32" for name in names):
                    found.setdefault(names, []).append(branch.exit)
        return found

    def accuracy(
        self, chosen: NDArray[np.intp], *, image_codec: str | None = None, tensor_codec: str | None = None
    ) -> list[float]:
        """Share of right answers of each exit, over whole batches."""
        session = self.engine.session(self.model, [self.input], self.answers)
        right, count = np.zeros(len(self.answers)), 0
        for pixels, labels in self._batches(chosen):
            tensor = _tensor(pixels, self.form, image_codec)
            if tensor_codec is not None:
                tensor = round_trip(tensor_codec, tensor)
            answers = session.run({self.input: tensor})
            right += [np.sum(answers[name].argmax(axis=1) == labels) for name in self.answers]
            count += len(labels)
        return [float(share) for share in right / count]

    def crossing(
        self, tensors: tuple[str, ...], exits: Sequence[int], plain: Sequence[float], chosen: NDArray[np.intp]
    ) -> list[CodecAccuracy]:
        """Accuracies of the exits behind each lossy codec on these tensors."""
        names = [self.answers[number] for number in exits]
        head = self.engine.session(self.model, [self.input], [*tensors, *(n for n in names if n not in tensors)])
        rest = self.engine.session(self.model, list(tensors), names)
        changed = {codec: np.zeros(len(names)) for codec in _LOSSY}
        count = 0
        for pixels, labels in self._batches(chosen):
            made = head.run({self.input: _tensor(pixels, self.form, None)})
            before = np.array([np.sum(made[name].argmax(axis=1) == labels) for name in names])
            for codec in _LOSSY:
                answers = rest.run({name: round_trip(codec, made[name]) for name in tensors})
                after = np.array([np.sum(answers[name].argmax(axis=1) == labels) for name in names])
                changed[codec] += after - before
            count += len(labels)
        return [
            CodecAccuracy(
                exit=number,
                tensors=tensors,
                codec=codec,
                accuracy=float(np.clip(plain[number] + changed[codec][k] / count, 0, 1)),
                samples=count,
            )
            for codec in _LOSSY
            for k, number in enumerate(exits)
        ]

    def sizes(self, boundaries: Sequence[tuple[str, ...]], image_codecs: Sequence[str]) -> Iterator[EncodedSize]:
        """Mean encoded bytes, image by image."""
        names = sorted({name for tensors in boundaries for name in tensors} - {self.input})
        session = self.engine.session(self.single, [self.input], names)
        totals: dict[tuple[tuple[str, ...], str], int] = {}
        count = min(SIZES_ON, len(self.images.labels))
        for pixels in self.images.pixels[:count]:
            small = fit(pixels, self.form)
            tensor = normalise(small, self.form)
            made = session.run({self.input: tensor}) | {self.input: tensor}
            for codec in TENSOR_CODECS:
                sizes = {name: len(encode_tensor(codec, array)) for name, array in made.items()}
                for tensors in boundaries:
                    key = (tensors, codec)
                    totals[key] = totals.get(key, 0) + sum(sizes[name] for name in tensors)
            coded = {codec: len(encode_image(codec, small)) for codec in image_codecs} | {"source": len(_png(pixels))}
            for codec, size in coded.items():
                totals[(self.input,), codec] = totals.get(((self.input,), codec), 0) + size
        for (tensors, codec), total in totals.items():
            yield EncodedSize(tensors=tensors, codec=codec, mean_bytes=total / count, samples=count)

    def _batches(self, chosen: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.uint8], Labels]]:
        for start in range(0, len(chosen) - BATCH + 1, BATCH):
            rows = chosen[start : start + BATCH]
            yield self.images.pixels[rows], self.images.labels[rows]


class _Steps:
    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.count = progress, total, 0

    def done(self) -> None:
        self.count += 1
        if self.progress:
            self.progress(self.count, self.total)


def _entries(
    accuracies: Sequence[float], tensors: tuple[str, ...], codec: str, samples: int
) -> Iterator[CodecAccuracy]:
    for number, accuracy in enumerate(accuracies):
        yield CodecAccuracy(exit=number, tensors=tensors, codec=codec, accuracy=accuracy, samples=samples)


def _tensor(pixels: NDArray[np.uint8], form: Preprocessing, image_codec: str | None) -> Array:
    """A batch as the model takes it, each image through a codec of its own accord."""
    ready = [fit(one, form) for one in pixels]
    if image_codec is not None:
        ready = [decode_pixels(encode_image(image_codec, one)) for one in ready]
    return np.concatenate([normalise(one, form) for one in ready])


def _png(pixels: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
