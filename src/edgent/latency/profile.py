"""The profile: the times that one machine takes for one model, its codecs and its pictures.

A profile is a JSON file of schema 1. All times in it are seconds. It is written by `edgent profile` and read by
everything that plans; reading is strict, because a planner that trusts a damaged profile makes silent, slow plans.
"""

from __future__ import annotations

import itertools
import json
import math
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from edgent.document import Document, Node, keys_of
from edgent.errors import InputError
from edgent.units import Seconds, format_duration

if TYPE_CHECKING:
    from edgent.model import Model

# Of any figure: in seconds it is a day. A profile may come from an edge that lies, and what is made of its figures by
# adding and multiplying is to stay far from where numbers end.
_MOST = 86_400.0
_SUM_TOLERANCE = 1e-6  # relative: layers are scaled to the whole run, so they differ from it only by rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """A repeated measurement.

    Attributes:
        median: Seconds.
        spread: Interquartile range over median.
        samples: How often it was measured, at least once.
    """

    median: float
    spread: float
    samples: int

    def __post_init__(self) -> None:
        _check_finite(median=self.median, spread=self.spread)
        if self.samples < 1:
            raise InputError(f"samples: found {self.samples}, expected 1 or more")

    def scaled(self, factor: float) -> Timing:
        """The same measurement on a machine `factor` times slower."""
        return replace(self, median=self.median * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecTime:
    """The time that a codec takes: a fixed part in seconds, and seconds per byte of the *raw* tensor.

    An image codec works on pictures of one size: its parts per byte are 0.
    """

    codec: str
    encode_base: float
    encode_per_byte: float
    decode_base: float
    decode_per_byte: float

    def __post_init__(self) -> None:
        _check_finite(
            encode_base=self.encode_base,
            encode_per_byte=self.encode_per_byte,
            decode_base=self.decode_base,
            decode_per_byte=self.decode_per_byte,
        )

    def encode(self, raw_bytes: float) -> Seconds:
        """Time to encode tensors that are `raw_bytes` large before."""
        return Seconds(self.encode_base + self.encode_per_byte * raw_bytes)

    def decode(self, raw_bytes: float) -> Seconds:
        """Time to decode to tensors that are `raw_bytes` large afterwards."""
        return Seconds(self.decode_base + self.decode_per_byte * raw_bytes)

    def scaled(self, factor: float) -> CodecTime:
        """The same codec on a machine `factor` times slower."""
        return replace(
            self,
            encode_base=self.encode_base * factor,
            encode_per_byte=self.encode_per_byte * factor,
            decode_base=self.decode_base * factor,
            decode_per_byte=self.decode_per_byte * factor,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchProfile:
    """The times of one branch.

    Attributes:
        exit: The exit that the branch ends in.
        whole: The undivided, unprofiled run.
        layers: Seconds of each layer in the branch's order; they add up to `whole.median`.
        unassigned: Share of the profiled time that could be booked to no layer (0..1).
    """

    exit: int
    whole: Timing
    layers: tuple[float, ...]
    unassigned: float
    _prefix: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_finite(exit=self.exit, unassigned=self.unassigned)
        _check_finite(**{f"layers[{k}]": seconds for k, seconds in enumerate(self.layers)})
        # The planner prices cuts by `layers` and whole runs by `whole`. If these disagreed, dividing a branch would
        # seem to save or to cost time.
        if not math.isclose(math.fsum(self.layers), self.whole.median, rel_tol=_SUM_TOLERANCE):
            raise InputError(
                f"layers of exit {self.exit}: found a sum of {math.fsum(self.layers)!r} s, "
                f"expected that of the whole, {self.whole.median!r} s"
            )
        # Prefix sums make the time between any two cuts one subtraction; a planner asks for all pairs.
        object.__setattr__(self, "_prefix", tuple(itertools.accumulate(self.layers, initial=0.0)))

    def between(self, first: int, last: int) -> Seconds:
        """Time of the layers from cut `first` to cut `last`, 0 <= first <= last <= n.

        Raises:
            InputError: these are no two cuts of this branch in that order.
        """
        if not 0 <= first <= last <= len(self.layers):
            raise InputError(
                f"cuts {first}..{last}: expected two of 0..{len(self.layers)} in that order, for exit {self.exit}"
            )
        return Seconds(self._prefix[last] - self._prefix[first])

    def scaled(self, factor: float) -> BranchProfile:
        """The same branch on a machine `factor` times slower."""
        layers = tuple(seconds * factor for seconds in self.layers)
        return replace(self, whole=self.whole.scaled(factor), layers=layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile(Document):
    """The times that one machine takes for one model, measured or predicted.

    Attributes:
        model: The model's name.
        digest: The model's digest, 64 hex digits.
        machine: Name of the measured machine.
        engine: What ran the graph: "onnxruntime 1.32.0".
        threads: Threads that the engine was given.
        branches: One for each exit, earliest first.
        codecs: The codecs that were timed.
        decode_source: From the bytes of a picture to its pixels.
        fit: From any size of picture to the model's.
        normalise: From pixels to the input tensor.
        emulated: Name of the device that this profile was scaled to stand for, else None.
        predicted: Whether a latency model predicted it, and nothing was measured.
    """

    KIND = "profile"
    AGAIN = "measure it again: edgent profile MODEL -o FILE"

    model: str
    digest: str
    machine: str
    engine: str
    threads: int
    branches: tuple[BranchProfile, ...]
    codecs: tuple[CodecTime, ...]
    decode_source: Timing
    fit: Timing
    normalise: Timing
    emulated: str | None = None
    predicted: bool = False

    def __post_init__(self) -> None:
        if len(self.digest) != 64 or not set(self.digest) <= set(string.hexdigits):
            raise InputError(f"digest: found {self.digest!r}, expected 64 hex digits")
        if self.threads < 1:
            raise InputError(f"threads: found {self.threads}, expected 1 or more")
        _check_distinct("exit", [branch.exit for branch in self.branches])
        _check_distinct("codec", [codec.codec for codec in self.codecs])

    def branch(self, exit: int) -> BranchProfile:
        """The times of one branch.

        Raises:
            InputError: the exit was not profiled.
        """
        for branch in self.branches:
            if branch.exit == exit:
                return branch
        raise InputError(f"exit {exit}: the profile of {self.model} has {_listed(b.exit for b in self.branches)}")

    def check_layers(self, model: Model) -> None:
        """Makes sure that it has a time for each layer: another version of Edgent may have divided the file otherwise.

        Branches of which it has no times at all are no matter: `branch` says so when one is asked for.

        Raises:
            InputError: it was made of other layers.
        """
        own = {branch.exit: len(branch.layers) for branch in self.branches}
        for branch in (*model.branches, *model.remote):
            expected, found, exit = len(branch.layers), own.get(branch.exit), branch.exit
            if found not in (None, expected):
                raise InputError(f"{self!r}: found {found} layers of exit {exit}, expected {expected}: {self.AGAIN}")

    def layers_between(self, exit: int, first: int, last: int) -> Seconds:
        """Time of a branch's layers from cut `first` to cut `last`.

        Raises:
            InputError: an unknown exit or cut.
        """
        return self.branch(exit).between(first, last)

    def head(self, exit: int, upload_cut: int) -> Seconds:
        """Time of a branch's first `upload_cut` layers.

        Raises:
            InputError: an unknown exit or cut.
        """
        return self.branch(exit).between(0, upload_cut)

    def codec(self, name: str) -> CodecTime:
        """The times of one codec.

        Raises:
            InputError: the codec was not profiled.
        """
        for codec in self.codecs:
            if codec.codec == name:
                return codec
        raise InputError(f"codec {name!r}: the profile of {self.model} has {_listed(c.codec for c in self.codecs)}")

    def scaled(self, factor: float, name: str) -> Profile:
        """The profile of an emulated machine, `factor` times slower in everything, called `name`.

        One factor does not make a real board: the layers of a network do not all slow down alike.

        Raises:
            InputError: the factor is not positive and finite.
        """
        if not (math.isfinite(factor) and factor > 0):
            raise InputError(f"factor {factor!r}: expected a positive, finite number")
        return replace(
            self,
            branches=tuple(branch.scaled(factor) for branch in self.branches),
            codecs=tuple(codec.scaled(factor) for codec in self.codecs),
            decode_source=self.decode_source.scaled(factor),
            fit=self.fit.scaled(factor),
            normalise=self.normalise.scaled(factor),
            emulated=name,
        )

    def to_json(self) -> str:
        """The file's text; the same profile always gives the same text."""
        content = {"schema": self.SCHEMA, **_plain(self)}
        if not self.predicted:  # measured profiles read as they always did
            del content["predicted"]
        return json.dumps(content, indent=1, allow_nan=False) + "\n"

    @classmethod
    def _read(cls, document: object) -> Profile:
        # The key "predicted" came later: profiles without it are measured ones, and stay readable.
        marked = isinstance(document, dict) and "predicted" in document
        node = Node(document, cls.KIND, ("schema", *(key for key in keys_of(cls) if marked or key != "predicted")))
        return cls(
            model=node.text("model"),
            digest=node.text("digest"),
            machine=node.text("machine"),
            engine=node.text("engine"),
            threads=node.whole("threads"),
            branches=tuple(_read_branch(branch) for branch in node.nodes("branches", keys_of(BranchProfile))),
            codecs=tuple(_read_codec(codec) for codec in node.nodes("codecs", keys_of(CodecTime))),
            decode_source=_read_timing(node, "decode_source"),
            fit=_read_timing(node, "fit"),
            normalise=_read_timing(node, "normalise"),
            emulated=None if node.absent("emulated") else node.text("emulated"),
            predicted=marked and node.truth("predicted"),
        )

    def __repr__(self) -> str:
        branches = ", ".join(f"exit {b.exit} {format_duration(b.whole.median)}" for b in self.branches)
        where = self.machine if self.emulated is None else f"{self.emulated}, emulated on {self.machine}"
        what = "Predicted profile" if self.predicted else "Profile"
        return f"<{what} {self.model} {self.digest[:12]} on {where}, {self.engine} x{self.threads}: {branches}>"


