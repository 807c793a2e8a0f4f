"""How accurate and how small: exits, codecs and cuts of a model, measured on labelled images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgent import cache
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
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import InputError
from edgent.evaluation.scoring import Crossing, Right, Rows, Scorer
from edgent.model import SHIPPED, Model
from edgent.model.files.bundle import prefix_of
from edgent.profiling.timing import Progress

if TYPE_CHECKING:
    from edgent.evaluation.datasets import Images

SIZES_ON = 200
"""Images on which the sizes of encoded tensors are measured."""

_KIND = "calibrations"  # in the cache


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


def calibration_for(model: Model, file: Path | None = None) -> Calibration | None:
    """The calibration of a model: the file named, else the one beside the model, else the one kept by digest.

    A bundle without one has that of its members together, where each has one.

    Raises:
        InputError: the named file is of another model, or is no calibration.
    """
    if file is not None:
        found = Calibration.load(file)
        if found.digest != model.digest:
            raise InputError(
                f"{file} is of {found.model} version {found.digest[:12]}, the model is {model.name} version "
                f"{model.version}: measure it again with edgent evaluate"
            )
        return found
    beside = SHIPPED if model.path.parent == SHIPPED else model.path.parent
    for path in (beside / f"{model.name}.calibration.json", _kept(model.digest)):
        if path.is_file() and (found := Calibration.load(path)).digest == model.digest:
            return found
    return None if len(model.members) == 1 else _of_members(model)


def keep(calibration: Calibration) -> Path:
    """Puts a calibration where `calibration_for` finds it by the model's digest.

    Returns:
        The file.
    """
    cache.room_for(_KIND)
    path = _kept(calibration.digest)
    calibration.save(path)
    return path


def _kept(digest: str) -> Path:
    return cache.cache_folder() / _KIND / f"{digest[:32]}.json"


def _of_members(bundle: Model) -> Calibration | None:
    """What was measured of a bundle's files, under their exits' numbers and tensors' names in the bundle."""
    sizes: dict[tuple[Crossing, str], EncodedSize] = {}
    accuracies: list[CodecAccuracy] = []
    data = ""
    for path in bundle.members:
        member = load(path)
        found = calibration_for(member)
        if found is None:
            return None
        inside = _Inside(bundle, member, "" if path == bundle.path else prefix_of(path))
        data = data or found.data
        for size in found.sizes:
            tensors = inside.tensors(size.tensors)
            sizes.setdefault((tensors, size.codec), replace(size, tensors=tensors))  # the input is of them all
        accuracies += [
            replace(e, exit=inside.exit(e.exit), tensors=inside.tensors(e.tensors)) for e in found.accuracies
        ]
    return Calibration(
        model=bundle.name,
        digest=bundle.digest,
        data=data,
        sizes=tuple(sizes.values()),
        accuracies=tuple(accuracies),
    )


class _Inside(NamedTuple):
    """What a member's exits and tensors are called in its bundle."""

    bundle: Model
    member: Model
    prefix: str

    def exit(self, number: int) -> int:
        name = self.prefix + self.member.branch(number).name
        return next(branch.exit for branch in self.bundle.branches if branch.name == name)

    def tensors(self, names: Crossing) -> Crossing:
        shared = {tensor.name for tensor in self.bundle.inputs}
        return tuple(sorted(name if name in shared else self.prefix + name for name in names))


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
