"""How accurate and how small: exits, codecs and cuts of a model, measured on pictures.

The planner believes what stands in a calibration, so a number stands there only if it was measured as it will be used:
each picture encoded by itself, by the codecs of the wire, and run from the cut on. What would take days (every cut with
every codec on every picture) is estimated from a sample, in pairs with the same pictures undivided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgent.codec import (
    IMAGE_CODECS,
    TENSOR_CODECS,
    Calibration,
    CodecAccuracy,
    EncodedSize,
    ExitAccuracy,
    base_codec,
    check_codec,
    is_image_codec,
    is_lossless,
)
from edgent.engine.engine import Engine
from edgent.errors import InputError
from edgent.evaluation.judging import Judgement, judgement_of
from edgent.evaluation.paying import paying
from edgent.evaluation.scoring import Crossing, Rows, Scorer, Verdicts
from edgent.model import Model
from edgent.profiling.timing import Progress

if TYPE_CHECKING:
    from edgent.evaluation.data.examples import Examples

SIZES_ON = 200
"""Pictures on which the sizes of encoded tensors are measured, where these are small."""

_BYTES_SIZED = 250e6  # of tensors that are encoded to learn their sizes, each by every codec
_FEWEST_SIZED = 4


class Evaluation(NamedTuple):
    """What was measured.

    Attributes:
        accuracies: of each exit, a fraction, earliest first; what they are says the calibration's measure.
        calibration: all of it, for planners.
        others: what else is told of the last exit, by name: "mAP 50".
        interval_by: where the intervals come from.
    """

    accuracies: tuple[float, ...]
    calibration: Calibration
    others: Mapping[str, float]
    interval_by: str


def evaluate(  # noqa: PLR0913 - each is a setting of its own
    model: Model,
    examples: Examples,
    *,
    engine: Engine,
    codecs: Sequence[str] = (*TENSOR_CODECS, *IMAGE_CODECS),
    sample: int = 2000,
    every_cut: bool = False,
    reference: Model | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Accuracy of each exit, and the model's calibration.

    Accuracies at cut 0, where the input crosses, are those on all pictures. At the other cuts they are paired estimates
    on a seeded sample: accuracy on all pictures, plus how much the codec changed it on the sample. Each picture is
    quantised by itself, as on the wire. A codec that cannot carry what crosses somewhere has no entry there.

    Sizes of lossy pictures are means over all of them, those of lossless ones over the sample, those of tensors over
    `SIZES_ON` of the sample or fewer, each encoded by itself.

    Args:
        model: If its leading dimension is free (the batch), many pictures go through at a time.
        examples: pictures that the model was not trained on; with labels, or without.
        engine: runs it.
        codecs: those to measure.
        sample: pictures for the other cuts.
        every_cut: whether cuts are measured that cannot pay (see `edgent.evaluation.paying`).
        reference: the model that is agreed with; None: labels, and where there are none the model itself, undivided.
        seed: of the sample.
        progress: called with the steps done and their number; a step is a pass over all pictures or a cut.

    Raises:
        CodecError: there is no such codec.
        InputError: no pictures, a model that takes none, or labels or a reference that do not fit its answers.
    """
    for codec in codecs:
        check_codec(codec)
    if not len(examples):
        raise InputError("found no pictures, expected some")
    judgement = judgement_of(model, examples, engine, reference)
    scorer = Scorer(model, engine, examples, judgement.judge)
    # A permutation, so that a larger sample contains the smaller one of the same seed.
    chosen = np.random.default_rng(seed).permutation(len(scorer))[: max(1, sample)]
    return _Evaluator(scorer, judgement, codecs, chosen, every_cut).run(examples.name, progress)


