"""The values that planning ends in: a configuration, its stages, and the plan made of both.

A *configuration* is what device and edge are told to do; it has no times, so it can be compared, kept in a map and used
again under other conditions. A *plan* is a configuration with what it is predicted to take under the conditions of one
moment. Both are written to files and read back, so their fields and the keys of their documents are contracts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgent.codec.calibration import MEASURES, MeasureName
from edgent.document import Node, keys_of
from edgent.errors import InputError
from edgent.planning.gates import Gate, read_gate
from edgent.units import Seconds

SourceKind = Literal["image", "array"]
"""What a request brings: a coded image, or tensors."""

RAW = "float32"
"""The codec of tensors that cross as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Which exit answers, what runs where, and how the crossing tensors are encoded.

    Layers [0, upload_cut) run on the device (the head), [upload_cut, download_cut) on the edge (the middle), the rest
    on the device again (the suffix). Device-only is n, n with raw codecs; the edge-only plan is 0, n; Neurosurgeon's
    direction u, n; the paper's 0, d.
    """

    exit: int
    upload_cut: int
    download_cut: int
    codec: str = RAW
    download_codec: str = RAW

    def __post_init__(self) -> None:
        if self.exit < 0 or not 0 <= self.upload_cut <= self.download_cut:
            raise InputError(
                f"exit {self.exit}, cuts {self.upload_cut}..{self.download_cut}: "
                "expected numbers from 0, the upload cut not after the download cut"
            )
        # One way to write each configuration: else the device alone would have a different name for each codec, and
        # its sessions would be made again for each.
        if self.device_only and (self.codec, self.download_codec) != (RAW, RAW):
            raise InputError(f"codecs {self.codec}, {self.download_codec}: nothing crosses, expected {RAW} for both")

    @property
    def device_only(self) -> bool:
        """Whether the device does everything itself: nothing lies between the two cuts."""
        return self.upload_cut == self.download_cut

    @property
    def codecs(self) -> str:
        """Its codecs in words: "webp-90", or "uint8 and float16" where what comes down is encoded too."""
        # The codec upwards is always named, the one downwards only where there is one: answers return as they are.
        return self.codec if self.download_codec == RAW else f"{self.codec} and {self.download_codec}"

    @classmethod
    def from_node(cls, node: Node) -> Configuration:
        """Reads its fields, whatever else is beside them.

        Raises:
            InputError: values that no configuration has.
        """
        return cls(
            exit=node.whole("exit"),
            upload_cut=node.whole("upload_cut"),
            download_cut=node.whole("download_cut"),
            codec=node.text("codec"),
            download_codec=node.text("download_codec"),
        )


class Configurations(dict[int, Configuration]):
    """The configurations of a table, by row: each is made when it is first asked for.

    A table may have 100,000 rows; a device asks for a few of them, at each request.

    Args:
        columns: exit, upload cut, download cut, and the positions of both codecs, shape (m,) each.
        codecs: names of the codecs.
    """

    def __init__(self, columns: Sequence[NDArray[np.int32]], codecs: tuple[str, ...]) -> None:
        # The columns and not the table, which would keep itself alive by its own configurations.
        self._columns, self._codecs = columns, codecs

    def __missing__(self, row: int) -> Configuration:
        exit, upload_cut, download_cut, codec, download_codec = (int(column[row]) for column in self._columns)
        configuration = self[row] = Configuration(
            exit=exit,
            upload_cut=upload_cut,
            download_cut=download_cut,
            codec=self._codecs[codec],
            download_codec=self._codecs[download_codec],
        )
        return configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """Where the time of one inference goes, in seconds, in the order in which it goes.

    Attributes:
        prepare: Device: from the input as it comes to what the head or the codec reads.
        head: Device: layers before the upload cut.
        encode: Device: encoding what goes up.
        uplink: Until the edge has everything, the round trip included.
        queue: Waiting for the device's other requests, and at the edge.
        middle: Edge: decoding, layers between the cuts, encoding.
        downlink: What comes down, on the wire.
        suffix: Device: decoding, and the layers after the download cut.
    """

    prepare: float = 0.0
    head: float = 0.0
    encode: float = 0.0
    uplink: float = 0.0
    queue: float = 0.0
    middle: float = 0.0
    downlink: float = 0.0
    suffix: float = 0.0

    @property
    def device(self) -> Seconds:
        """Seconds of the device's own work."""
        return Seconds(self.prepare + self.head + self.encode + self.suffix)

    @property
    def link(self) -> Seconds:
        """Seconds on the link, both ways."""
        return Seconds(self.uplink + self.downlink)

    @property
    def edge(self) -> Seconds:
        """Seconds at the edge, its queue included."""
        return Seconds(self.queue + self.middle)

    @property
    def dominating(self) -> str:
        """The stage that takes longest."""
        # What to work on first: no other stage can save as much.
        return max(STAGES, key=lambda stage: getattr(self, stage))

    @property
    def total(self) -> Seconds:
        """The whole latency."""
        return Seconds(sum(getattr(self, stage) for stage in STAGES))

    def document(self) -> dict[str, float]:
        """The stages in milliseconds, to the nanosecond, without the total."""
        # The total is the sum of these, and stands beside them where it is written; read back, it is added up anew.
        return {stage: milliseconds(getattr(self, stage)) for stage in STAGES}

    @classmethod
    def from_node(cls, node: Node) -> Stages:
        """Reads what `document` gave."""
        return cls(**{stage: node.number(stage) / 1e3 for stage in STAGES})


