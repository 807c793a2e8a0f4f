"""YOLO's text files: `images/NAME.jpg` with `labels/NAME.txt`, a box in each line, and the classes in a YAML file.

A line is a class's index, then the box's centre, width and height as fractions of the picture's. A picture without a
text file, or with an empty one, shows nothing: so those who train these networks mark it.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from edgent.errors import InputError
from edgent.evaluation.data.class_names import read_class_names
from edgent.evaluation.data.examples import Listed, Listing, TrueBoxes
from edgent.evaluation.data.folders import pictures, subfolders
from edgent.files import is_file, is_folder, read_lines
from edgent.text import readable

_SLACK = 1e-3  # fractions are rounded when they are written
_MOST_CLASSES = 1 << 20


def read_yolo(root: Path) -> Listing:
    """The pictures below `images`, their boxes below `labels`, and the classes' names.

    Raises:
        InputError: no pictures, none of them with boxes, or a line that is no box.
    """
    folder = root / "images"
    if not is_folder(folder):
        raise InputError(f"{root}: found no folder images, expected images and labels beside each other")
    files = [file for place in (folder, *subfolders(folder)) for file in pictures(place)]
    texts = {file: root / "labels" / file.relative_to(folder).with_suffix(".txt") for file in files}
    # A picture without a text file shows nothing, and is counted. That none has one is more likely a wrong folder.
    labelled = {file for file, text in texts.items() if is_file(text)}
    if not labelled:
        raise InputError(f"{root}: found {len(files)} pictures and boxes for none, expected labels/NAME.txt")
    names = read_class_names(root)
    listed = tuple(Listed(path=file, truth=_boxes(text, file in labelled, names)) for file, text in texts.items())
    return Listing(
        name=root.name, format="yolo", class_names=names, files=listed, doubts=_doubts(root, texts, len(labelled))
    )


def _doubts(root: Path, texts: dict[Path, Path], labelled: int) -> tuple[str, ...]:
    known = {text for text in texts.values() if is_file(text)}
    stray = [file for file in (root / "labels").rglob("*.txt") if file not in known]
    lone = len(texts) - labelled
    return (
        *((f"{lone} pictures have no text file: taken to show nothing",) if lone else ()),
        *((f"{len(stray)} text files belong to no picture, {readable(stray[0].name)} first",) if stray else ()),
    )


def _boxes(text: Path, there: bool, names: tuple[str, ...]) -> TrueBoxes:
    rows = [_row(line, names, f"{text}, line {number}") for number, line in _lines(text)] if there else []
    values = np.array(rows, np.float64).reshape(-1, 5)
    # Left in fractions: the size of a picture is not known before it is opened.
    centres, halves = values[:, 1:3], values[:, 3:5] / 2
    corners = np.concatenate([centres - halves, centres + halves], axis=1)
    return TrueBoxes(corners=corners, classes=values[:, 0].astype(np.int64), relative=True)


def _lines(text: Path) -> list[tuple[int, str]]:
    try:
        return [(number, line) for number, line in enumerate(read_lines(text), start=1) if line.strip()]
    except InputError as error:
        raise InputError(f"{text}: {error}, expected a box in each line") from None


def _row(line: str, names: tuple[str, ...], where: str) -> tuple[float, ...]:
    """Class, centre, width and height; of an outline, the box around it."""
    try:
        number, *values = (float(part) for part in line.split())
    except ValueError:
        number, values = math.nan, []
    # A line of more than four numbers is an outline, as the data sets for segmentation have: at least three points.
    if len(values) % 2 == 0 and len(values) >= 6:
        across, down = values[0::2], values[1::2]
        left, right, top, bottom = min(across), max(across), min(down), max(down)
        values = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
    sound = len(values) == 4 and all(-_SLACK <= value <= 1 + _SLACK for value in values)
    if not sound or not number.is_integer() or not 0 <= number < (len(names) or _MOST_CLASSES):
        expected = f"a class below {len(names)}" if names else "a class"
        raise InputError(f"{where}: found {line[:60]!r}, expected {expected} and a box in fractions of the picture")
    return number, *values
