"""What two networks answer to each picture, alone and together, and by which gate: computed once, kept as a part.

Gates and weights are those of `edgent gate`, fitted on one half of the pictures and used on the other, both ways round:
no picture is judged by a gate that has seen it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgent.codec import is_lossless
from edgent.engine.engine import Engine
from edgent.errors import InputError
from edgent.evaluation.calibration_files import members_of
from edgent.evaluation.data.examples import Examples
from edgent.evaluation.gates.gating import STEPS, Opinions, Promise, answers_of, steps_of
from edgent.evaluation.scoring import Scorer
from edgent.lab.cameras.parameters import CASCADE_SHARE, LEAST_PICTURES, LEVEL, MAX_DROP
from edgent.model import Model
from edgent.model.tasks.class_probabilities import Floats, confidence, pooled
from edgent.planning.gates import Gate, Gates
from edgent.profiling.timing import Progress

Marks = NDArray[np.bool_]
"""Yes or no for each picture, shape (n,)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """What is known of each picture; arrays of shape (..., n), of the edge's answers one for each codec.

    Attributes:
        truths: the class that is right, by its number.
        half: which half it is in.
        small: whether the device's own answer is right.
        big: whether the edge's is, by the codec that the picture came by.
        both: whether the last answer is right that a gated plan gives: of both together where that was better. Only by
            codecs that there is a gate for.
        sure: whether the gate takes the device's answer, and each of its steps; shape (steps, n).
        clear: whether a plain cascade does.
        nbytes: of the picture on its way.
    """

    truths: NDArray[np.int64]
    half: NDArray[np.int64]
    small: Marks
    big: Mapping[str, Marks]
    both: Mapping[str, Marks]
    sure: Mapping[str, Marks]
    clear: Marks
    nbytes: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.small)

    @property
    def codecs(self) -> tuple[str, ...]:
        """By which the edge was asked."""
        return tuple(self.big)

    def of(self, rows: Sequence[int]) -> Facts:
        """The same of some pictures."""
        picked = np.array(rows, np.intp)

        def those(value: Any) -> Any:
            return (
                {codec: of_codec[..., picked] for codec, of_codec in value.items()}
                if isinstance(value, Mapping)
                else value[picked]
            )

        return Facts(**{entry.name: those(getattr(self, entry.name)) for entry in fields(self)})

    def to_json(self) -> dict[str, Any]:
        """As JSON has it; `read_facts` reads it."""
        return {
            name: {codec: array.tolist() for codec, array in value.items()}
            if isinstance(value, Mapping)
            else value.tolist()
            for name, value in asdict(self).items()
        }


