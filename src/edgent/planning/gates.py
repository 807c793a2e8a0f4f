"""Gates: when the answer of an early exit is good enough, and what a later one's adds to it.

A gate belongs to a model and to data, not to a machine. It is a JSON file of schema 1, written by `edgent gate`. Its
accuracies are along the path that each picture takes: the pictures of which the early exit is unsure are the hard ones,
so what is right of those cannot be had from the accuracies of whole networks.

Of the same exits and codec there may be several, as *steps*: the one that keeps the promise, and others that ask about
fewer pictures. A full edge cannot answer everybody, so a device that is turned away asks about the pictures of which it
is least sure. Which step that is, its `share` of the edge says (`edgent.device.connection.link_follower`).
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgent.codec.calibration import MeasureName, Span, read_measure
from edgent.codec.names import check_codec, is_image_codec, is_lossless
from edgent.document import Document, Node, keys_of
from edgent.errors import InputError
from edgent.model.tasks.class_probabilities import confidence, log_probabilities, pooled

if TYPE_CHECKING:
    from edgent.model import Model

LATER_ALONE = (0.0, 1.0)
"""The weights with which the later exit's answer stands by itself."""

_SHARES = ("accepted", "lost", "accuracy", "ungated", "alone", "standing", "asked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """An early exit whose sure answers are taken, and the later exit that is asked about the others.

    Attributes:
        exit: The one that answers first.
        later: The one that is asked where the first is not sure.
        codec: By which the picture comes to the later one.
        confidence: From which on the first answer is taken; None: it never is.
        accepted: Share of the pictures whose first answer is taken.
        lost: Share of them all whose first answer is taken and wrong, where without a gate it would be right.
        accuracy: Of all pictures, along the path that each takes.
        ungated: Accuracy where the later exit is asked about every picture, and both are combined if that is better.
        alone: Accuracy of the later exit by itself.
        standing: Accuracy of the first answers that are not taken: what remains where nothing better comes in time.
        asked: Accuracy of the last answers to the same pictures.
        weights: Of both in the last answer; `LATER_ALONE` where combining them was not measured to be better.
        gain: 95 % interval of what combining adds to the later exit's accuracy, by cross-fitting, in pairs.
        samples: How many pictures all that rests on.
    """

    exit: int
    later: int
    codec: str
    confidence: float | None
    accepted: float
    lost: float
    accuracy: float
    ungated: float
    alone: float
    standing: float
    asked: float
    weights: tuple[float, float]
    gain: Span
    samples: int

    def __post_init__(self) -> None:
        check_codec(self.codec)
        if not is_image_codec(self.codec):
            raise InputError(f"codec: found {self.codec!r}, expected one of pictures, as source")
        if not 0 <= self.exit < self.later:
            raise InputError(f"exits {self.exit} and {self.later}: expected an exit, from 0, and a later one")
        if self.samples < 1:
            raise InputError(f"samples: found {self.samples}, expected 1 or more")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name}: found {getattr(self, name)!r}, expected a fraction 0..1")

    def serves(self, codec: str) -> bool:
        """Whether the later exit sees by a codec what it saw when this was measured."""
        # What loses nothing shows it the same picture, whichever codec it is.
        return codec == self.codec or (is_lossless(codec) and is_lossless(self.codec))

    @property
    def combines(self) -> bool:
        """Whether the last answer is made of both."""
        return self.weights != LATER_ALONE

    @property
    def deferred(self) -> float:
        """Share of the pictures about which the later exit is asked."""
        return 1.0 - self.accepted

    @property
    def overtaken(self) -> float:
        """What accuracy the later exit's answers add to the first ones: none where they are late."""
        return self.deferred * max(0.0, self.asked - self.standing)

    def __str__(self) -> str:
        last = f"exit {self.later} is asked, and both are combined" if self.combines else f"exit {self.later} is asked"
        if self.confidence is None:
            return f"exit {self.exit} answers first and {last}"
        sure = f"{self.confidence * 100:.3g} % sure ({self.accepted * 100:.0f} % of the pictures)"
        return f"exit {self.exit} answers first, and where it is not {sure} {last}"

    def accepts(self, scores: NDArray[Any]) -> bool:
        """Whether the first answer is taken, by the scores of its classes."""
        return self.confidence is not None and bool(confidence(log_probabilities(scores)) >= self.confidence)

    def combined(self, first: NDArray[Any], last: NDArray[Any]) -> NDArray[np.float32]:
        """The classes' shares by both answers, from their scores.

        Raises:
            InputError: answers about different classes.
        """
        if first.shape != last.shape:
            raise InputError(f"found answers of {first.size} and {last.size} classes, expected the same classes")
        shares = np.exp(pooled([log_probabilities(first), log_probabilities(last)], self.weights))
        return shares.astype(np.float32)


@dataclass(frozen=True, kw_only=True)  # without slots: its spans are kept
class Gates(Document):
    """What was measured of a model's gates on data.

    Attributes:
        model: The model's name.
        digest: Its digest.
        data: The data set.
        measure: What the accuracies are: an accuracy beside labels, or the agreement with the model's own last exit.
        max_drop: The share of the pictures that each gate loses at most.
        confidence_level: Probability that it keeps to that; None: it does so in the mean over calibrations.
        gates: By exit, later exit and codec.
    """

    KIND = "gate file"
    AGAIN = "make it again: edgent gate MODEL --data DIR --max-drop PERCENT"

    model: str
    digest: str
    data: str
    measure: MeasureName
    max_drop: float
    confidence_level: float | None
    gates: tuple[Gate, ...]

    @property
    def promised(self) -> tuple[Gate, ...]:
        """Those that keep the promise: of all steps the one that asks most."""
        return tuple(self.gates[place] for place in sorted(places[-1] for places in self._steps))

    @property
    def has_steps(self) -> bool:
        """Whether a device can give way to others by asking less."""
        return len(self.promised) < len(self.gates)

    @cached_property
    def spans(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """For which shares of the edge each is in play: from the one, and below the other; shape (n,) each.

        At any share, of the steps between the same exits by the same codec one is in play; one without others always.
        """
        # A step asks about a part of what the promise's gate asks about. It is in play from that part on until the next
        # larger one is; the least also where the share is below it, or nobody would ever learn that there is room.
        low, high = np.zeros(len(self.gates)), np.full(len(self.gates), math.inf)
        for places in self._steps:
            most = self.gates[places[-1]].deferred
            for less, more in pairwise(places):
                low[more] = high[less] = self.gates[more].deferred / most if most else 0.0
        return low, high

    @property
    def forgone(self) -> NDArray[np.float64]:
        """What accuracy each gives up beyond what the gate does that keeps the promise, shape (n,)."""
        forgone = np.zeros(len(self.gates))
        for places in self._steps:
            forgone[places] = [self.gates[places[-1]].accuracy - self.gates[place].accuracy for place in places]
        return np.maximum(forgone, 0.0)

    @property
    def _steps(self) -> list[list[int]]:
        """The places of those between the same exits by the same codec, the one that asks least first."""
        steps: dict[tuple[int, int, str], list[int]] = {}
        for place, gate in sorted(enumerate(self.gates), key=lambda item: item[1].deferred):
            steps.setdefault((gate.exit, gate.later, gate.codec), []).append(place)
        return list(steps.values())

    @property
    def deferred(self) -> NDArray[np.float64]:
        """See `Gate`; of each, shape (n,)."""
        return np.array([gate.deferred for gate in self.gates])

    @property
    def overtaken(self) -> NDArray[np.float64]:
        """See `Gate`; of each, shape (n,)."""
        return np.array([gate.overtaken for gate in self.gates])

    def check(self, model: Model) -> None:
        """Makes sure that they are of a model.

        Raises:
            InputError: they are of another one, or of another version of it.
        """
        if self.digest != model.digest:
            raise InputError(
                f"the gates are of {self.model} version {self.digest[:12]}, the model is {model.name} version "
                f"{model.version}: {self.AGAIN}"
            )

    def to_json(self) -> str:
        """The file's text; the same gates always give the same text."""
        return json.dumps({"schema": self.SCHEMA, **asdict(self)}, indent=1, allow_nan=False) + "\n"

    @classmethod
    def _read(cls, document: object) -> Gates:
        node = Node(document, cls.KIND, ("schema", *keys_of(cls)))
        return cls(
            model=node.text("model"),
            digest=node.text("digest"),
            data=node.text("data"),
            measure=read_measure(node),
            max_drop=node.number("max_drop"),
            confidence_level=None if node.absent("confidence_level") else node.number("confidence_level"),
            gates=tuple(map(read_gate, node.nodes("gates", keys_of(Gate)))),
        )


def read_gate(node: Node) -> Gate:
    """Reads what `asdict` makes of a gate.

    Raises:
        InputError: values that no gate has.
    """
    return Gate(
        exit=node.whole("exit"),
        later=node.whole("later"),
        codec=node.text("codec"),
        confidence=None if node.absent("confidence") else node.number("confidence"),
        weights=_two(node, node.numbers("weights"), "weights"),
        gain=_two(node, node.reals("gain"), "gain"),
        samples=node.whole("samples"),
        **{name: node.number(name) for name in _SHARES},
    )


def _two(node: Node, numbers: tuple[float, ...], key: str) -> tuple[float, float]:
    if len(numbers) != 2:
        raise InputError(f"{node.place}.{key}: found {len(numbers)} numbers, expected two")
    return numbers[0], numbers[1]