def _read_branch(node: Node) -> BranchProfile:
    return BranchProfile(
        exit=node.whole("exit"),
        whole=_read_timing(node, "whole"),
        layers=node.numbers("layers"),
        unassigned=node.number("unassigned"),
    )


def _read_codec(node: Node) -> CodecTime:
    times = {key: node.number(key) for key in keys_of(CodecTime) if key != "codec"}
    return CodecTime(codec=node.text("codec"), **times)


def _read_timing(parent: Node, key: str) -> Timing:
    node = parent.node(key, keys_of(Timing))
    return Timing(median=node.number("median"), spread=node.number("spread"), samples=node.whole("samples"))


def _plain(value: object) -> Any:
    """The value as JSON has it: objects and lists, in the order of the fields."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return {key: _plain(getattr(value, key)) for key in keys_of(type(value))} if is_dataclass(value) else value


def _check_finite(**numbers: float) -> None:
    for name, number in numbers.items():
        # A chained comparison is false for nan, too.
        if not 0 <= number <= _MOST:
            raise InputError(f"{name}: found {number!r}, expected a number from 0 to {_MOST:g}")


def _check_distinct(what: str, values: Sequence[object]) -> None:
    twice = [item for item, count in Counter(values).items() if count > 1]
    if twice:
        raise InputError(f"found {what} {twice[0]!r} twice, expected each once")


def _listed(items: Iterable[object]) -> str:
    return ", ".join(str(item) for item in items) or "none"
