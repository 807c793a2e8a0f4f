"""What Ultralytics writes into the `metadata_props` of a file that it exports.

`task`, `names` (a dict of class numbers and names, as Python writes it), `imgsz` ([height, width]), `channels`,
`stride` and `end2end` stand there as text; the repository of YOLOv5 writes `stride` and `names` only. Ultralytics'
own loaders prepare pictures as `_PICTURES` says, from RGB of 0..1.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from edgent.errors import InputError

NAME = "Ultralytics' metadata"

_MOST_TEXT = 1 << 20  # characters of a dict of names
_PICTURES: Mapping[str, Mapping[str, Any]] = {
    "detect": {"resize": "letterbox"},
    "classify": {"resize": "crop"},
}
_TASKS = {"detect": "detection", "classify": "classification"}
_OTHERS = ("segment", "pose", "obb")  # their outputs are given as they are


def ultralytics(props: Mapping[str, str], outputs: Sequence[Sequence[int]]) -> dict[str, Any]:
    """The document that the properties of a file amount to; empty where Ultralytics did not write them.

    Args:
        props: `metadata_props`.
        outputs: the shapes of the graph's outputs, 0 where a dimension has no number.

    Raises:
        InputError: properties of that name that Ultralytics does not write so.
    """
    if not {"stride", "names"} <= props.keys():
        return {}
    kind, labels = props.get("task", "detect"), _labels(props["names"])
    found: dict[str, Any] = {"labels": labels, "preprocessing": {**_PICTURES.get(kind, _PICTURES["detect"])}}
    if kind in _TASKS:
        found["task"] = _TASKS[kind]
    elif kind in _OTHERS:
        found["task"] = "raw"
    if kind == "detect" and (head := _head(outputs, len(labels), props)):
        found["head"] = head
    if props.get("channels", "3") == "1":
        found["preprocessing"]["color"] = "L"
    if "imgsz" in props:
        found["preprocessing"]["size"] = _size(props["imgsz"])
    return found


def unread(props: Mapping[str, str]) -> str:
    """What a task of Ultralytics that is no task here means for the answers; empty for all others."""
    kind = props.get("task", "") if {"stride", "names"} <= props.keys() else ""
    return f"its task {kind!r} has no head here: the outputs are given as they are" if kind in _OTHERS else ""


def _head(outputs: Sequence[Sequence[int]], classes: int, props: Mapping[str, str]) -> str:
    """Which convention the first output has, by its shape: [1, 4 + classes, n], [1, n, 5 + classes] or [1, n, 6]."""
    shape = outputs[0] if outputs else ()
    if len(shape) != 3:
        return ""
    if shape[1] == 4 + classes:
        return "yolov8"
    if shape[2] == 6 and (classes != 1 or _chooses_itself(props)):
        return "end-to-end"
    if shape[2] == 5 + classes:
        return "yolov5"
    return "" if all(shape[1:]) else _head_of_free(props)


def _head_of_free(props: Mapping[str, str]) -> str:
    """The same where dimensions are free and tell nothing; once they have numbers, the head is held against them."""
    if _chooses_itself(props):
        return "end-to-end"
    # Only the repository of YOLOv5, which writes no task, has boxes with an objectness of their own.
    return "yolov8" if "task" in props else "yolov5"


def _chooses_itself(props: Mapping[str, str]) -> bool:
    """Whether the network's boxes do not repeat each other: by its training, or by operators that were exported."""
    return props.get("end2end") == "True" or "'nms': True" in props.get("args", "")


def _labels(text: str) -> list[str]:
    names = _literal(text, "names")
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or sorted(map(str, names)) != sorted(map(str, range(len(names)))):
        raise InputError(f"names: found {text[:40]!r}, expected the name of every class, numbered from 0")
    return [str(names[number]) for number in range(len(names))]


def _size(text: str) -> list[int]:
    size = _literal(text, "imgsz")
    if isinstance(size, int):
        size = [size, size]
    if not isinstance(size, list) or len(size) != 2 or not all(type(side) is int and side > 0 for side in size):
        raise InputError(f"imgsz: found {text[:40]!r}, expected [height, width]")
    return size


def _literal(text: str, key: str) -> object:
    if len(text) > _MOST_TEXT:
        raise InputError(f"{key}: found {len(text)} characters, expected at most {_MOST_TEXT}")
    try:
        found: object = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise InputError(f"{key}: found {text[:40]!r}, expected a value as Python writes it") from None
    return found