def read_facts(document: Mapping[str, Any]) -> Facts:
    """What `Facts.to_json` wrote."""

    def arrays(value: Any) -> Any:
        if isinstance(value, dict):
            return {codec: np.array(of_codec) for codec, of_codec in value.items()}
        return np.array(value)

    return Facts(**{name: arrays(value) for name, value in document.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The two networks of a bundle: the most accurate one, and the best that is in another file.

    Attributes:
        small: the device's, and the number of its exit in its file.
        big: the edge's, likewise.
        exits: both exits' numbers in the bundle.
    """

    small: tuple[Model, int]
    big: tuple[Model, int]
    exits: tuple[int, int]


def pair_of(bundle: Model) -> Pair:
    """The two networks; of a single file with several exits the one before the last, and the last.

    Raises:
        InputError: it has one exit only.
    """
    places = [
        (inside.exit(branch.exit), inside.member, branch.exit)
        for inside in members_of(bundle)
        for branch in inside.member.branches
    ]
    last = max(places, key=lambda place: place[0])
    others = [place for place in places if place[1] is not last[1]] or [p for p in places if p != last]
    first = max(others, key=lambda place: place[0])
    return Pair(small=first[1:], big=last[1:], exits=(first[0], last[0]))


def measure_facts(
    bundle: Model,
    examples: Examples,
    engine: Engine,
    codecs: Sequence[str],
    gates: Gates | None = None,
    progress: Progress | None = None,
) -> tuple[Facts, Gates]:
    """Runs both networks on every picture, behind every codec.

    Args:
        bundle: classifiers of the same classes.
        examples: pictures that none of them was trained on, with labels.
        engine: runs them.
        codecs: by which pictures may be sent.
        gates: that were fitted on other pictures; None: they are fitted on these, half by half.
        progress: called with the passes over all pictures that are done, and their number.

    Returns:
        The facts; and the gates given, else those of the first half, for whoever shows pictures of the second.

    Raises:
        InputError: too few pictures for a gate on each half; networks that are no classifiers.
    """
    if gates is None:  # before every picture is asked about: too few are too few whatever is answered to them
        promise_for(len(examples) // 2)
    lossy = [codec for codec in codecs if not is_lossless(codec)]
    pair, opinions = pair_of(bundle), answers_of(bundle, examples, engine, lossy, progress)
    sizes = Scorer(pair.big[0], engine, examples, lambda *_: None)
    nbytes = {
        codec: np.array([sizes.image_size(codec, np.array([row])) for row in range(len(examples))]) for codec in codecs
    }
    facts = facts_of(opinions, pair.exits, nbytes, gates)
    if gates is not None:
        return facts, gates
    fitted = _fitted(opinions, facts.half == 0, pair.exits[0], codecs)
    promise = promise_for(int((facts.half == 0).sum()))
    return facts, Gates(
        model=bundle.name,
        digest=bundle.digest,
        data=f"one half of {examples.name}",
        measure=opinions.measure,
        max_drop=promise.max_drop,
        confidence_level=promise.level,
        gates=tuple(gate for steps in fitted.values() for gate in steps),
    )


def promise_for(pictures: int) -> Promise:
    """What gates promise that are fitted on so many pictures: what they always do, or the least that is left.

    Raises:
        InputError: so few that it would be no promise.
    """
    if pictures < LEAST_PICTURES // 2:
        raise InputError(
            f"found {2 * pictures} pictures, expected {LEAST_PICTURES} or more: gates are fitted on one half and used "
            "on the other; give more, or make gates of other pictures beforehand (edgent gate)"
        )
    promise = Promise(MAX_DROP, LEVEL)
    with suppress(InputError):
        promise.allowed(pictures)
        return promise
    return Promise(1 / (pictures + 1), None)


def facts_of(
    opinions: Opinions,
    exits: tuple[int, int],
    nbytes: Mapping[str, Floats],
    gates: Gates | None = None,
    seed: int = 0,
) -> Facts:
    """What follows from the answers. Pure.

    Args:
        opinions: of all exits.
        exits: of the device's network and of the edge's.
        nbytes: of each picture, by codec.
        gates: that were fitted on other pictures; None: each half's are fitted on the other one.
        seed: of the halves.
    """
    early, truths = opinions.by_exit[exits[0]], opinions.truths
    late = {codec: opinions.coded.get(codec, opinions.by_exit[exits[1]]) for codec in nbytes}
    half = np.random.default_rng(seed).permutation(len(truths)) % 2
    given = None if gates is None else _given(gates, exits, nbytes)
    counts = dict.fromkeys(nbytes, len(STEPS)) if given is None else {codec: len(given[codec]) for codec in given}
    both = {codec: np.zeros(len(truths), dtype=np.bool_) for codec in counts}
    sure = {codec: np.zeros((count, len(truths)), dtype=np.bool_) for codec, count in counts.items()}
    clear = np.zeros(len(truths), dtype=np.bool_)
    for seen, rows in ((half == 0, half == 1), (half == 1, half == 0)):
        clear[rows] = confidence(early[rows]) >= np.quantile(confidence(early[seen]), CASCADE_SHARE)
        by_codec = _fitted(opinions, seen, exits[0], tuple(nbytes)) if given is None else given
        for codec, steps in by_codec.items():
            last = pooled([early[rows], late[codec][rows]], steps[0].weights)
            both[codec][rows] = last.argmax(axis=1) == truths[rows]
            # Where two steps are one, the last one stands for that which is not there.
            for number in range(counts[codec]):
                gate = steps[min(number, len(steps) - 1)]
                sure[codec][number, rows] = gate.confidence is not None and confidence(early[rows]) >= gate.confidence
    return Facts(
        truths=truths,
        half=half,
        small=early.argmax(axis=1) == truths,
        big={codec: scores.argmax(axis=1) == truths for codec, scores in late.items()},
        both=both,
        sure=sure,
        clear=clear,
        nbytes=dict(nbytes),
    )


def _fitted(opinions: Opinions, rows: Marks, exit: int, codecs: Sequence[str]) -> dict[str, tuple[Gate, ...]]:
    seen, promise = _of_rows(opinions, rows), promise_for(int(rows.sum()))
    return {codec: steps_of(seen, exit, codec, promise) for codec in codecs}


def _given(gates: Gates, exits: tuple[int, int], codecs: Iterable[str]) -> dict[str, tuple[Gate, ...]]:
    """Of each codec the gate that was measured of it with its steps, if one was; the one that asks most comes first."""
    fitting = sorted((gate for gate in gates.gates if (gate.exit, gate.later) == exits), key=lambda gate: gate.accepted)
    steps = {codec: tuple(gate for gate in fitting if gate.serves(codec)) for codec in codecs}
    return {codec: of_codec for codec, of_codec in steps.items() if of_codec}


def _of_rows(opinions: Opinions, rows: Marks) -> Opinions:
    return opinions._replace(
        by_exit={exit: scores[rows] for exit, scores in opinions.by_exit.items()},
        coded={codec: scores[rows] for codec, scores in opinions.coded.items()},
        truths=opinions.truths[rows],
    )
