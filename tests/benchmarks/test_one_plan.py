"""The picture of one plan is that of the code, and says what the model's own file says."""

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


@pytest.fixture(scope="module")
def plan():
    spec = importlib.util.spec_from_file_location("one_plan", ROOT / "benchmarks" / "one_plan.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def drawing(plan):
    return ElementTree.fromstring(plan.drawn())


def test_the_picture_in_the_docs_is_that_of_the_code(plan):
    assert plan.main(["--check"]) == 0, "run benchmarks/one_plan.py"


def test_a_picture_that_is_another_one_is_told_and_left_alone(plan, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(plan, "PICTURE", tmp_path / "plan.svg")
    plan.PICTURE.write_text("<svg/>")
    assert plan.main(["--check"]) == 1
    assert "run benchmarks/one_plan.py" in capsys.readouterr().out
    assert plan.PICTURE.read_text() == "<svg/>"
    assert plan.main([]) == plan.main(["--check"]) == 0


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
