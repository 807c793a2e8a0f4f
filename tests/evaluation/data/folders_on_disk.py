"""Data sets as somebody has them on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def picture(path: Path, shade: int = 0, size: tuple[int, int] = (40, 30)) -> Path:
    """A picture of one colour; width and height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), shade, np.uint8)).save(path)
    return path


def classes(root: Path, **counts: int) -> Path:
    """A folder for each class."""
    for name, count in counts.items():
        for number in range(count):
            picture(root / name / f"{number}.png", number)
    return root


def table(root: Path, text: str, *names: str) -> Path:
    """A CSV file, and pictures beside it."""
    for name in names:
        picture(root / name)
    (root / "labels.csv").write_text(text)
    return root


def yolo(root: Path, lines: Mapping[str, str], pictures: Sequence[str], names: str = "names: [cat, dog]\n") -> Path:
    """Pictures and text files beside each other."""
    for name in pictures:
        picture(root / "images" / f"{name}.jpg")
    (root / "labels").mkdir(parents=True, exist_ok=True)
    for name, text in lines.items():
        (root / "labels" / f"{name}.txt").write_text(text)
    if names:
        (root / "data.yaml").write_text(names)
    return root


def coco(root: Path, **changes: Any) -> Path:
    """One picture with a box, as COCO writes it, with some parts changed."""
    picture(root / "images" / "a.jpg")
    document = {
        "images": [{"id": 7, "file_name": "a.jpg"}],
        "categories": [{"id": 18, "name": "dog"}, {"id": 17, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 18, "bbox": [10, 5, 20, 10], "iscrowd": 0}],
    }
    (root / "instances.json").write_text(json.dumps(document | changes))
    return root
