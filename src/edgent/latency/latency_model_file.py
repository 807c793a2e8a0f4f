"""The file of a machine's latency model: JSON of schema 3, strict to read, never pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgent.document import Document, Node, keys_of
from edgent.errors import InputError
from edgent.latency.family import Family, References
from edgent.latency.gaussian import Array, GaussianProcess, Scales
from edgent.latency.kernel_model import Judged, KernelModel, Validation
from edgent.latency.profile import CodecTime, Timing
from edgent.latency.regressions import FlopsLine, PaperRegression
from edgent.latency.traits import WORK

_HEAD = ("schema", "kind", "machine", "engine", "threads", "options", "seconds", "specimens", "references")
_PARTS = ("validation", "families", "paper", "flops", "coding")
_FAMILY = ("usual", "rates", "shift", "centre", "width", "follows", "spread", "process")
_PROCESS = ("points", "values", "coarse", "lengths", "amplitude", "noise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparing:
    """What codecs and the preparation of an image take: for each, a line over the number of bytes.

    Attributes:
        codecs: tensor codecs by the bytes of the raw tensor, image codecs by those of the pixels (height x width x 3).
        steps: `decode_source`, `fit` and `normalise`: seconds, and seconds per byte of the pixels.
    """

    codecs: tuple[CodecTime, ...]
    steps: Mapping[str, tuple[float, float]]

    def step(self, name: str, pixel_bytes: float) -> Timing:
        """What one step takes for an image of so many bytes."""
        base, slope = self.steps[name]
        return Timing(median=base + slope * pixel_bytes, spread=0.0, samples=1)


STEPS = ("decode_source", "fit", "normalise")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class MachineModel(Document):
    """The latency model of one machine, as it stands in a file.

    Attributes:
        machine: name of the swept machine.
        engine: what ran the specimens: "onnxruntime 1.32.0".
        threads: threads that the engine was given.
        options: the session's other options, for with other options it is another engine.
        seconds: how long the sweep took.
        specimens: how many networks it timed.
        references: median seconds of the sweep's references: predictions hold while the machine is as fast.
        fit: the families, and how far they can be trusted.
        coding: what codecs and the preparation of images take.
    """

    SCHEMA = 3  # earlier ones have other amounts of work for plain convolutions, and nothing for the run itself
    KIND = "latency model"
    AGAIN = "make it again: edgent profile -o FILE"

    machine: str
    engine: str
    threads: int
    options: Mapping[str, str]
    seconds: float
    specimens: int
    references: References
    fit: KernelModel
    coding: Preparing

    def __repr__(self) -> str:
        validation = self.fit.validation
        return (
            f"<MachineModel of {self.machine}, {self.engine} x{self.threads}: {len(self.fit.families)} families from "
            f"{self.specimens} specimens, whole ones {validation.specimen.median_ape:.1%} off when cross-validated>"
        )

    def to_json(self) -> str:
        """The file's text."""
        document = {
            "schema": self.SCHEMA,
            "kind": self.KIND,
            **{name: getattr(self, name) for name in _HEAD[2:]},
            "options": dict(self.options),
            "validation": asdict(self.fit.validation),
            "families": {name: _family_document(family) for name, family in self.fit.families.items()},
            "paper": {name: list(line) for name, line in self.fit.paper.lines.items()},
            "flops": asdict(self.fit.flops),
            "coding": {
                "codecs": [asdict(codec) for codec in self.coding.codecs],
                "steps": {name: list(line) for name, line in self.coding.steps.items()},
            },
        }
        return json.dumps(document, allow_nan=False) + "\n"

    @classmethod
    def _read(cls, document: object) -> MachineModel:
        # Everything is checked here, key by key: a planner that trusts a damaged file makes silent, slow plans.
        node = Node(document, cls.KIND, (*_HEAD, *_PARTS))
        if node.text("kind") != cls.KIND:
            raise InputError(f"kind: found {node.text('kind')[:40]!r}, expected {cls.KIND!r}")
        flops = node.node("flops", keys_of(FlopsLine))
        return cls(
            machine=node.text("machine"),
            engine=node.text("engine"),
            threads=node.whole("threads"),
            options={name: options.text(name) for options in [_open(node, "options")] for name in options.values},
            seconds=node.number("seconds"),
            specimens=node.whole("specimens"),
            references=References(*_pair(node, "references")),
            fit=KernelModel(
                families=_read_families(_open(node, "families")),
                validation=_read_validation(node.node("validation", keys_of(Validation))),
                paper=PaperRegression(lines=_read_lines(_open(node, "paper"))),
                flops=FlopsLine(per_call=_signed(flops, "per_call"), per_flop=_signed(flops, "per_flop")),
            ),
            coding=_read_coding(node.node("coding", ("codecs", "steps"))),
        )


def is_machine_model(text: str) -> bool:
    """Whether a file claims to be one of these, and not a profile of one model."""
    # The head stands first in what `to_json` writes; the rest may be megabytes.
    return f'"kind": "{MachineModel.KIND}"' in text[:200]


def _family_document(family: Family) -> dict[str, Any]:
    process = family.process
    return {
        "usual": _rounded(family.usual),
        "rates": _rounded(family.rates),
        "shift": [family.shift],
        "centre": _rounded(family.centre),
        "width": _rounded(family.width),
        "follows": _rounded(family.follows),
        "spread": family.spread,
        "process": None
        if process is None
        else {
            "points": [_rounded(point) for point in process.points],
            "values": _rounded(process.values),
            "coarse": _rounded(process.coarse),
            "lengths": _rounded(process.scales.lengths),
            "amplitude": [process.scales.amplitude],
            "noise": [process.scales.noise],
        },
    }


