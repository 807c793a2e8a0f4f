"""COCO's JSON: `images`, `categories` and `annotations` with boxes as x, y, width, height in pixels.

T.-Y. Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014; https://cocodataset.org/#format-data. Crowds
(`iscrowd`) are left out: whether a network finds one box in a crowd says nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgent.document import parse
from edgent.errors import InputError
from edgent.evaluation.data.examples import Listed, Listing, TrueBoxes
from edgent.evaluation.data.inside import file_inside
from edgent.files import is_file, read_bytes

_MOST = 1 << 30  # bytes; train2017's has 450 million
_FARTHEST = 1e6  # pixels from a picture's corner; no picture is so large
_PARTS = ("images", "annotations", "categories")
_FOLDERS = (".", "images", "..", "../images")  # where pictures lie, seen from the JSON file


class _Box(NamedTuple):
    """One annotation: corners, then the class's index."""

    x1: float
    y1: float
    x2: float
    y2: float
    place: int


def is_coco(path: Path) -> bool:
    """Whether a JSON file looks like one of COCO's, by its beginning."""
    try:
        with path.open("rb") as file:
            return b'"images"' in (start := file.read(1 << 16)) or b'"annotations"' in start or b'"categories"' in start
    except OSError:
        return False


def read_coco(path: Path) -> Listing:
    """The pictures and boxes of a JSON file; the pictures lie beside it or in `images`.

    Raises:
        InputError: it is no such file; a picture that is not there; a box of an unknown picture or class, or with
            numbers that no box has.
    """
    document = _document(path)
    classes = _classes(document["categories"], path)
    pictures = {entry["id"]: entry for entry in _objects(document["images"], "images", ("id", "file_name"), path)}
    boxes = defaultdict(list)
    for picture, box in _boxes(document["annotations"], classes, path):
        if picture not in pictures:
            raise InputError(f"{path}: found a box of the picture {picture!r}, which is not in images")
        boxes[picture].append(box)
    root = _root(path, pictures)
    files = [
        Listed(path=file_inside(root, str(entry["file_name"]), str(path)), truth=_true_boxes(boxes[number]))
        for number, entry in pictures.items()
    ]
    names = tuple(str(entry) for entry, _ in sorted(classes.values(), key=lambda pair: pair[1]))
    return Listing(name=path.stem, format="coco", class_names=names, files=tuple(files))


def _document(path: Path) -> Mapping[str, object]:
    try:
        document = parse(read_bytes(path, _MOST).decode("utf-8"))
    except (InputError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}; expected COCO's JSON") from None
    missing = [part for part in _PARTS if not isinstance(document, dict) or not isinstance(document.get(part), list)]
    if missing or not isinstance(document, dict):
        raise InputError(f"{path}: found no list {missing[0]!r}, expected COCO's JSON with {', '.join(_PARTS)}")
    return document


def _objects(entries: object, what: str, keys: Sequence[str], path: Path) -> Iterator[dict[str, object]]:
    """The objects of a list, each with these keys; all but a box are whole numbers or texts."""
    assert isinstance(entries, list)
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict) or not all(_is_sound(key, entry.get(key)) for key in keys):
            raise InputError(f"{path}: {what}[{place}] lacks {' or '.join(keys)}; expected COCO's JSON")
        yield entry


def _is_sound(key: str, value: object) -> bool:
    # To Python, True is a whole number; to JSON it is none.
    return value is not None if key == "bbox" else isinstance(value, int | str) and not isinstance(value, bool)


def _classes(categories: object, path: Path) -> dict[object, tuple[str, int]]:
    """Name and index of each category, by its id; indices count the categories in the order of their ids."""
    objects = list(_objects(categories, "categories", ("id", "name"), path))
    if not all(isinstance(entry["id"], int) for entry in objects):
        raise InputError(f"{path}: found a category whose id is no whole number")
    # Ids leave gaps (COCO's go up to 90 for 80 classes); networks count classes without any.
    ordered = sorted(objects, key=lambda entry: int(str(entry["id"])))
    return {entry["id"]: (str(entry["name"]), place) for place, entry in enumerate(ordered)}


def _boxes(annotations: object, classes: Mapping[object, tuple[str, int]], path: Path) -> Iterator[tuple[object, _Box]]:
    for entry in _objects(annotations, "annotations", ("image_id", "category_id", "bbox"), path):
        if entry.get("iscrowd"):
            continue
        box, category = entry["bbox"], entry["category_id"]
        if category not in classes:
            raise InputError(f"{path}: found a box of the class {str(category)[:20]}, which is not in categories")
        if not _is_box(box):
            raise InputError(
                f"{path}: found the box {str(box)[:80]} of picture {str(entry['image_id'])[:20]}, "
                "expected x, y, width, height in pixels"
            )
        assert isinstance(box, list)
        x, y, width, height = map(float, box)
        yield entry["image_id"], _Box(x, y, x + width, y + height, classes[category][1])


def _is_box(box: object) -> bool:
    # By the exact type: to Python, True is a number as well.
    if not isinstance(box, list) or len(box) != 4 or not all(type(side) in (int, float) for side in box):
        return False
    return all(abs(side) <= _FARTHEST and math.isfinite(side) for side in box) and min(box[2:]) >= 0


def _root(path: Path, pictures: Mapping[object, Mapping[str, object]]) -> Path:
    """The folder in which the first picture lies; where it is nowhere, that of the JSON file, for the message."""
    names = [Path(str(picture["file_name"])) for picture in pictures.values()][:1]
    roots = [path.parent / folder for folder in (*_FOLDERS, f"../{path.stem.removeprefix('instances_')}")]
    return next((root for root in roots for name in names if is_file(root / name)), path.parent)


def _true_boxes(boxes: Sequence[_Box]) -> TrueBoxes:
    values = np.array(boxes, np.float64).reshape(-1, 5)
    return TrueBoxes(corners=values[:, :4], classes=values[:, 4].astype(np.int64))