STAGES = tuple(f.name for f in fields(Stages))
ALONE = ("prepare", "head", "queue")
"""Those of a device without an edge: none of the others can take time there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The candidate chosen, with what it is predicted to take.

    Attributes:
        configuration: What to do.
        accuracy: Measured accuracy of that configuration, codecs included, 0..1; None where it is not known.
        measure: What that is: an accuracy, or the agreement or fidelity of a calibration without labels.
        meets_deadline: Whether the predicted latency is within the deadline.
        stages: The predicted latency.
        bytes_up: Encoded bytes of what goes up, without headers; None in a plan that was read from a document.
        bytes_down: The same for what comes down.
        layers: Layers of the branch (n); None in a plan that was read from a document.
        chance: Probability of being in time; None where the bandwidth was taken for certain.
        trial: Whether the edge is not relied on yet: the device answers beside it, as it would by itself.
        gate: What the device answers first; the rest of the plan, and all that it is predicted to take, is for pictures
            of which it is not sure. None: it is for all.
    """

    configuration: Configuration
    accuracy: float | None
    meets_deadline: bool
    stages: Stages
    bytes_up: float | None = None
    bytes_down: float | None = None
    layers: int | None = None
    chance: float | None = None
    measure: MeasureName = "accuracy"
    trial: bool = False
    gate: Gate | None = None

    @property
    def deferred(self) -> float:
        """Share of the pictures about which the edge is asked."""
        if self.configuration.device_only:
            return 0.0
        return 1.0 if self.gate is None else self.gate.deferred

    def document(self) -> dict[str, object]:
        """The plan as JSON has it: null where the accuracy is unknown, latencies in milliseconds.

        An agreement or a fidelity has a key of its own name instead, and the accuracy is null.
        """
        return {
            **asdict(self.configuration),
            # First null and then perhaps overwritten: the key is always there, and never holds what is no accuracy.
            "accuracy": None,
            self.measure: self.accuracy,
            "meets_deadline": self.meets_deadline,
            "latency_ms": {**self.stages.document(), "total": milliseconds(self.stages.total)},
            **({} if self.gate is None else {"gate": asdict(self.gate)}),
        }

    @classmethod
    def from_node(cls, node: Node) -> Plan:
        """Reads what `document` gave; bytes and layers are not in it.

        Raises:
            InputError: values that no plan has.
        """
        # Which key has a number says what was measured. Where none has, the accuracy is unknown.
        measure = next((name for name in MEASURES if node.values.get(name) is not None), MEASURES[0])
        return cls(
            configuration=Configuration.from_node(node),
            accuracy=None if node.absent(measure) else node.number(measure),
            measure=measure,
            meets_deadline=node.truth("meets_deadline"),
            stages=Stages.from_node(node.node("latency_ms", (*STAGES, "total"))),
            gate=read_gate(node.node("gate", keys_of(Gate))) if "gate" in node.values else None,
        )

    def __repr__(self) -> str:
        plan, stages = self.configuration, self.stages
        layers = "" if self.layers is None else f"/{self.layers}"
        parts = " + ".join(f"{seconds * 1e3:.1f}" for seconds in (stages.device, stages.link, stages.edge))
        unless = "" if self.gate is None else f" unless exit {self.gate.exit} is sure ({self.gate.accepted:.0%})"
        return (
            f"<Plan exit {plan.exit} cuts {plan.upload_cut}..{plan.download_cut}{layers} {plan.codecs}{unless}: "
            f"{parts} = {stages.total * 1e3:.1f} ms{'' if self.meets_deadline else ', too late'}>"
        )


def plan_keys(document: object) -> tuple[str, ...]:
    """The keys of a plan's document: whatever its number is called, and with a gate where it has one."""
    # A reader that checks keys strictly must accept such a key where the document has it, and only there.
    others = [name for name in (*MEASURES[1:], "gate") if isinstance(document, dict) and name in document]
    return (*PLAN_KEYS, *others)


PLAN_KEYS = (*(f.name for f in fields(Configuration)), "accuracy", "meets_deadline", "latency_ms")


def milliseconds(seconds: float) -> float:
    """Milliseconds for print, rounded to the nanosecond so that rounding errors do not show."""
    return round(seconds * 1e3, 6)
