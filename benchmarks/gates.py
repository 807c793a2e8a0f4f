"""Do gates keep their word, and what do two networks know together? Measured on pictures that are drawn anew.

    python benchmarks/gates.py SMALL.onnx+BIG.onnx --data DIR [--codec NAME ...] [--ladder NAME ...] [--draws N]
        [--pictures N] [--json]

*Gates*: the whole data set is the population. Of it calibration sets are drawn with replacement, a gate is set on each
by learn-then-test, and the promise is broken where the gate loses more than it may of the population. Beside it the
naive gate, set where the calibration set itself loses just as much. `broken_at_most` is what 95 of 100 honest gates of
that confidence would stay below.

*Together*: every picture is answered by weights that were fitted without it. Of each way the accuracy, the bytes that a
picture takes to the edge, and what it adds to the big network alone on the same pictures, and to the better one of the
two alone on what they see there, each with its 95 % interval. `big and flip` runs the big network twice, on the picture
and on its mirror image; `both on the edge` lets the small one see what the codec leaves, too. A `cascade` sends 30 % of
the pictures, those of which the small network is least sure.

*Bytes*: a policy is fixed on every second picture, by `edgent gate` for each codec: of those that are no less accurate
there than the big network alone, the one that sends the fewest bytes. It is scored on the other pictures, and the other
way round. Beside it the image codec of the fewest bytes behind which the big network alone loses at most half a point,
picked on *all* pictures, those that are scored among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import command
from edgent.codec import IMAGE_CODECS, encode_image, is_lossless
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.evaluation.data.examples import Examples, opened
from edgent.evaluation.data.recognise import read_listing, recognised
from edgent.evaluation.gates.gating import SOURCE, Opinions, Promise, answers_of, steps_of
from edgent.evaluation.gates.pool import cross_fitted
from edgent.evaluation.gates.threshold import threshold
from edgent.evaluation.measures.likeness import SameLabel
from edgent.evaluation.scoring import Scorer
from edgent.model import Model
from edgent.model.tasks.class_probabilities import Floats, confidence, log_probabilities, pooled
from edgent.planning.gates import Gate
from tables import aligned

LEVEL = 0.9
DROPS = (0.01, 0.02)
FRUGAL_DROP, HALF_A_POINT = 0.02, 0.005 + 1e-9
DEFERRED = 0.3
LADDER = tuple(codec for codec in IMAGE_CODECS if not is_lossless(codec))
Right = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How often a promise was kept.

    Attributes:
        gate: how it was set.
        max_drop: the share that may be lost.
        pictures: of a calibration set.
        draws: calibration sets.
        broken: of these.
        broken_at_most: the target.
        accepted: median share of the population whose early answer is taken.
    """

    gate: str
    max_drop: float
    pictures: int
    draws: int
    broken: int
    broken_at_most: int
    accepted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to answer; gains in points of accuracy, from and to."""

    way: str
    codec: str
    bytes: float
    accuracy: float
    over_big_low: float
    over_big_high: float
    over_better_low: float
    over_better_high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """What a policy that was fixed on other pictures sends, beside the codec that costs half a point.

    Attributes:
        scored: the pictures.
        codec: the policy's.
        deferred: share of the pictures that are sent.
        bytes: a picture, in the mean over all of them.
        accuracy: along the path that each picture takes.
        over_big: points over the big network alone that sees the file.
        over_big_low: 95 % interval of that, in pairs.
        over_big_high: the interval's other end.
        coded: the codec that costs half a point.
        coded_bytes: of a picture.
        coded_accuracy: the big network's behind it.
        share: the policy's bytes in those.
    """

    scored: str
    codec: str
    deferred: float
    bytes: float
    accuracy: float
    over_big: float
    over_big_low: float
    over_big_high: float
    coded: str
    coded_bytes: float
    coded_accuracy: float
    share: float


class Mirrored(NamedTuple):
    """The same pictures, left and right exchanged."""

    examples: Examples

    @property
    def name(self) -> str:
        """See `Examples`, as all others."""
        return self.examples.name

    @property
    def class_names(self) -> tuple[str, ...]:  # noqa: D102 - above
        return self.examples.class_names

    @property
    def truths(self) -> Sequence[Any]:  # noqa: D102
        return self.examples.truths

    @property
    def shapes(self) -> Sequence[tuple[int, int]]:  # noqa: D102
        return self.examples.shapes

    def __len__(self) -> int:
        return len(self.examples)

    def pixels(self, row: int) -> NDArray[np.uint8]:  # noqa: D102
        return np.ascontiguousarray(self.examples.pixels(row)[:, ::-1])

    def source(self, row: int) -> bytes:  # noqa: D102
        return encode_image("png", self.pixels(row))


def kept(opinions: Opinions, draws: int, pictures: int, seed: int) -> Iterator[Kept]:
    """Sets gates on calibration sets, and holds each against the population."""
    early, late = (opinions.by_exit[exit] for exit in (min(opinions.by_exit), opinions.last))
    sure, first, last = confidence(early), _right(early, opinions.truths), _right(late, opinions.truths)
    lost = last & ~first
    at_most = int(np.quantile(np.random.default_rng(0).binomial(draws, 1 - LEVEL, 200_000), 0.95, method="higher"))
    for drop in DROPS:
        rules = {"learn then test": Promise(drop, LEVEL).allowed(pictures), "naive": int(drop * pictures)}
        for gate, allowed in rules.items():
            rng = np.random.default_rng(seed)  # the same draws for both
            sets = (rng.integers(0, len(sure), pictures) for _ in range(draws))
            places = np.array([threshold(sure[rows], lost[rows], allowed).confidence for rows in sets])
            taken = sure >= places[:, None]
            yield Kept(
                gate=gate,
                max_drop=drop,
                pictures=pictures,
                draws=draws,
                broken=int(((taken & lost).mean(axis=1) > drop).sum()),
                broken_at_most=at_most,
                accepted=float(np.median(taken.mean(axis=1))),
            )


def ways(bundle: Model, examples: Examples, opinions: Opinions, codecs: Sequence[str], seed: int) -> Iterator[Way]:
    """Each way to answer, what crosses as the file and behind each codec."""
    small, big = (load(path) for path in bundle.members)
    engine, truths = OnnxRuntimeEngine(), opinions.truths
    early, late = opinions.by_exit[min(opinions.by_exit)], opinions.by_exit[opinions.last]
    alone = _right(late, truths)
    for codec in ("source", *codecs):
        # Of the file both see what there is; behind a codec the edge's networks see what it leaves.
        coded = None if codec == "source" else codec
        there = late if coded is None else opinions.coded[codec]
        here_too = early if coded is None else _answers(small, engine, examples, coded)
        flipped = _answers(big, engine, Mirrored(examples), coded)
        size = _size(big, engine, examples, codec)
        better = max((_right(scores, truths) for scores in (early, there)), key=lambda right: right.mean())
        answers = {
            "small alone": (early, 0.0),
            "big alone": (there, size),
            "big and flip": (cross_fitted([there, flipped], truths, seed).log_probabilities, size),
            "both on the edge": (cross_fitted([here_too, there], truths, seed).log_probabilities, size),
            "combined": (cross_fitted([early, there], truths, seed).log_probabilities, size),
        }
        for way, late in (("cascade", "big alone"), ("combined cascade", "combined")):
            answers[way] = _cascade(early, answers[late][0]), DEFERRED * size
        for way, (scores, nbytes) in answers.items():
            right = _right(scores, truths)
            over_big, over_better = (_gain(right, other) for other in (alone, better))
            yield Way(
                way=way,
                codec=codec,
                bytes=nbytes,
                accuracy=float(right.mean()),
                over_big_low=over_big[0],
                over_big_high=over_big[1],
                over_better_low=over_better[0],
                over_better_high=over_better[1],
            )


def halves(opinions: Opinions, big: Scorer, codecs: Sequence[str], seed: int) -> Iterator[Bytes]:
    """A policy fixed on each half of the pictures, scored on the other, and both together."""
    every = np.arange(len(opinions.truths))
    sizes = {codec: np.array([big.image_size(codec, every[row : row + 1]) for row in every]) for codec in codecs}
    even = every % 2 == 0
    alone = _right(opinions.by_exit[opinions.last], opinions.truths)
    coded = _half_a_point(opinions, sizes)
    behind = _right(_behind(opinions, coded), opinions.truths)
    right, sent, chosen = np.empty_like(alone), np.empty_like(alone), []
    bytes_sent = np.zeros(len(alone))
    for scored in (even, ~even):
        gate = _fixed(_some(opinions, ~scored), {codec: sizes[codec][~scored].mean() for codec in codecs}, seed)
        right[scored], sent[scored] = _along_the_path(_some(opinions, scored), gate)
        bytes_sent[scored] = np.where(sent, sizes[gate.codec], 0.0)[scored]
        chosen.append(gate.codec)
    for name, rows, codec in (("even", even, chosen[0]), ("odd", ~even, chosen[1]), ("both", even | ~even, "")):
        low, high = _gain(right[rows], alone[rows])
        coded_bytes = float(sizes[coded][rows].mean())
        yield Bytes(
            scored=name,
            codec=codec or ", ".join(dict.fromkeys(chosen)),
            deferred=float(sent[rows].mean()),
            bytes=float(bytes_sent[rows].mean()),
            accuracy=float(right[rows].mean()),
            over_big=100 * float(right[rows].mean() - alone[rows].mean()),
            over_big_low=low,
            over_big_high=high,
            coded=coded,
            coded_bytes=coded_bytes,
            coded_accuracy=float(behind[rows].mean()),
            share=float(bytes_sent[rows].mean()) / coded_bytes,
        )


def _half_a_point(opinions: Opinions, sizes: Mapping[str, Floats]) -> str:
    """The codec of the fewest bytes behind which the big network loses at most half a point of all pictures."""
    alone = _right(opinions.by_exit[opinions.last], opinions.truths).mean()
    right = {codec: _right(_behind(opinions, codec), opinions.truths).mean() for codec in sizes}
    good = [codec for codec in sizes if right[codec] >= alone - HALF_A_POINT]
    return min(good, key=lambda codec: float(sizes[codec].mean()))


def _fixed(opinions: Opinions, sizes: Mapping[str, float], seed: int) -> Gate:
    """Of the gates behind each codec that are as accurate here as the big network alone, that of the fewest bytes."""
    promise, exit = Promise(FRUGAL_DROP, LEVEL), min(opinions.by_exit)
    gates = [steps_of(opinions, exit, codec, promise, seed)[0] for codec in sizes]
    alone = _right(opinions.by_exit[opinions.last], opinions.truths).mean()
    good = [gate for gate in gates if gate.accuracy >= alone] or [gate for gate in gates if gate.codec == SOURCE]
    return min(good, key=lambda gate: gate.deferred * sizes[gate.codec])


def _along_the_path(opinions: Opinions, gate: Gate) -> tuple[Right, Right]:
    """Whether each picture's answer is right, and whether it was sent."""
    first = opinions.by_exit[gate.exit]
    last = pooled([first, _behind(opinions, gate.codec)], gate.weights)
    sent = confidence(first) < (np.inf if gate.confidence is None else gate.confidence)
    return np.where(sent, _right(last, opinions.truths), _right(first, opinions.truths)), sent


