"""What a model says of itself, beside its graph: the task, exits and labels, and how a picture becomes its input.

It stands under the key `edgent` of the file's `metadata_props`, in a file beside it, or in what others keep there; see
`edgent.model.configuration`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from edgent.errors import ModelError

Task = Literal["classification", "detection", "segmentation", "embedding", "raw"]
Resize = Literal["stretch", "crop", "letterbox", "corner", "height"]
Filter = Literal["nearest", "box", "bilinear", "bicubic", "lanczos"]
Color = Literal["RGB", "BGR", "L"]
Layout = Literal["NCHW", "NHWC", "CHW", "HWC"]
PictureType = Literal["float32", "float16", "float64", "uint8", "int8", "int32"]
Fill = Literal["refuse", "pad"]
Excess = Literal["refuse", "shrink"]

HEADS: Mapping[Task, tuple[str, ...]] = {
    "classification": ("logits",),
    "detection": ("yolov5", "yolov8", "end-to-end", "boxes-scores", "ssd", "detr", "rt-detr", "yolox"),
    "segmentation": ("logits",),
    "embedding": ("l2",),
}
"""What the outputs of a task can mean, where there is more than one convention."""

_MOST_BOXES = 10_000

GREY = 114
"""The grey around a letterboxed picture, as the YOLO family is trained with."""

# Before there was a choice, all was so; what is still so is no part of a digest.
_WITHOUT_CHOICE = {"filter": "bilinear", "crop": 1.0, "padding": GREY, "excess": "shrink", "dtype": "float32"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """From decoded pixels to the input tensor: value = (pixel * scale - mean) / std.

    Attributes:
        size: height and width in pixels.
        resize: how a picture gets this size; see `edgent.codec.pixels.fit`.
        crop: for "crop": the part of the short side that stays, above 0 to 1.
        filter: of Pillow, by which pixels are resized.
        padding: for "letterbox", "corner" and "height": the grey, 0..255, beside the picture.
        excess: for "height": whether a picture that is too wide then is shrunk or refused.
        color: "RGB", "BGR" or "L".
        layout: "NCHW" or "NHWC"; "CHW" or "HWC" of a network that takes one picture and no batch.
        dtype: of the values: numpy's name. Whole ones are rounded, and cut off at what the type holds.
        scale: factor on the pixel values 0..255.
        mean: one number per channel, subtracted after scaling.
        std: one number per channel, divided by at the end.
    """

    size: tuple[int, int]
    resize: Resize = "stretch"
    crop: float = 1.0
    filter: Filter = "bilinear"
    padding: int = GREY
    excess: Excess = "shrink"
    color: Color = "RGB"
    layout: Layout = "NCHW"
    dtype: PictureType = "float32"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        known = {
            "resize": Resize,
            "filter": Filter,
            "excess": Excess,
            "color": Color,
            "layout": Layout,
            "dtype": PictureType,
        }
        for name, choices in known.items():
            _check_known(f"pre-processing: {name}", getattr(self, name), get_args(choices))
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ModelError(f"pre-processing: mean and std need {self.channels} numbers for {self.color}")
        numbers = (self.scale, *self.mean, *self.std)
        if not all(map(math.isfinite, numbers)) or 0 in self.std or self.scale == 0 or min(self.size) < 1:
            raise ModelError("pre-processing: size, scale and std must be finite and not zero")
        if not 0 < self.crop <= 1:
            raise ModelError(f"pre-processing: crop is {self.crop}, expected a fraction above 0, as 0.875")
        if self.crop != 1 and self.resize != "crop":
            raise ModelError(f'pre-processing: crop is {self.crop}, but resize is {self.resize!r}: expected "crop"')
        if not 0 <= self.padding <= 255:
            raise ModelError(f"pre-processing: padding is {self.padding}, expected a grey of 0..255")

    @property
    def channels(self) -> int:
        """Colour channels of the tensor."""
        return 1 if self.color == "L" else 3

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor for one image."""
        picture = (self.channels, *self.size) if self.channels_first else (*self.size, self.channels)
        return picture if len(self.layout) == len(picture) else (1, *picture)

    @property
    def channels_first(self) -> bool:
        """Whether the planes of the colours come one after the other."""
        return self.layout.endswith("CHW")

    def document(self) -> dict[str, Any]:
        """All of it as JSON has it: every default written out, every factor a float, and no zero below zero."""
        # One text for one meaning, for a digest is made of it: 1 and 1.0, or 0.0 and -0.0, must not give two digests.
        return {
            "size": list(self.size),
            "resize": self.resize,
            "crop": float(self.crop),
            "filter": self.filter,
            "padding": self.padding,
            "excess": self.excess,
            "color": self.color,
            "layout": self.layout,
            "dtype": self.dtype,
            "scale": float(self.scale),
            "mean": [float(value) + 0.0 for value in self.mean],
            "std": [float(value) for value in self.std],
        }

    def canonical(self) -> dict[str, Any]:
        """What of it stands in the model's digest."""
        # What came with later releases is left out where it is as it always was: so no older digest changes.
        return {key: value for key, value in self.document().items() if _WITHOUT_CHOICE.get(key) != value}


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

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        measured = {"accuracy": self.accuracy, "samples": self.samples, "data": self.data}
        return {"name": self.name, "outputs": list(self.outputs), **measured}


