"""What a model file says about itself (`metadata_props`, key `edgent`): exits, accuracies, labels, pre-processing."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from typing import Any

import onnx

from edgent.document import Node
from edgent.document import parse as read_json
from edgent.errors import InputError, ModelError

KEY = "edgent"
VERSION = 1
_LONGEST_SIDE = 1 << 14  # pixels, of what a network takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """From decoded pixels to the input tensor: value = (pixel * scale - mean) / std.

    Attributes:
        size: height and width in pixels.
        resize: "stretch", "crop" (short side first, then the centre) or "letterbox".
        color: "RGB", "BGR" or "L".
        layout: "NCHW" or "NHWC".
        scale: factor on the pixel values 0..255.
        mean: one number per channel, subtracted after scaling.
        std: one number per channel, divided by at the end.
    """

    size: tuple[int, int]
    resize: str = "stretch"
    color: str = "RGB"
    layout: str = "NCHW"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        for name, value, known in (
            ("resize", self.resize, ("stretch", "crop", "letterbox")),
            ("color", self.color, ("RGB", "BGR", "L")),
            ("layout", self.layout, ("NCHW", "NHWC")),
        ):
            if value not in known:
                raise ModelError(f"pre-processing: {name} is {value!r}, expected one of {', '.join(known)}")
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ModelError(f"pre-processing: mean and std need {self.channels} numbers for {self.color}")
        numbers = (self.scale, *self.mean, *self.std)
        if not all(map(math.isfinite, numbers)) or 0 in self.std or self.scale == 0 or min(self.size) < 1:
            raise ModelError("pre-processing: size, scale and std must be finite and not zero")

    @property
    def channels(self) -> int:
        """Colour channels of the tensor."""
        return 1 if self.color == "L" else 3

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor for one image."""
        if self.layout == "NCHW":
            return (1, self.channels, *self.size)
        return (1, *self.size, self.channels)

    def canonical(self) -> dict[str, Any]:
        """All of it in one form: every default written out, every factor a float, and no zero below zero."""
        return {
            "size": list(self.size),
            "resize": self.resize,
            "color": self.color,
            "layout": self.layout,
            "scale": float(self.scale),
            "mean": [float(value) + 0.0 for value in self.mean],
            "std": [float(value) for value in self.std],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitInfo:
    """One exit as the file describes it; accuracy is a fraction, None where nobody measured it."""

    name: str
    outputs: tuple[str, ...]
    accuracy: float | None = None
    samples: int | None = None
    data: str | None = None

    def __post_init__(self) -> None:
        if self.accuracy is not None and not 0 <= self.accuracy <= 1:
            raise ModelError(f"exit {self.name!r}: accuracy is {self.accuracy}, expected a fraction 0..1 or null")
        if not self.outputs:
            raise ModelError(f"exit {self.name!r} names no outputs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Everything the key `edgent` holds. Without that key: no exits named, nothing known."""

    exits: tuple[ExitInfo, ...] = ()
    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None

    def to_json(self) -> str:
        """The text that stands under the key."""
        pre = self.preprocessing
        exits = [
            {"name": e.name, "outputs": list(e.outputs), "accuracy": e.accuracy, "samples": e.samples, "data": e.data}
            for e in self.exits
        ]
        document = {
            "version": VERSION,
            "exits": exits,
            "labels": list(self.labels),
            "preprocessing": None if pre is None else pre.canonical(),
        }
        return json.dumps(document, sort_keys=True)


def metadata_of(proto: onnx.ModelProto) -> Metadata:
    """What a model file says of itself.

    Raises:
        ModelError: see `parse`.
    """
    for entry in proto.metadata_props:
        if entry.key == KEY:
            return parse(entry.value)
    return Metadata()


def parse(text: str) -> Metadata:
    """Reads the JSON under the key `edgent`.

    Raises:
        ModelError: not JSON, another version, unknown keys or values out of range.
    """
    try:
        node = _node(read_json(text), "metadata", {"version": 1, "exits": [], "labels": None, "preprocessing": None})
        if node.whole("version") != VERSION:
            raise InputError(f"metadata.version: found {node.whole('version')}, expected {VERSION}")
        return Metadata(
            exits=tuple(map(_exit, node.items("exits"))),
            labels=() if node.absent("labels") else node.texts("labels"),
            preprocessing=None if node.absent("preprocessing") else _preprocessing(node.found["preprocessing"]),
        )
    except InputError as error:
        raise ModelError(f"metadata under the key {KEY!r}: {error}") from None


def _node(found: object, place: str, defaults: dict[str, object], needed: tuple[str, ...] = ()) -> Node:
    """An object some of whose keys may be left out."""
    complete = {**defaults, **found} if isinstance(found, dict) else found
    return Node(complete, place, (*needed, *defaults))


def _as_json(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _exit(found: object) -> ExitInfo:
    node = _node(found, "exit", {"accuracy": None, "samples": None, "data": None}, ("name", "outputs"))
    return ExitInfo(
        name=node.text("name", empty=True),
        outputs=node.texts("outputs"),
        accuracy=None if node.absent("accuracy") else node.number("accuracy"),
        samples=None if node.absent("samples") else node.whole("samples"),
        data=None if node.absent("data") else node.text("data", empty=True),
    )


def _preprocessing(found: object) -> Preprocessing:
    defaults = {f.name: _as_json(f.default) for f in fields(Preprocessing) if f.name != "size"}
    node = _node(found, "pre-processing", defaults, ("size",))
    size = node.reals("size")
    if len(size) != 2 or not all(1 <= side <= _LONGEST_SIDE and side.is_integer() for side in size):
        raise InputError(f"pre-processing.size: found {list(size)}, expected height and width, whole numbers of pixels")
    return Preprocessing(
        size=(int(size[0]), int(size[1])),
        resize=node.text("resize"),
        color=node.text("color"),
        layout=node.text("layout"),
        scale=node.real("scale"),
        mean=node.reals("mean"),
        std=node.reals("std"),
    )
