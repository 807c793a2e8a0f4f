"""Answers put behind a model's outputs when it is loaded, so that all that works on a graph works on them too.

What an exit puts out then is its answer, of a fixed meaning:

    detection        float32 [n, 6]: x1, y1, x2, y2 in pixels of the input, score, class; the best first. Before them
                     stands a row of the score NaN where the network put out a NaN
    segmentation     uint8 [height, width]: the class of each pixel of the output; 255 where its scores are NaN
    classification   scores as they are, or the shares of a softmax (of half precision as float32)
    embedding        the vector as it is, or of length one (likewise)
    raw, unknown     the outputs as they are
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import onnx

from edgent.errors import ModelError
from edgent.model.files.bundle import opset_of
from edgent.model.metadata import HEADS, ExitInfo, Metadata
from edgent.model.tasks.boxes import WIDTH, flagged, rank
from edgent.model.tasks.heads import READERS, Reading, check_labels
from edgent.model.tasks.masks import mask
from edgent.model.tasks.post import append_post
from edgent.model.tasks.tail import FIRST_OPSET, Tail, widened
from edgent.model.values import Tensor

_WORDS = {"detection": "boxes", "segmentation": "mask", "classification": "scores", "embedding": "embedding"}
_USUAL_IOU = {"yolov5": 0.45, "yolox": 0.45}
_IOU = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the exits of a model put out.

    Attributes:
        exits: with their answers in the place of the outputs.
        most: by name, the largest shape of an answer whose size is known by the data only.
        posted: the answers of a graph of one's own, as it puts them out.
        changed: whether anything was appended.
    """

    exits: tuple[ExitInfo, ...]
    most: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    posted: tuple[str, ...] = ()
    changed: bool = False


def append_answers(
    proto: onnx.ModelProto,
    metadata: Metadata,
    exits: Sequence[ExitInfo],
    tensors: Mapping[str, Tensor],
    prefixes: Sequence[str] = (),
) -> Answers:
    """Appends what makes the answer of each exit.

    Args:
        proto: the model, folded; it is changed.
        metadata: its task and head.
        exits: with the outputs of the file.
        tensors: of the graph by name, with their shapes.
        prefixes: what stands before the names of a bundle's files but the first. What is appended behind the exits of a
            file is named as if no other file were there, for a device may have some of them only.

    Raises:
        ModelError: the outputs are not what the task or the head takes, labels are not as many as classes, or the
            post-processing graph does not fit.
    """
    if metadata.task == "detection" and not metadata.head and not metadata.post:
        raise ModelError(f"the task detection needs a head ({', '.join(HEADS['detection'])}) or a post graph; name one")
    if metadata.task == "classification" and not metadata.post:
        _check_scores(metadata, exits, tensors)
    if not metadata.post and metadata.task != "segmentation" and not metadata.head:
        return Answers(exits=tuple(exits))
    if (opset := opset_of(proto)) < FIRST_OPSET:
        raise ModelError(
            f"found opset {opset}, expected {FIRST_OPSET} or more for the task {metadata.task}: "
            "convert the model with onnx.version_converter, or use the task raw"
        )
    tails = {prefix: Tail(proto, prefix) for prefix in (*prefixes, "")}
    del proto.graph.output[:]
    # What is appended is numbered. A bundle orders exits by their accuracies and a file by itself as it has them, so
    # the order must be the outputs' own: else a device that has the file alone would call one exit by another's name.
    entries = sorted(exits, key=lambda entry: entry.outputs)
    outputs = [[tensors[name] for name in entry.outputs] for entry in entries]
    behind = [_tail_of(entry, tails) for entry in entries]
    posted = [
        append_post(tail, proto, each, metadata) if metadata.post else []
        for tail, each in zip(behind, outputs, strict=True)
    ]
    answers = [
        _of_own(tail, names, metadata, each) if names else [_of_task(tail, metadata, each, tensors)]
        for tail, each, names in zip(behind, outputs, posted, strict=True)
    ]
    word = _WORDS.get(metadata.task or "raw", "answer")
    finished = {
        entry.name: replace(entry, outputs=tuple(tail.answer(name, word) for name in names))
        for tail, entry, names in zip(behind, entries, answers, strict=True)
    }
    boxes = [name for entry in finished.values() for name in entry.outputs if metadata.task == "detection"]
    return Answers(
        exits=tuple(finished[entry.name] for entry in exits),
        most=dict.fromkeys(boxes, (metadata.limits.most, WIDTH)),
        posted=tuple(name for names in posted for name in names),
        changed=True,
    )