def _behind(opinions: Opinions, codec: str) -> Floats:
    return opinions.by_exit[opinions.last] if codec == SOURCE else opinions.coded[codec]


def _some(opinions: Opinions, rows: Right) -> Opinions:
    by_exit = {exit: scores[rows] for exit, scores in opinions.by_exit.items()}
    coded = {codec: scores[rows] for codec, scores in opinions.coded.items()}
    return opinions._replace(by_exit=by_exit, coded=coded, truths=opinions.truths[rows])


def _cascade(early: Floats, late: Floats) -> Floats:
    """The least sure of the early answers replaced by the late ones; no label says how many."""
    sure = confidence(early)
    return np.where((sure >= np.quantile(sure, DEFERRED))[:, None], early, late)


def _answers(model: Model, engine: OnnxRuntimeEngine, examples: Any, codec: str | None) -> Floats:
    scorer = Scorer(model, engine, examples, lambda outputs, _: outputs[0].ravel())
    return log_probabilities(np.stack(scorer.score(codec).verdicts[-1]))


def _size(model: Model, engine: OnnxRuntimeEngine, examples: Examples, codec: str) -> float:
    return Scorer(model, engine, examples, lambda *_: None).image_size(codec, np.arange(len(examples)))


def _right(scores: Floats, truths: NDArray[np.int64]) -> Right:
    right: Right = scores.argmax(axis=1) == truths
    return right


