"""The pictures of the rooms and of one plan are those of the code, and say what the files themselves say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from xml.etree import ElementTree

import onnx
import pytest
from onnx import shape_inference

ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"


def _script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rooms():
    return _script("rooms")


@pytest.fixture
def plan():
    return _script("one_plan")


@pytest.fixture
def drawing(plan):
    return ElementTree.fromstring(plan.drawn())


@pytest.mark.parametrize("name", ["rooms", "one_plan"])
def test_the_picture_in_the_docs_is_that_of_the_code(name):
    assert _script(name).main(["--check"]) == 0, f"run benchmarks/{name}.py"


@pytest.mark.parametrize("name", ["rooms", "one_plan"])
def test_a_picture_that_is_not_that_of_the_code_is_told_and_left_alone(name, tmp_path, capsys):
    script = _script(name)
    script.PICTURE = tmp_path / "picture.svg"
    script.PICTURE.write_text("<svg/>")
    assert script.main(["--check"]) == 1
    assert f"run benchmarks/{name}.py" in capsys.readouterr().out
    assert script.PICTURE.read_text() == "<svg/>"
    assert script.main([]) == script.main(["--check"]) == 0


def test_every_folder_and_file_of_the_product_has_one_box(rooms):
    drawing = ElementTree.fromstring(rooms.drawn(rooms.floors()))
    names = [text.text for text in drawing.iter(f"{SVG}text") if text.get("class") == "name"]
    entries = (ROOT / "src" / "edgent").iterdir()
    there = {path.name for path in entries if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert sorted(names) == sorted(there - {"__init__.py", "__main__.py"})


def test_every_box_lies_inside_the_picture_and_none_over_another(rooms):
    drawing = ElementTree.fromstring(rooms.drawn(rooms.floors()))
    _, _, width, height = map(float, drawing.get("viewBox").split())
    boxes = [
        tuple(float(box.get(side)) for side in ("x", "y", "width", "height"))
        for box in drawing.iter(f"{SVG}rect")
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


def test_the_bytes_at_both_cuts_are_those_of_the_tensors_in_the_file(plan, drawing):
    file = onnx.load(str(ROOT / "src" / "edgent" / "model" / "shipped" / "b-alexnet.onnx"))
    graph = shape_inference.infer_shapes(file).graph
    values = [*graph.value_info, *graph.output]
    sizes = {round(4 * _count(value) / 1000, 1) for value in values if value.type.tensor_type.elem_type == 1}
    said = re.findall(r"cut = \d+: ([\d.]+) kB", " ".join(text.text for text in drawing.iter(f"{SVG}text")))
    assert len(said) == 2
    assert {float(size) for size in said} <= sizes


def test_head_middle_and_suffix_are_where_the_cuts_are(plan, drawing):
    layers = [box for box in drawing.iter(f"{SVG}rect") if float(box.get("y", -1)) == plan.LAYERS]
    kinds = [box.get("class") for box in sorted(layers, key=lambda box: float(box.get("x")))]
    head, middle = ["device"] * plan.UPLOAD, ["edge"] * (plan.DOWNLOAD - plan.UPLOAD)
    assert kinds == [*head, *middle, *["device"] * (22 - plan.DOWNLOAD)]


def test_everything_lies_inside_the_picture(drawing):
    _, _, width, height = map(float, drawing.get("viewBox").split())
    for box in (box for box in drawing.iter(f"{SVG}rect") if box.get("x")):
        assert float(box.get("x")) >= 0 and float(box.get("x")) + float(box.get("width")) <= width
        assert float(box.get("y")) >= 0 and float(box.get("y")) + float(box.get("height")) <= height


def _count(value):
    count = 1
    for dim in value.type.tensor_type.shape.dim:
        count *= dim.dim_value or 1
    return count