class _Evaluator:
    def __init__(
        self, scorer: Scorer, judgement: Judgement, codecs: Sequence[str], sample: NDArray[np.intp], every_cut: bool
    ) -> None:
        self.scorer, self.judgement, self.measure = scorer, judgement, judgement.measure
        # In the order of the data, which is read one picture at a time.
        self.sample: Rows = np.sort(sample)
        self.input_alone: Crossing = (scorer.input,)
        self.crossings: Mapping[Crossing, Sequence[int]] = {
            names: exits
            for names, exits in scorer.crossings().items()
            if names != self.input_alone and any(scorer.is_coded(name) for name in names)
        }
        if not every_cut:
            self.crossings = paying(scorer.single, self.crossings)
        # From the permutation and not from the sorted sample, whose first pictures are often of one class.
        self.for_sizes = sample[: _sized(scorer.single, self.crossings)]
        self.image_codecs = [codec for codec in codecs if is_image_codec(codec)]
        self.tensor_codecs = [codec for codec in codecs if not is_image_codec(codec)]
        # "uint8+zstd" answers as "uint8" does: accuracies are measured once for both, sizes for each.
        bases = dict.fromkeys(base_codec(codec) for codec in self.tensor_codecs)
        self.lossy = [codec for codec in bases if not is_lossless(codec)]
        self.sizes: list[EncodedSize] = []
        self.accuracies: list[CodecAccuracy] = []

    def run(self, data: str, progress: Progress | None) -> Evaluation:
        # The steps are counted beforehand, by the same lists that `_steps` goes through.
        total = 2 + len(self.image_codecs) + len(self.lossy) + len(self.crossings) * len(self.lossy)
        if progress:
            progress(0, total)
        plain = self.scorer.score().verdicts
        numbers = [self.measure.number(verdicts) for verdicts in plain]
        for done, _ in enumerate(self._steps(plain, numbers), start=1):
            if progress:
                progress(done, total)
        model = self.scorer.single
        calibration = Calibration(
            model=model.name,
            digest=model.digest,
            data=data,
            measure=self.judgement.name,
            metric=self.measure.metric,
            reference=self.judgement.reference,
            exits=tuple(self._exits(plain, numbers)),
            sizes=tuple(self.sizes),
            accuracies=tuple(self.accuracies),
        )
        others = {name: number(plain[-1]) for name, number in self.measure.others().items()}
        return Evaluation(tuple(numbers), calibration, others, self.measure.interval_by)

    def _exits(self, plain: Verdicts, numbers: Sequence[float]) -> Iterator[ExitAccuracy]:
        # Each exit beside the best one on the same pictures: that tells them apart long before two intervals do.
        best = plain[int(np.argmax(numbers))]
        for exit, (verdicts, number) in enumerate(zip(plain, numbers, strict=True)):
            yield ExitAccuracy(
                exit=exit,
                accuracy=number,
                samples=len(verdicts),
                interval=self.measure.interval(verdicts),
                change=self.measure.change(best, verdicts),
            )

    def _steps(self, plain: Verdicts, numbers: Sequence[float]) -> Iterator[None]:
        yield
        for codec in self.image_codecs:
            self._image(codec, plain)
            yield
        for codec in self.lossy:
            self._add(self.input_alone, codec, range(len(plain)), plain, self.scorer.score(codec).verdicts)
            yield
        sampled = [[verdicts[row] for row in self.sample] for verdicts in plain]
        # A paired estimate: what the sample happens to make easier or harder is known, and is taken off.
        before = [self.measure.number(verdicts) for verdicts in sampled]
        offset = [whole - part for whole, part in zip(numbers, before, strict=True)]
        for tensors, codec, exits, verdicts in self.scorer.verdicts_behind(self.crossings, self.lossy, self.sample):
            self._add(tensors, codec, exits, sampled, verdicts, offset)
            yield
        means = self.scorer.encoded_sizes([self.input_alone, *self.crossings], self.tensor_codecs, self.for_sizes)
        for (tensors, codec), size in means.items():
            self.sizes.append(EncodedSize(tensors=tensors, codec=codec, mean_bytes=size, samples=len(self.for_sizes)))
        yield

    def _image(self, codec: str, plain: Verdicts) -> None:
        # A lossless codec changes no answer, so only its size is measured, and on fewer pictures.
        if is_lossless(codec):
            size, count = self.scorer.image_size(codec, self.sample), len(self.sample)
        else:
            verdicts, size = self.scorer.score(codec)
            count = len(self.scorer)
            self._add(self.input_alone, codec, range(len(verdicts)), plain, verdicts)
        self.sizes.append(EncodedSize(tensors=self.input_alone, codec=codec, mean_bytes=size, samples=count))

    def _add(
        self,
        tensors: Crossing,
        codec: str,
        exits: Sequence[int],
        before: Verdicts,
        after: Verdicts,
        offset: Sequence[float] | None = None,
    ) -> None:
        """An accuracy for each exit; `offset`: how much less accurate the exits are on these pictures than on all."""
        for exit, verdicts in zip(exits, after, strict=True):
            # The estimate may leave 0 .. 1 by the sample's chance; an accuracy does not.
            estimate = self.measure.number(verdicts) + (0.0 if offset is None else offset[exit])
            entry = CodecAccuracy(
                exit=exit,
                tensors=tensors,
                codec=codec,
                accuracy=min(1.0, max(0.0, estimate)),
                samples=len(verdicts),
                change=self.measure.change(before[exit], verdicts),
            )
            self.accuracies.append(entry)


def _sized(model: Model, crossings: Mapping[Crossing, Any]) -> int:
    """On how many pictures sizes are measured: encoding a large network's tensors takes longer than running it."""
    names = {name for tensors in crossings for name in tensors}
    nbytes = sum(model.tensors[name].nbytes or 0 for name in names)
    return int(min(SIZES_ON, max(_FEWEST_SIZED, _BYTES_SIZED // max(1, nbytes))))
