"""What codecs make of a model's boundaries: encoded sizes, and the accuracy behind each lossy one.

A calibration belongs to a model and to data, not to a machine. It is a JSON file of schema 1, written by
`edgent evaluate`; the planner offers a lossy codec only where it finds its entry here.

*Accuracy* here is what its `measure` says: an accuracy only where people have labelled the pictures, an *agreement*
with another model, or a *fidelity* to the model itself, undivided. The numbers of one file are compared with each
other, and never with those of another measure.

Where so many pictures cannot tell two of them apart, they *count as* equal: each entry has the interval of its change,
measured in pairs on the same pictures, and one that contains zero is no change.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal, TypeVar

from edgent.codec.names import base_codec, check_codec, is_lossless
from edgent.document import Document, Node, keys_of
from edgent.errors import InputError

_OPTIONAL = {"measure": "accuracy", "metric": "", "reference": "", "exits": []}  # what older files do not say
_DIGEST = re.compile(r"[0-9a-f]{64}")

# Of float32 tensors: bytes out per raw byte, and bytes more for each tensor.
_FIXED_SIZES: Mapping[str, tuple[float, int]] = {"float32": (1, 0), "float16": (1 / 2, 0), "uint8": (1 / 4, 8)}

_Entry = TypeVar("_Entry", "EncodedSize", "CodecAccuracy", "ExitAccuracy")

MeasureName = Literal["accuracy", "agreement", "fidelity"]
MEASURES: tuple[MeasureName, ...] = ("accuracy", "agreement", "fidelity")

Span = tuple[float, float]
"""An interval: from, to."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class EncodedSize:
    """How large a boundary is behind a codec.

    Attributes:
        tensors: Names of the tensors that cross together, sorted; for an image codec, the model's input.
        codec: The codec that all of them cross by.
        mean_bytes: Bytes of all of them together, on average.
        samples: How many inputs that is the average of.
    """

    tensors: tuple[str, ...]
    codec: str
    mean_bytes: float
    samples: int

    def __post_init__(self) -> None:
        _check_crossing(self.tensors, self.codec, self.samples)
        if not 0 <= self.mean_bytes < math.inf:
            raise InputError(f"mean_bytes: found {self.mean_bytes!r}, expected a finite number, 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class CodecAccuracy:
    """How often an exit is right when some tensors are not what they were.

    It does not matter which way the tensors travelled, so there is no direction. A pair of lossy crossings is the set
    of the tensors of both.

    Attributes:
        exit: The exit that answers; 0 is the earliest.
        tensors: Names of the tensors that crossed, sorted; for an image codec, the model's input.
        codec: The lossy codec, without "+zstd", which changes no value.
        accuracy: Fraction of right answers, 0..1.
        samples: How many inputs that is a fraction of.
        change: 95 % interval of what the codec adds to the exit's accuracy, in pairs; None: nobody measured it.
    """

    exit: int
    tensors: tuple[str, ...]
    codec: str
    accuracy: float
    samples: int
    change: Span | None = None

    def __post_init__(self) -> None:
        _check_crossing(self.tensors, self.codec, self.samples)
        if self.exit < 0:
            raise InputError(f"exit: found {self.exit}, expected 0 or more")
        if is_lossless(self.codec) or base_codec(self.codec) != self.codec:
            raise InputError(f"codec: found {self.codec!r} with an accuracy, expected a lossy one without '+zstd'")
        if not 0 <= self.accuracy <= 1:
            raise InputError(f"accuracy: found {self.accuracy!r}, expected a fraction 0..1")
        _check_span("change", self.change)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ExitAccuracy:
    """How often an exit is right when nothing is lost on the way.

    Attributes:
        exit: The exit; 0 is the earliest.
        accuracy: Fraction of right answers, 0..1.
        samples: How many inputs that is a fraction of.
        interval: 95 % interval of the accuracy.
        change: 95 % interval of how much better it is than the best exit, in pairs.
    """

    exit: int
    accuracy: float
    samples: int
    interval: Span
    change: Span

    def __post_init__(self) -> None:
        if self.exit < 0 or self.samples < 1 or not 0 <= self.accuracy <= 1:
            raise InputError(
                f"exit {self.exit}: found the accuracy {self.accuracy!r} on {self.samples} inputs, expected a fraction "
                "0..1 on 1 or more"
            )
        _check_span("interval", self.interval)
        _check_span("change", self.change)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration(Document):
    """What was measured of a model's codecs on data.

    Attributes:
        model: The model's name.
        digest: The model's digest, 64 hex digits.
        data: The data set that it was measured on: "CIFAR-10 test".
        measure: What its accuracies are.
        metric: The number that they are: "top-1", "mAP 50:95"; empty in files that do not say.
        reference: The model that answers are compared with; empty where they are compared with labels.
        exits: Accuracies of exits when nothing is lost; none where only the model's file knows them.
        sizes: Encoded sizes; kept sorted.
        accuracies: Accuracies behind lossy codecs; kept sorted.
    """

    KIND = "calibration"
    AGAIN = "measure it again: edgent evaluate MODEL --data DIR -o FILE"

    model: str
    digest: str
    data: str
    measure: MeasureName = "accuracy"
    metric: str = ""
    reference: str = ""
    exits: tuple[ExitAccuracy, ...] = ()
    sizes: tuple[EncodedSize, ...] = ()
    accuracies: tuple[CodecAccuracy, ...] = ()
    _sizes: dict[tuple[frozenset[str], str], float] = field(init=False, compare=False)
    _accuracies: dict[tuple[int, frozenset[str], str], CodecAccuracy] = field(init=False, compare=False)
    _exits: dict[int, ExitAccuracy] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.digest):
            raise InputError(f"digest: found {self.digest[:80]!r}, expected 64 lower-case hex digits")
        set_once = object.__setattr__
        set_once(self, "sizes", tuple(sorted(self.sizes)))
        set_once(self, "accuracies", tuple(sorted(self.accuracies, key=_key)))
        set_once(self, "exits", tuple(sorted(self.exits)))
        # By sets of names, for the order in which tensors cross changes nothing; and by dictionaries, for pricing a
        # model asks thousands of times.
        set_once(self, "_exits", {e.exit: e for e in self.exits})
        set_once(self, "_sizes", {(frozenset(e.tensors), e.codec): e.mean_bytes for e in self.sizes})
        set_once(self, "_accuracies", {(e.exit, frozenset(e.tensors), e.codec): e for e in self.accuracies})
        _check_distinct("sizes", self.sizes, [(e.tensors, e.codec) for e in self.sizes])
        if len(self._exits) < len(self.exits):
            raise InputError("exits: found one twice, expected each once")
        _check_distinct("accuracies", self.accuracies, [(e.exit, e.tensors, e.codec) for e in self.accuracies])

    def size(self, tensors: Iterable[str], codec: str, raw_bytes: float) -> float | None:
        """Encoded bytes of tensors that cross together: as measured, or else exact where the codec fixes them.

        Args:
            tensors: Their names, in any order; for an image codec, the model's input.
            codec: The codec that all of them cross by.
            raw_bytes: Their size as float32 tensors before encoding. NaN if unknown.

        Returns:
            Bytes; None where the size depends on the values and was not measured.

        Raises:
            CodecError: there is no such codec.
        """
        # A measured size comes first, also where the codec fixes one: it counts what really crossed, tensors of other
        # types included, which the formula takes for float32.
        names = frozenset(tensors)
        measured = self._sizes.get((names, codec))
        if measured is not None:
            return measured
        # Where the size follows from the type alone (raw, half, bytes) nobody needs to measure it.
        check_codec(codec)
        factor, per_tensor = _FIXED_SIZES.get(codec, (math.nan, 0))
        size = raw_bytes * factor + per_tensor * len(names)
        return size if math.isfinite(size) else None

    def accuracy(self, exit: int, tensors: Iterable[str], codec: str) -> float | None:
        """Accuracy of an exit when these tensors cross by a lossy codec, in whichever direction.

        Args:
            exit: The exit that answers.
            tensors: Their names, in any order; for an image codec, the model's input.
            codec: The codec. A lossless one changes no answer and has no entry: the branch knows its accuracy.

        Returns:
            A fraction; None where it was not measured.

        Raises:
            CodecError: there is no such codec.
        """
        entry = self._entry(exit, tensors, codec)
        return None if entry is None else entry.accuracy

    def counts_as(self, exit: int, tensors: Iterable[str], codec: str) -> float | None:
        """The accuracy by which a planner ranks that: the exit's, where the pictures cannot tell it from that.

        Args and errors: as `accuracy`.
        """
        # A difference that chance explains is none to plan by: else the planner would chase the noise of some hundred
        # pictures.
        entry = self._entry(exit, tensors, codec)
        if entry is None or not _may_be_none(entry.change):
            return None if entry is None else entry.accuracy
        return self.exit_counts_as(exit)

    def exit_accuracy(self, exit: int) -> float | None:
        """Accuracy of an exit when nothing is lost; None where this file does not know."""
        entry = self._exits.get(exit)
        return None if entry is None else entry.accuracy

    def exit_counts_as(self, exit: int) -> float | None:
        """The accuracy by which a planner ranks it: the best exit's, where the pictures cannot tell them apart."""
        # In pairs on the same pictures: two intervals side by side overlap long before the difference is uncertain.
        entry = self._exits.get(exit)
        if entry is None or not _may_be_none(entry.change):
            return None if entry is None else entry.accuracy
        return max(entry.accuracy for entry in self.exits)

    def _entry(self, exit: int, tensors: Iterable[str], codec: str) -> CodecAccuracy | None:
        # What is packed without loss on top of a codec (`+zstd`) changes no answer.
        return self._accuracies.get((exit, frozenset(tensors), base_codec(codec)))

    def to_json(self) -> str:
        """The file's text, one entry a line; the same calibration always gives the same text."""
        # An entry a line: files of two measurements can be compared line by line. Keys that came later are written only
        # where they say something, so that a file of the first kind stays one, and older versions can read it.
        head = {"schema": self.SCHEMA, "model": self.model, "digest": self.digest, "data": self.data}
        if self._says_more:
            head |= {"measure": self.measure, "metric": self.metric, "reference": self.reference}
        lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
        if self._says_more:
            lines.append(_listed("exits", self.exits))
        lines.append(_listed("sizes", self.sizes))
        lines.append(_listed("accuracies", self.accuracies))
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def _read(cls, document: object) -> Calibration:
        node = Node(_with(document, _OPTIONAL), cls.KIND, ("schema", *keys_of(cls)))
        return cls(
            model=node.text("model"),
            digest=node.text("digest"),
            data=node.text("data"),
            measure=read_measure(node),
            metric=node.text("metric", empty=True),
            reference=node.text("reference", empty=True),
            exits=tuple(_read_exit(entry) for entry in node.nodes("exits", keys_of(ExitAccuracy))),
            sizes=tuple(_read_size(entry) for entry in node.nodes("sizes", keys_of(EncodedSize))),
            accuracies=tuple(
                _read_accuracy(Node(_with(entry, {"change": None}), f"accuracies[{k}]", keys_of(CodecAccuracy)))
                for k, entry in enumerate(node.items("accuracies"))
            ),
        )

    @property
    def _says_more(self) -> bool:
        """Whether there is anything to write that files from before these keys do not have."""
        return bool(self.exits or self.metric or self.reference or self.measure != "accuracy")

    def __repr__(self) -> str:
        return (
            f"<Calibration {self.model} {self.digest[:12]} on {self.data}: "
            f"{len(self.sizes)} sizes, {len(self.accuracies)} accuracies>"
        )


