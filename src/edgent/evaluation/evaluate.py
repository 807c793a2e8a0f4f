"""How accurate and how small: exits, codecs and cuts of a model, measured on labelled images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgent.codec import (
    IMAGE_CODECS,
    TENSOR_CODECS,
    Calibration,
    CodecAccuracy,
    EncodedSize,
    base_codec,
    check_codec,
    is_image_codec,
    is_lossless,
)
from edgent.engine.engine import Engine
from edgent.errors import InputError
from edgent.evaluation.scoring import Crossing, Right, Rows, Scorer
from edgent.profiling.timing import Progress

if TYPE_CHECKING:
    from edgent.evaluation.datasets import Images

SIZES_ON = 200
"""Images on which the sizes of encoded tensors are measured."""


class Evaluation(NamedTuple):
    """Accuracy of each exit, a fraction, earliest first; and the calibration."""

    accuracies: tuple[float, ...]
    calibration: Calibration


def evaluate(
    model: str | Path,
    images: Images,
    *,
    engine: Engine,
    codecs: Sequence[str] = (*TENSOR_CODECS, *IMAGE_CODECS),
    sample: int = 2000,
    data: str = "CIFAR-10 test",
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Accuracy of each exit, and the model's calibration.

    Accuracies at cut 0, where the input crosses, are those on all images. At the other cuts they are paired estimates
    on a seeded sample: accuracy on all images, plus how much the codec changed it on the sample. Each image is
    quantised by itself, as on the wire. A codec that cannot carry what crosses somewhere has no entry there.

    Sizes of lossy images are means over all images, those of lossless ones over the sample, those of tensors over
    `SIZES_ON` of the sample, each encoded by itself. The input's own bytes (`source`) are taken to be PNG files.

    Args:
        model: name or file. If its leading dimension is free (the batch), many images go through at a time.
        images: labelled ones that the model was not trained on.
        engine: runs it.
        codecs: those to measure.
        sample: images for the other cuts.
        data: what the images are.
        seed: of the sample.
        progress: called with the steps done and their number; a step is a pass over all images or a cut.

    Raises:
        CodecError: there is no such codec.
        InputError: no images, a model that takes none, or whose answers are not about these classes.
    """
    for codec in codecs:
        check_codec(codec)
    if not len(images.labels):
        raise InputError("found no images, expected labelled ones")
    bench = Scorer(model, engine, images)
    chosen = np.random.default_rng(seed).permutation(len(bench))[: max(1, sample)]
    return _Evaluator(bench, codecs, chosen).run(data, progress)


class _Evaluator:
    def __init__(self, bench: Scorer, codecs: Sequence[str], sample: NDArray[np.intp]) -> None:
        self.bench = bench
        self.for_sizes = sample[:SIZES_ON]
        self.sample: Rows = np.sort(sample)
        self.given: Crossing = (bench.input,)
        self.crossings = {
            names: exits
            for names, exits in bench.crossings().items()
            if names != self.given and any(bench.is_coded(name) for name in names)
        }
        self.image_codecs = [codec for codec in codecs if is_image_codec(codec)]
        self.tensor_codecs = [codec for codec in codecs if not is_image_codec(codec)]
        bases = dict.fromkeys(base_codec(codec) for codec in self.tensor_codecs)
        self.lossy = [codec for codec in bases if not is_lossless(codec)]
        self.sizes: list[EncodedSize] = []
        self.accuracies: list[CodecAccuracy] = []

    def run(self, data: str, progress: Progress | None) -> Evaluation:
        plain = self.bench.score().right
        steps = self._steps(plain)
        total = 2 + len(self.image_codecs) + len(self.lossy) + len(self.crossings) * len(self.lossy)
        for done, _ in enumerate(steps, start=1):
            if progress:
                progress(done, total)
        model = self.bench.single
        calibration = Calibration(
            model=model.name,
            digest=model.digest,
            data=data,
            sizes=tuple(self.sizes),
            accuracies=tuple(self.accuracies),
        )
        return Evaluation(tuple(map(float, plain.mean(axis=1))), calibration)

    def _steps(self, plain: Right) -> Iterator[None]:
        yield
        for codec in self.image_codecs:
            self._image(codec)
            yield
        for codec in self.lossy:
            self._add(self.given, codec, range(len(plain)), self.bench.score(codec).right.mean(axis=1), len(self.bench))
            yield
        before = plain[:, self.sample].mean(axis=1)
        for tensors, codec, exits, right in self.bench.right_behind(self.crossings, self.lossy, self.sample):
            change = right.mean(axis=1) - before[exits]
            estimate = np.clip(plain.mean(axis=1)[exits] + change, 0, 1)
            self._add(tensors, codec, exits, estimate, len(self.sample))
            yield
        means = self.bench.encoded_sizes([self.given, *self.crossings], self.tensor_codecs, self.for_sizes)
        for (tensors, codec), size in means.items():
            self.sizes.append(EncodedSize(tensors=tensors, codec=codec, mean_bytes=size, samples=len(self.for_sizes)))
        yield

    def _image(self, codec: str) -> None:
        if is_lossless(codec):
            size, count = self.bench.image_size(codec, self.sample), len(self.sample)
        else:
            right, size = self.bench.score(codec)
            count = len(self.bench)
            self._add(self.given, codec, range(len(right)), right.mean(axis=1), count)
        self.sizes.append(EncodedSize(tensors=self.given, codec=codec, mean_bytes=size, samples=count))

    def _add(
        self, tensors: Crossing, codec: str, exits: Sequence[int], accuracies: NDArray[np.float64], samples: int
    ) -> None:
        self.accuracies += [
            CodecAccuracy(exit=number, tensors=tensors, codec=codec, accuracy=float(accuracy), samples=samples)
            for number, accuracy in zip(exits, accuracies, strict=True)
        ]