def _rounded(numbers: Array) -> list[float]:
    # Seven digits, as a float32 has: no timing is that exact, and the file is far shorter.
    return [float(f"{number:.7g}") for number in numbers]


def _open(node: Node, key: str) -> Node:
    """An object whose keys are names that the file chooses."""
    # `Node` wants to know the keys; here those that are there are the right ones.
    value = node.values[key]
    return node.node(key, tuple(value) if isinstance(value, dict) else ())


def _signed(node: Node, key: str) -> float:
    return Node({key: [node.values[key]]}, node.place, (key,)).reals(key)[0]


def _read_families(node: Node) -> dict[str, Family]:
    if not node.values:
        raise InputError(f"{node.place}: found none, expected at least one family of kernels")
    return {name: _read_family(node.node(name, _FAMILY)) for name in node.values}


def _read_family(node: Node) -> Family:
    usual, rates, width = (np.array(node.numbers(key)) for key in ("usual", "rates", "width"))
    centre = _array(node, "centre")
    # A file comes from outside: sizes that do not match would otherwise fail far away, as a shape error of numpy.
    fitting = len(usual) == len(rates) == len(WORK) and len(centre) == len(width)
    if not (fitting and (width > 0).all() and rates.any()):
        raise InputError(f"{node.place}: found rates, centre and width that do not fit together")
    return Family(
        usual=usual,
        rates=rates,
        shift=_one(node, "shift"),
        centre=centre,
        width=width,
        follows=np.array(_pair(node, "follows")),
        spread=node.number("spread"),
        process=None if node.absent("process") else _read_process(node.node("process", _PROCESS), len(centre)),
    )


_SANE = 100.0  # logarithms of sizes and ratios, and scaled sizes: their exponentials and squares are numbers still


def _read_process(node: Node, d: int) -> GaussianProcess:
    points_document = node.values["points"]
    rows: list[object] = points_document if isinstance(points_document, list) else []
    count = len(rows)
    values, coarse, lengths = _array(node, "values"), np.array(node.numbers("coarse")), _array(node, "lengths")
    if not count or not len(values) == len(coarse) == count or len(lengths) != d:
        raise InputError(
            f"{node.place}: found {count} points, {len(values)} values and {len(coarse)} factors on their noise, "
            "expected as many of each"
        )
    flat = Node({str(k): row for k, row in enumerate(rows)}, f"{node.place}.points", tuple(map(str, range(count))))
    points = [flat.reals(str(k)) for k in range(count)]
    if any(len(point) != d for point in points):
        raise InputError(f"{node.place}.points: found a point that has not {d} numbers")
    if np.abs([*lengths, *values, *np.array(points).ravel()]).max() > _SANE:
        raise InputError(f"{node.place}: found a logarithm beyond {_SANE:g}, which no machine has")
    scales = Scales(lengths=lengths, amplitude=_one(node, "amplitude"), noise=_one(node, "noise"))
    # The inverse is not kept in the file: it is quadratic in the points, and quicker computed than read.
    try:
        return GaussianProcess(np.array(points), values, coarse, scales)
    except np.linalg.LinAlgError:
        raise InputError(f"{node.place}: found points and scales that make no covariance") from None


def _one(node: Node, key: str) -> float:
    numbers = node.reals(key)
    # exp(50) is far beyond any time or ratio: a larger logarithm would only overflow later.
    if len(numbers) != 1 or abs(numbers[0]) > 50:
        raise InputError(f"{node.place}.{key}: found {len(numbers)} numbers, expected the one logarithm")
    return numbers[0]


def _pair(node: Node, key: str) -> tuple[float, float]:
    numbers = node.numbers(key)
    if len(numbers) != 2:
        raise InputError(f"{node.place}.{key}: found {len(numbers)} numbers, expected one for each reference")
    return numbers[0], numbers[1]


def _array(node: Node, key: str) -> Array:
    return np.array(node.reals(key))


def _read_validation(node: Node) -> Validation:
    judged = {key: node.node(key, keys_of(Judged)) for key in ("kernel", "specimen")}
    shares = ("median_ape", "within_10_percent", "coverage")
    parts = {
        key: Judged(count=one.whole("count"), **{share: one.number(share) for share in shares})
        for key, one in judged.items()
    }
    return Validation(alone=node.number("alone"), together=node.number("together"), **parts)


def _read_lines(node: Node) -> dict[str, tuple[float, ...]]:
    lines = {name: node.reals(name) for name in node.values}
    if "any" not in lines or any(len(line) not in (2, 3) for line in lines.values()):
        raise InputError(f"{node.place}: found no lines of one or two slopes, with one for any layer")
    return lines


def _read_coding(node: Node) -> Preparing:
    keys = keys_of(CodecTime)
    codecs = tuple(
        CodecTime(codec=one.text("codec"), **{key: one.number(key) for key in keys if key != "codec"})
        for one in node.nodes("codecs", keys)
    )
    steps = node.node("steps", STEPS)
    lines = {name: steps.numbers(name) for name in STEPS}
    if any(len(line) != 2 for line in lines.values()):
        raise InputError(f"{steps.place}: expected seconds and seconds per byte for each step")
    return Preparing(codecs=codecs, steps={name: (line[0], line[1]) for name, line in lines.items()})