@dataclass(frozen=True, slots=True, kw_only=True)
class InputInfo:
    """One input as a configuration describes it.

    Attributes:
        fill: what becomes of a smaller array than the model takes: it is refused, or padded at the end of each axis
            with zeros (text: with "").
        excess: what becomes of a larger one: it is refused, or, where it is a picture, shrunk.
        example: what stands in it where nobody gives an array and a random one makes no sense: one value for all of
            it, or all its values, row by row. No answer depends on it, so it is no part of a digest.
        preprocessing: from a picture to this input, where it is not the one that the model names for its first.
    """

    fill: Fill = "refuse"
    excess: Excess = "refuse"
    example: tuple[float, ...] | tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None

    def __post_init__(self) -> None:
        _check_known("input: fill", self.fill, get_args(Fill))
        _check_known("input: excess", self.excess, get_args(Excess))

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        form = None if self.preprocessing is None else self.preprocessing.document()
        return {"fill": self.fill, "excess": self.excess, "example": list(self.example), "preprocessing": form}

    def canonical(self) -> dict[str, Any]:
        """The same for a digest."""
        form = {} if self.preprocessing is None else {"preprocessing": self.preprocessing.canonical()}
        return {"fill": self.fill, "excess": self.excess, **form}


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxLimits:
    """Which boxes a detector answers; the defaults are Ultralytics'.

    Attributes:
        score: theirs is above it.
        iou: of two boxes of a class that overlap by more, the better one stays (intersection over union); None: as
            is usual with the head, 0.45 with yolov5 and yolox, 0.7 with others.
        most: so many at the most, the best ones.
    """

    score: float = 0.25
    iou: float | None = None
    most: int = 300

    def __post_init__(self) -> None:
        if not 0 <= self.score < 1 or not 0 <= (self.iou or 0) <= 1:
            raise ModelError(f"limits: score {self.score} and iou {self.iou}: expected fractions, as 0.25 and 0.7")
        if not 1 <= self.most <= _MOST_BOXES:
            raise ModelError(f"limits: most is {self.most}, expected 1..{_MOST_BOXES} boxes")

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"score": float(self.score), "iou": None if self.iou is None else float(self.iou), "most": self.most}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a model says of itself; where it says nothing, nothing is known.

    Attributes:
        task: what its answers are; None: unknown.
        head: what the outputs mean, where the task has several conventions (see `HEADS`); empty: unknown.
        post: the file of a graph that makes the answer out of the outputs, from the configuration's folder; or empty.
        post_graph: the bytes of that file.
        limits: which boxes are answered.
        exits: earliest first; without any, all outputs together are one.
        labels: of the classes, by index.
        preprocessing: from a picture to the input; None: it takes no pictures, or does not say how.
        dims: numbers of free dimensions, by name or as "INPUT:AXIS", where none are given.
        inputs: what is said of inputs, by their names.
    """

    task: Task | None = None
    head: str = ""
    post: str = ""
    post_graph: bytes = field(default=b"", repr=False)
    limits: BoxLimits = BoxLimits()
    exits: tuple[ExitInfo, ...] = ()
    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None
    dims: Mapping[str, int] = field(default_factory=dict, hash=False)
    inputs: Mapping[str, InputInfo] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.task is not None:
            _check_known("task", self.task, get_args(Task))
        if self.head:
            self._check_head()

    def document(self) -> dict[str, Any]:
        """All of it as JSON has it, but for the bytes of the graph."""
        return {
            "task": self.task,
            "head": self.head,
            "post": self.post,
            "limits": self.limits.document(),
            "exits": [entry.document() for entry in self.exits],
            "labels": list(self.labels),
            "preprocessing": None if self.preprocessing is None else self.preprocessing.document(),
            "dims": dict(self.dims),
            "inputs": {name: entry.document() for name, entry in self.inputs.items()},
        }

    def preprocessing_of(self, name: str) -> Preprocessing | None:
        """From a picture to the input of that name; None: it is no picture, or nobody says how."""
        own = self.inputs.get(name)
        return self.preprocessing if own is None or own.preprocessing is None else own.preprocessing

    def _check_head(self) -> None:
        heads = HEADS.get(self.task, ()) if self.task else ()
        if not heads:
            raise ModelError(f"head is {self.head!r}, but the task {self.task or 'unknown'} has only one; leave it out")
        _check_known("head", self.head, heads)
        if self.post:
            raise ModelError(f"head is {self.head!r} and post {self.post!r}: expected one of the two")


def _check_known(what: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ModelError(f"{what} is {value!r}, expected one of {', '.join(known)}")