def read_measure(node: Node) -> MeasureName:
    """What the numbers of a document are, under its key `measure`.

    Raises:
        InputError: nothing that numbers are here.
    """
    measure = node.text("measure")
    if measure not in MEASURES:
        raise InputError(f"measure: found {measure[:40]!r}, expected one of {', '.join(MEASURES)}")
    return measure


def _read_size(node: Node) -> EncodedSize:
    tensors, codec, samples = node.texts("tensors"), node.text("codec"), node.whole("samples")
    return EncodedSize(tensors=tensors, codec=codec, mean_bytes=node.number("mean_bytes"), samples=samples)


def _read_accuracy(node: Node) -> CodecAccuracy:
    return CodecAccuracy(
        exit=node.whole("exit"),
        tensors=node.texts("tensors"),
        codec=node.text("codec"),
        accuracy=node.number("accuracy"),
        samples=node.whole("samples"),
        change=None if node.absent("change") else _span(node, "change"),
    )


def _read_exit(node: Node) -> ExitAccuracy:
    return ExitAccuracy(
        exit=node.whole("exit"),
        accuracy=node.number("accuracy"),
        samples=node.whole("samples"),
        interval=_span(node, "interval"),
        change=_span(node, "change"),
    )


def _span(node: Node, key: str) -> Span:
    ends = node.reals(key)
    if len(ends) != 2:
        raise InputError(f"{node.place}.{key}: found {len(ends)} numbers, expected two, from and to")
    return ends[0], ends[1]


