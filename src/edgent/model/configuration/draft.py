"""The draft of a configuration file, for somebody to complete: what is known, what was guessed, what is to fill in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import onnx

from edgent.model.configuration.beside import toml
from edgent.model.configuration.dimensions import FreeDimension, free_dimensions
from edgent.model.configuration.guess import (
    Guess,
    Port,
    classes_of,
    guess_answers,
    guess_pictures,
    is_picture,
    ports,
    takes_pixels,
)
from edgent.model.configuration.sources import Stated
from edgent.model.metadata import HEADS, BoxLimits, InputInfo, PictureType, Preprocessing
from edgent.text import one_line

Standing = Literal["known", "guessed", "to fill in", "default"]

_COLUMN = 44  # where comments begin
_WIDEST = 60  # characters of a value that is shown
_FORM = Preprocessing(size=(1, 1)).document()
_DETAILS = ("size", "resize", "crop", "filter", "padding", "excess", "color", "layout", "dtype", "scale", "mean", "std")
_IOU = 0.7  # with yolov5 and yolox 0.45
_FEW = 8  # values of an input that may be a setting and no data: a rate, a length, a threshold
_MEANINGS = {
    "size": "height and width; the input's own unless said",
    "resize": "stretch, crop, letterbox, corner or height",
    "crop": "with resize = crop: the part of the short side that stays",
    "filter": "nearest, box, bilinear, bicubic or lanczos, of Pillow",
    "padding": "the grey beside a letterboxed picture, 0..255",
    "excess": "with resize = height: a picture too wide is shrunk, or refused (refuse)",
    "color": "RGB, BGR or L",
    "layout": "NCHW or NHWC; the input's own unless said",
    "dtype": "of the values; the input's own unless said",
    "scale": "value = (pixel * scale - mean) / std",
    "mean": "one number for each channel",
    "std": "one number for each channel",
}
_LIMITS = {
    "score": "of a box: it is above this",
    "iou": "two boxes of a class that overlap by more are one (0.45 is usual with yolov5)",
    "most": "boxes of a picture, the best ones",
}
_INPUT = {
    "fill": "an array smaller than the input: refuse, or pad with zeros",
    "excess": "a larger one: refuse, or shrink, which only pictures can",
    "example": "what measuring puts there, if a random value makes no sense: one, or a list of all",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftLine:
    """One key of a draft.

    Attributes:
        key: its; of a table with the table's name, as "preprocessing.size".
        value: what stands there, or an example of what could.
        standing: how sure that is. Only a guess is in force; what is known stands elsewhere.
        note: where a known value stands, why another was guessed, what is to fill in, or what the key means.
    """

    key: str
    value: Any
    standing: Standing
    note: str

    def text(self) -> str:
        """The line, with its comment."""
        mark = {"known": "known from ", "guessed": "GUESSED: ", "to fill in": "FILL IN: ", "default": ""}[self.standing]
        shown = toml(self.value)
        if len(shown) > _WIDEST and self.standing == "known":
            shown = shown[: _WIDEST - 3] + "..."
        written = f"{_quoted(_place(self.key)[1])} = {shown}"
        return f"{written if self.standing == 'guessed' else f'# {written}':<{_COLUMN}}  # {mark}{self.note}"


def draft(proto: onnx.ModelProto, stated: Stated) -> tuple[DraftLine, ...]:
    """What a configuration file of a model should say.

    Args:
        proto: a model whose inputs are what is given at each run.
        stated: what its sources say already.
    """
    inputs, outputs = ports(proto)
    lines = [*_answers(stated, inputs, outputs)]
    said = {line.key: line.value for line in lines if line.standing in ("known", "guessed")}
    task, head = said.get("task"), str(said.get("head", ""))
    if task in ("detection", None):
        lines += _defaults("limits", BoxLimits().document() | {"iou": _IOU}, _LIMITS, stated)
    if is_picture(inputs) or "preprocessing" in stated.document:
        guesses = guess_pictures(task, head, inputs, proto.producer_name) if is_picture(inputs) else {}
        lines += _pictures(stated, guesses, inputs)
    free = free_dimensions(proto.graph)
    return (*lines, *_dims(stated, free, inputs), *_inputs(stated, free, inputs))


def write_draft(path: Path, lines: Sequence[DraftLine], inputs: Sequence[Port], outputs: Sequence[Port]) -> str:
    """The text of a draft.

    Args:
        path: of the model.
        lines: of the draft.
        inputs: of the model.
        outputs: of the model.
    """
    head = [
        f"# The configuration of {path.name}: what its graph does not say; see docs/own-models.md.",
        "# Lines that are GUESSED are in force: look at each. FILL IN is what could not be guessed; take away the #.",
        f"# Inputs: {', '.join(map(str, inputs))}"[:200],
        f"# Outputs: {', '.join(map(str, outputs))}"[:200],
    ]
    tables: dict[str, list[str]] = {"": []}
    for line in lines:
        tables.setdefault(_place(line.key)[0], []).append(line.text())
    plain = tables.pop("")
    rest = [text for name, rows in tables.items() for text in ("", f"[{_header(name)}]", *rows)]
    return "\n".join([*map(one_line, head), "", *map(one_line, plain), *map(one_line, rest)]) + "\n"


def _answers(stated: Stated, inputs: Sequence[Port], outputs: Sequence[Port]) -> Iterator[DraftLine]:
    guesses = {} if "task" in stated.document else guess_answers(inputs, outputs)
    yield _line("task", stated, guesses, DraftLine(
        key="task", value="detection", standing="to fill in",
        note="classification, detection, segmentation, embedding or raw (the outputs as they are)",
    ))  # fmt: skip
    task = stated.document.get("task") or (guesses["task"].value if "task" in guesses else None)
    if "head" in stated.document or "head" in guesses:
        yield _line("head", stated, guesses, None)
    elif task is None or task == "detection":
        heads = ", ".join(HEADS["detection"])
        yield DraftLine(
            key="head", value="yolov8", standing="default", note=f"what the outputs of a detector mean: {heads}"
        )
        yield DraftLine(
            key="post", value="decode.onnx", standing="default", note="or a graph of yours that decodes them"
        )
    if task in ("classification", "detection", "segmentation", None) or "labels" in stated.document:
        head = stated.document.get("head") or (guesses["head"].value if "head" in guesses else "")
        unnamed = task is None or _is_one_plane(str(task), str(head))
        count = classes_of(str(head), outputs) if task is not None else None
        yield _line("labels", stated, {}, DraftLine(
            key="labels", value="labels.txt", standing="default" if unnamed else "to fill in",
            note=f"a file beside this one with {_names(count)}; or a list",
        ))  # fmt: skip


def _names(count: int | None) -> str:
    return "one name" if count == 1 else f"{count or 'all'} names, one a line"


def _pictures(stated: Stated, guesses: Mapping[str, Guess], inputs: Sequence[Port]) -> Iterator[DraftLine]:
    shape = inputs[0].shape or ()
    last = len(shape) == 4 and shape[1] not in (1, 3) and shape[3] in (1, 3)
    for key in _DETAILS:
        default = _default(f"preprocessing.{key}", _FORM[key], _MEANINGS[key])
        if key == "layout" and last:
            default = replace(default, value="NHWC")
        if key == "dtype" and inputs[0].dtype in get_args(PictureType):
            default = replace(default, value=inputs[0].dtype)
        if key == "scale" and takes_pixels(inputs):
            default = replace(default, value=1.0)
        if key == "size" and len(shape) == 4:
            sides = list(shape[1:3] if last else shape[2:])
            default = DraftLine(
                key=default.key, standing="default" if None not in sides else "to fill in", note=default.note,
                value=[224 if side is None else side for side in sides],
            )  # fmt: skip
        yield _line(default.key, stated, {f"preprocessing.{name}": guess for name, guess in guesses.items()}, default)


def _dims(stated: Stated, free: Sequence[FreeDimension], inputs: Sequence[Port]) -> Iterator[DraftLine]:
    pictures = {inputs[0].name} if is_picture(inputs) else set()
    for name in dict.fromkeys(entry.name for entry in free):
        places = [entry for entry in free if entry.name == name]
        where = ", ".join(f"dimension {entry.axis} of {entry.input}" for entry in places)
        if f"dims.{name}" in stated.origins:
            yield _line(f"dims.{name}", stated, {}, None)
        elif any(entry.axis == 0 for entry in places):
            sure = all(entry.is_surely_a_batch for entry in places)
            note = "taken for a batch, 1 unless said" if sure else "a batch, 1 unless said; or the length of a sequence"
            yield _default(f"dims.{name}", 1, f"{where}: {note}")
        elif not (pictures and all(entry.input in pictures for entry in places)):
            yield DraftLine(key=f"dims.{name}", value=128, standing="to fill in", note=where)


def _inputs(stated: Stated, free: Sequence[FreeDimension], inputs: Sequence[Port]) -> Iterator[DraftLine]:
    """What may be said of an input that has other sizes, or so few values that they are a setting."""
    sized = {entry.input for entry in free if entry.axis > 0}
    for port in inputs:
        if f"inputs.{port.name}" in stated.origins:
            continue
        few = len(inputs) > 1 and _is_few(port)
        keys = (*(("fill", "excess") if port.name in sized else ()), *(("example",) if few else ()))
        values = InputInfo().document() | {"example": 1}
        yield from _defaults(f"inputs.{port.name}", {key: values[key] for key in keys}, _INPUT, stated)


def _is_few(port: Port) -> bool:
    """Whether an input has a few values only, whatever the batch is."""
    sizes = port.shape
    if sizes is None or None in sizes[1:]:
        return False
    return math.prod(size or 1 for size in sizes) <= _FEW


def _defaults(
    table: str, values: Mapping[str, Any], meanings: Mapping[str, str], stated: Stated
) -> Iterator[DraftLine]:
    """The keys of a table as they are where nobody says otherwise."""
    for key, value in values.items():
        place = f"{table}.{key}"
        yield _line(place, stated, {}, _default(place, value, meanings[key]))


def _line(key: str, stated: Stated, guesses: Mapping[str, Guess], otherwise: DraftLine | None) -> DraftLine:
    if key in stated.origins:
        table, _, name = key.partition(".")
        value = stated.document[table][name] if name else stated.document[key]
        return DraftLine(key=key, value=value, standing="known", note=stated.origins[key])
    if key in guesses:
        return DraftLine(key=key, value=guesses[key].value, standing="guessed", note=guesses[key].why)
    assert otherwise is not None, "what is neither known nor guessed has a default"
    return otherwise


def _default(key: str, value: Any, note: str) -> DraftLine:
    return DraftLine(key=key, value=value, standing="default", note=note)


def _is_one_plane(task: str, head: str) -> bool:
    """Whether a mask has no classes to name, but is there or not."""
    return task == "segmentation" and not head


def _place(key: str) -> tuple[str, str]:
    """The table that a key stands in, and its name there; names of inputs and of dimensions may have points in them."""
    table, _, name = key.rpartition(".") if key.startswith("inputs.") else key.partition(".")
    return (table, name) if name else ("", table)


def _header(table: str) -> str:
    first, _, name = table.partition(".")
    return f"{first}.{_quoted(name)}" if name else first


def _quoted(name: str) -> str:
    plain = name.isascii() and name.replace("_", "a").replace("-", "a").isalnum()
    return name if plain else toml(name)
