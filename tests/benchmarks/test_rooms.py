"""The picture of the rooms is that of the code."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def rooms():
    spec = importlib.util.spec_from_file_location("rooms", ROOT / "benchmarks" / "rooms.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_in_the_docs_is_that_of_the_code(rooms):
    assert rooms.main(["--check"]) == 0, "run benchmarks/rooms.py"


def test_a_picture_that_is_not_that_of_the_code_is_told_and_left_alone(rooms, tmp_path, capsys):
    rooms.PICTURE = tmp_path / "rooms.svg"
    rooms.PICTURE.write_text("<svg/>")
    assert rooms.main(["--check"]) == 1
    assert "run benchmarks/rooms.py" in capsys.readouterr().out
    assert rooms.PICTURE.read_text() == "<svg/>"
    assert rooms.main([]) == 0
    assert rooms.main(["--check"]) == 0


def test_every_folder_and_file_of_the_product_has_one_box(rooms):
    drawing = ElementTree.fromstring(rooms.drawn(rooms.floors()))
    names = [text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text") if text.get("class") == "name"]
    entries = (ROOT / "src" / "edgent").iterdir()
    there = {path.name for path in entries if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert sorted(names) == sorted(there - {"__init__.py", "__main__.py"})


def test_every_box_lies_inside_the_picture_and_none_over_another(rooms):
    drawing = ElementTree.fromstring(rooms.drawn(rooms.floors()))
    _, _, width, height = map(float, drawing.get("viewBox").split())
    boxes = [
        tuple(float(box.get(side)) for side in ("x", "y", "width", "height"))
        for box in drawing.iter("{http://www.w3.org/2000/svg}rect")
        if box.get("class") in ("room", "file")
    ]
    for number, (x, y, wide, high) in enumerate(boxes):
        assert x >= 0
        assert y >= 0
        assert x + wide <= width
        assert y + high <= height
        for ax, ay, awide, ahigh in boxes[:number]:
            assert x >= ax + awide or ax >= x + wide or y >= ay + ahigh or ay >= y + high


def test_a_single_file_is_not_drawn_as_a_room(rooms):
    picture = rooms.drawn([["device", "errors"]])
    frames = [line.split('"')[1] for line in picture.splitlines() if line.startswith("<rect") and "rx=" in line]
    assert frames == ["room", "file"]
    assert ">errors.py</text>" in picture and ">device</text>" in picture