def _with(document: object, defaults: Mapping[str, object]) -> object:
    """A document's object, with defaults for the keys that it leaves out."""
    return {**defaults, **document} if isinstance(document, dict) else document


def _may_be_none(change: Span | None) -> bool:
    """Whether a change may well be none: its interval contains 0."""
    # Without an interval nobody knows; then the number is taken as it was measured, as before there were intervals.
    return change is not None and change[0] <= 0 <= change[1]


def _check_span(what: str, span: Span | None) -> None:
    if span is not None and not -1 <= span[0] <= span[1] <= 1:
        raise InputError(f"{what}: found {span}, expected two numbers from -1 to 1, the lower one first")


def _key(entry: CodecAccuracy) -> tuple[Hashable, ...]:
    # Without the interval: None and a pair of numbers have no order.
    return entry.exit, entry.tensors, entry.codec


def _listed(key: str, entries: Sequence[_Entry]) -> str:
    lines = ",\n".join(f"  {json.dumps(_stated(entry), sort_keys=True, allow_nan=False)}" for entry in entries)
    return f' "{key}": [\n{lines}\n ]' if entries else f' "{key}": []'


def _stated(entry: _Entry) -> dict[str, object]:
    return {key: value for key, value in asdict(entry).items() if value is not None}


def _check_crossing(tensors: tuple[str, ...], codec: str, samples: int) -> None:
    # One way to write a crossing: an entry with its names in another order would be a second one for the same thing.
    check_codec(codec)
    if not tensors or not all(tensors) or list(tensors) != sorted(set(tensors)):
        raise InputError(f"tensors: found {str(list(tensors))[:60]}, expected names, sorted, each once")
    if samples < 1:
        raise InputError(f"samples: found {samples}, expected 1 or more")


def _check_distinct(what: str, entries: Sequence[EncodedSize | CodecAccuracy], keys: Sequence[Hashable]) -> None:
    for entry, key, previous in zip(entries[1:], keys[1:], keys, strict=False):  # sorted: equal keys are neighbours
        if key == previous:
            raise InputError(f"{what}: found {entry.codec!r} of {', '.join(entry.tensors)[:60]!r} twice, expected once")