def check_answers(metadata: Metadata, answers: Answers, values: Mapping[str, onnx.ValueInfoProto]) -> None:
    """Refuses boxes of a graph of one's own that are none, as far as shapes tell.

    Raises:
        ModelError: they are not float32 [n, 6].
    """
    for name in answers.posted if metadata.task == "detection" else ():
        kind = values[name].type.tensor_type
        dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
        known = kind.HasField("shape")
        if kind.elem_type != onnx.TensorProto.FLOAT or (known and (len(dims) != 2 or dims[1] not in (None, WIDTH))):
            shown = ["n" if size is None else size for size in dims] if known else "of unknown shape"
            dtype = onnx.TensorProto.DataType.Name(kind.elem_type).lower()
            raise ModelError(
                f"{metadata.post}: its answer is {dtype} {shown}, expected float [n, {WIDTH}]: "
                "x1, y1, x2, y2, score, class"
            )


def _tail_of(entry: ExitInfo, tails: Mapping[str, Tail]) -> Tail:
    return next(tail for prefix, tail in tails.items() if entry.name.startswith(prefix))


def _of_task(tail: Tail, metadata: Metadata, outputs: Sequence[Tensor], tensors: Mapping[str, Tensor]) -> str:
    labels = len(metadata.labels)
    match metadata.task:
        case "detection":
            iou = metadata.limits.iou
            reading = Reading(
                limits=metadata.limits,
                iou=_USUAL_IOU.get(metadata.head, _IOU) if iou is None else iou,
                labels=labels,
                size=_size(tail, metadata, tensors),
            )
            return flagged(tail, READERS[metadata.head](tail, outputs, reading), outputs, metadata.limits)
        case "segmentation":
            return mask(tail, outputs, logits=metadata.head == "logits", labels=labels)
        case "classification":
            return tail.node("Softmax", widened(tail, outputs[0]), axis=-1)
        case _:
            return tail.node("LpNormalization", widened(tail, outputs[0]), axis=-1, p=2)


def _check_scores(metadata: Metadata, exits: Sequence[ExitInfo], tensors: Mapping[str, Tensor]) -> None:
    for entry in exits:
        scores = tensors[entry.outputs[0]]
        if scores.shape is not None:
            check_labels(f"classification: output {scores.name!r}", math.prod(scores.shape), len(metadata.labels))


def _size(tail: Tail, metadata: Metadata, tensors: Mapping[str, Tensor]) -> tuple[int, int] | None:
    """Height and width of the input; None where it does not look like a picture."""
    if metadata.preprocessing is not None:
        return metadata.preprocessing.size
    shape = tensors[tail.graph.input[0].name].shape or ()
    if len(shape) != 4:
        return None
    return (shape[2], shape[3]) if shape[1] in (1, 3) else (shape[1], shape[2])


def _of_own(tail: Tail, made: Sequence[str], metadata: Metadata, outputs: Sequence[Tensor]) -> list[str]:
    """What a graph of one's own puts out; boxes the best first, and no more than the most."""
    if metadata.task != "detection":
        return list(made)
    if len(made) != 1:
        raise ModelError(f"{metadata.post}: puts out {len(made)} tensors, expected one of boxes [n, {WIDTH}]")
    score, label = (tail.reshape(tail.columns(made[0], at, at + 1), -1) for at in (4, 5))
    ranked = rank(tail, metadata.limits, tail.columns(made[0], 0, 4), score, label)
    return [flagged(tail, ranked, outputs, metadata.limits)]