def _gain(right: Right, other: Right) -> tuple[float, float]:
    """In points, in pairs."""
    change = SameLabel([], "top-1").change(other.astype(float).tolist(), right.astype(float).tolist())
    return 100 * change.low, 100 * change.high


def main(arguments: list[str] | None = None) -> int:
    """Prints both tables; 1 where more promises were broken than may be."""
    parser = command.options(__doc__)
    parser.add_argument("bundle", help="two classifiers with their configurations, SMALL.onnx+BIG.onnx")
    parser.add_argument("--data", type=Path, required=True, help="labelled pictures")
    parser.add_argument("--codec", action="append", default=[], help="of pictures; jpeg-25 if none")
    parser.add_argument("--ladder", action="append", default=[], help="codecs to choose among; those of edgent if none")
    parser.add_argument("--draws", type=int, default=200, help="calibration sets (200)")
    parser.add_argument("--pictures", type=int, default=250, help="of each (250)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    codecs = options.codec or ["jpeg-25"]
    bundle, examples = load(options.bundle), opened(read_listing(options.data, recognised(options.data)))
    ladder = list(dict.fromkeys([*codecs, *(options.ladder or LADDER)]))
    opinions = answers_of(bundle, examples, OnnxRuntimeEngine(), ladder)
    promises = list(kept(opinions, options.draws, options.pictures, options.seed))
    together = list(ways(bundle, examples, opinions, codecs, options.seed))
    big = Scorer(load(bundle.members[-1]), OnnxRuntimeEngine(), examples, lambda *_: None)
    frugal = list(halves(opinions, big, [SOURCE, *ladder], options.seed))
    found: Mapping[str, Any] = {
        "model": bundle.name,
        "data": examples.name,
        "pictures": len(examples),
        "promises": [asdict(row) for row in promises],
        "together": [asdict(row) for row in together],
        "bytes": [asdict(row) for row in frugal],
    }
    command.show(
        options,
        found,
        lambda: print(*(aligned(found[part]) for part in ("promises", "together", "bytes")), sep="\n\n"),
    )
    ours = [row for row in promises if row.gate == "learn then test"]
    return int(any(row.broken > row.broken_at_most for row in ours))


if __name__ == "__main__":
    command.run(main)
