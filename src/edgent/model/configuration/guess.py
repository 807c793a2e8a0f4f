"""What can be guessed of a model that does not say it: from shapes and names of its inputs and outputs.

A guess is a value with the reason for it, for somebody who knows the model to look at; nothing acts on one before that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx

from edgent.model.metadata import Task
from edgent.model.shapes import dtype_name
from edgent.model.tasks.grids import strides_of

Shape = tuple[int | None, ...]
"""None for a dimension that has no number."""

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}

_MOST_BOXES_OF_A_HEAD = 500  # end-to-end detectors answer 100 to 300, others have thousands of candidates
_EMBEDDINGS = ("embed", "feature", "pooler", "hidden", "vector")
_MAKES_SHARES = ("Softmax", "Sigmoid", "Div", "Exp")  # a softmax may be written out
_COLOURS, _COLOURED = (1, 3), 3
_PASSES_ON = ("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Cast")
_LINES = (32, 48, 64)  # pixels of height, of recognisers of text


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or output, as far as the file tells.

    Attributes:
        name: its.
        shape: None where nothing is known.
        op: for an output, the operator that makes its numbers.
        dtype: numpy's name of its type; empty where nothing is known.
    """

    name: str
    shape: Shape | None
    op: str = ""
    dtype: str = ""

    def __str__(self) -> str:
        sizes = "unknown" if self.shape is None else ["?" if size is None else size for size in self.shape]
        return f"{self.name} {sizes}".replace("'", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A value for a key, and why."""

    value: Any
    why: str


def ports(proto: onnx.ModelProto) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Inputs and outputs of a model whose inputs are what is given at each run."""
    makers = {name: node for node in proto.graph.node for name in node.output}
    outputs = tuple(
        Port(name=value.name, shape=_shape(value), op=_maker(makers, value.name), dtype=_dtype(value))
        for value in proto.graph.output
    )
    inputs = tuple(Port(name=value.name, shape=_shape(value), dtype=_dtype(value)) for value in proto.graph.input)
    return inputs, outputs


def _maker(makers: Mapping[str, onnx.NodeProto], name: str) -> str:
    """The operator whose numbers a tensor has; some nodes only pass them on."""
    node = makers.get(name)
    if node is None:
        return ""
    return _maker(makers, node.input[0]) if node.op_type in _PASSES_ON else str(node.op_type)


def is_picture(inputs: Sequence[Port]) -> bool:
    """Whether there is one input, with the shape of a picture."""
    shape = inputs[0].shape if len(inputs) == 1 else None
    if shape is None or len(shape) not in (3, 4):
        return False
    if len(shape) == 3:  # a single picture, if its colours say so: a vector for each step of a sequence looks alike
        return _COLOURED in (shape[0], shape[2])
    return shape[1] in (*_COLOURS, None) or shape[3] in _COLOURS


def takes_pixels(inputs: Sequence[Port]) -> bool:
    """Whether the first input takes whole numbers: pixels as they are, which the network prepares itself."""
    return "int" in inputs[0].dtype


def guess_answers(inputs: Sequence[Port], outputs: Sequence[Port]) -> dict[str, Guess]:
    """Task and head."""
    boxes = _boxes(inputs, outputs)
    if boxes is not None:
        return boxes
    first = outputs[0]
    shape = first.shape or ()
    if any(word in first.name.lower() for word in _EMBEDDINGS):
        return _answers("embedding", "", f"an output called {first.name}")
    if len(outputs) == 1 and len(shape) == 2 and (shape[1] or 0) > 1:
        logits = "" if first.op in _MAKES_SHARES else "logits"
        return _answers("classification", logits, f"one output of scores, {first}, made by {first.op or 'the input'}")
    if len(outputs) == 1 and len(shape) == 4 and is_picture(inputs) and _is_as_large(shape, inputs[0].shape):
        # A single plane may be a depth, or a picture, as well; shares of one class it is where a Sigmoid made it.
        if shape[1] == 1 and first.op not in _MAKES_SHARES:
            return {}
        return _answers("segmentation", "logits" if shape[1] != 1 else "", f"one output of planes, {first}")
    return {} if is_picture(inputs) else _answers("raw", "", "no picture goes in, and nothing known comes out")


def guess_pictures(task: Task | None, head: str, inputs: Sequence[Port], producer: str) -> dict[str, Guess]:
    """How a picture becomes the input: what is usual with the task."""
    shape = inputs[0].shape or ()
    last = shape[-3] not in _COLOURS and shape[-1] in _COLOURS
    planes = 1 if shape[-1 if last else -3] == 1 else 3
    if not last and shape[-1] is None and shape[-2] in _LINES:
        why = "usual with recognisers of lines of text"
        return _because(why, resize="height", padding=127, mean=[0.5] * planes, std=[0.5] * planes)
    if takes_pixels(inputs):
        return _because("usual where the input takes pixels", resize="letterbox" if task == "detection" else "stretch")
    if planes == 1:
        return _because("usual with grey pictures", resize="stretch")
    if task == "detection":
        return _for_detectors(head)
    if last and producer == "tf2onnx":
        return _because("usual with Keras: -1..1", resize="stretch", scale=1 / 127.5, mean=[1.0] * 3, std=[1.0] * 3)
    return _for_answers(task)


def _for_detectors(head: str) -> dict[str, Guess]:
    if head == "yolox":
        return _because("usual with YOLOX", resize="corner", color="BGR", scale=1.0)
    return _because("usual with detectors", resize="letterbox")


def _for_answers(task: Task | None) -> dict[str, Guess]:
    if task == "classification":
        return _because("usual with ImageNet", resize="crop", crop=0.875, **IMAGENET)
    if task == "segmentation":
        return _because("usual with ImageNet", resize="stretch", **IMAGENET)
    return _because("usual where nothing is known", resize="stretch")


def classes_of(head: str, outputs: Sequence[Port]) -> int | None:
    """How many labels there should be, where shapes tell."""
    shape = outputs[0].shape or (None,)
    if head == "yolov8":
        return None if shape[1] is None else shape[1] - 4
    if head in ("yolov5", "yolox"):
        return None if shape[-1] is None else shape[-1] - 5
    if head == "logits" and len(shape) == 4:
        return shape[1]
    return shape[-1] if head in ("", "logits") and len(shape) == 2 else None


def _boxes(inputs: Sequence[Port], outputs: Sequence[Port]) -> dict[str, Guess] | None:
    shape = outputs[0].shape or ()
    if len(outputs) == 1 and len(shape) == 3 and None not in shape[1:]:
        _, one, two = (size or 0 for size in shape)
        if two == 6 and one <= _MOST_BOXES_OF_A_HEAD:
            return _answers("detection", "end-to-end", f"one output of rows of six, {outputs[0]}")
        if two > _MOST_BOXES_OF_A_HEAD and 5 <= one < two:
            return _answers("detection", "yolov8", f"one output of {two} columns of 4 + classes, {outputs[0]}")
        if one > _MOST_BOXES_OF_A_HEAD and 6 <= two < one:
            # An export that decodes its boxes itself has something else than a Transpose at its end.
            head = "yolox" if outputs[0].op == "Transpose" and _has_a_cell_each(inputs, one) else "yolov5"
            return _answers("detection", head, f"one output of {one} rows of 5 + classes, {outputs[0]}")
    if len(outputs) == 3 and {_form(port) for port in outputs} == {"boxes", "scores", "labels"}:
        return _answers("detection", "boxes-scores", "three outputs: rows of four, numbers, and whole numbers")
    named = [port for port in outputs if "box" in port.name.lower()]
    if len(outputs) in (2, 3, 4) and named:
        head = "detr" if any("logits" in port.name.lower() for port in outputs) else "boxes-scores"
        return _answers("detection", head, f"an output called {named[0].name}")
    return None


def _form(port: Port) -> str:
    """What an output may be of a detector that has chosen its boxes, as torchvision's do."""
    match port.shape:
        case (_, 4):
            return "boxes"
        case (_,):
            return "labels" if "int" in port.dtype else "scores"
    return ""


def _has_a_cell_each(inputs: Sequence[Port], rows: int) -> bool:
    """Whether there is a row for each cell of YOLOX's grids."""
    match inputs[0].shape:
        case (_, _, int(height), int(width)):
            return strides_of(rows, (height, width)) is not None
    return False


def _because(why: str, **values: Any) -> dict[str, Guess]:
    return {key: Guess(value=value, why=why) for key, value in values.items()}


def _answers(task: Task, head: str, why: str) -> dict[str, Guess]:
    return {"task": Guess(value=task, why=why)} | ({"head": Guess(value=head, why=why)} if head else {})


def _is_as_large(shape: Shape, picture: Shape | None) -> bool:
    """Whether planes have at least an eighth of the picture's sides; those of a detector's grid have less."""
    if picture is None or None in (*shape[2:], *picture[2:]):
        return True
    return (shape[2] or 0) * 8 >= (picture[2] or 0)


def _dtype(value: onnx.ValueInfoProto) -> str:
    kind = value.type.tensor_type.elem_type
    return dtype_name(kind) if kind else ""


def _shape(value: onnx.ValueInfoProto) -> Shape | None:
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return tuple(dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None for dim in kind.shape.dim)
