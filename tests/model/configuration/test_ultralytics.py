"""Ultralytics' properties are understood as its exporter writes them, and refused in a line where nobody does so."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from detectors import passing
from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.model.configuration.ultralytics import ultralytics

NAMES = "{0: 'cat', 1: \"it's\"}"
PROPS = {
    "stride": "32",
    "task": "detect",
    "names": NAMES,
    "imgsz": "[320, 640]",
    "end2end": "False",
}


def test_a_detectors_export_says_all_that_is_needed() -> None:
    found = ultralytics(PROPS, [(1, 6, 2100)])
    assert found["task"] == "detection" and found["head"] == "yolov8"
    assert found["labels"] == ["cat", "it's"]
    assert found["preprocessing"] == {"resize": "letterbox", "size": [320, 640]}


@pytest.mark.parametrize(
    ("shape", "end_to_end", "head"),
    [
        ((1, 6, 2100), "False", "yolov8"),
        ((1, 300, 6), "True", "end-to-end"),
        ((1, 300, 6), "False", "end-to-end"),
        ((1, 25200, 7), "False", "yolov5"),
        ((1, 9, 9), "False", None),
        ((0, 0, 0), "False", "yolov8"),
        ((0, 6, 0), "False", "yolov8"),
        ((0, 0, 0), "True", "end-to-end"),
        ((), "False", None),
    ],
)
def test_the_head_is_told_by_the_outputs_shape(shape: tuple[int, ...], end_to_end: str, head: str | None) -> None:
    assert ultralytics(PROPS | {"end2end": end_to_end}, [shape]).get("head") == head


@pytest.mark.parametrize("task", ["pose", "obb", "segment"])
def test_a_task_that_nothing_reads_is_said_once_unless_the_configuration_reads_it(task: str, tmp_path: Path) -> None:
    path = passing(tmp_path / "m.onnx", {"o": (1, 6, 9)}, task="raw")
    proto = onnx.load(path)
    del proto.metadata_props[:]
    for key, value in {"stride": "32", "names": NAMES, "task": task}.items():
        proto.metadata_props.add(key=key, value=value)
    onnx.save(proto, path)
    beside = path.with_name("m.edgent.toml")
    assert load(path).doubts == (f"m.onnx: its task '{task}' has no head here: the outputs are given as they are",)
    beside.write_text('task = "detection"\nhead = "yolov8"\n')
    assert load(path).doubts == ()


def test_where_dimensions_are_free_the_head_is_told_by_who_exported_and_how() -> None:
    of_the_repository = {key: PROPS[key] for key in ("stride", "names")}
    assert ultralytics(of_the_repository, [(0, 0, 0)])["head"] == "yolov5"
    suppressing = PROPS | {"args": "{'batch': 1, 'nms': True, 'dynamic': True}"}
    assert ultralytics(suppressing, [(0, 0, 0)])["head"] == "end-to-end"


def test_rows_of_six_of_a_single_class_are_told_by_whether_boxes_were_suppressed() -> None:
    single = PROPS | {"names": "{0: 'cat'}"}
    assert ultralytics(single, [(1, 300, 6)])["head"] == "yolov5"
    assert ultralytics(single | {"args": "{'nms': True}"}, [(1, 300, 6)])["head"] == "end-to-end"


def test_a_classifier_is_cropped_and_other_tasks_are_given_as_they_are() -> None:
    classifier = ultralytics(PROPS | {"task": "classify"}, [(1, 2)])
    assert classifier["task"] == "classification" and classifier["preprocessing"]["resize"] == "crop"
    for task in ("segment", "pose", "obb"):
        assert ultralytics(PROPS | {"task": task}, [(1, 38, 2100)])["task"] == "raw"


def test_grey_pictures_and_a_square_size_are_understood() -> None:
    found = ultralytics(PROPS | {"channels": "1", "imgsz": "64"}, [])
    assert found["preprocessing"] == {"resize": "letterbox", "color": "L", "size": [64, 64]}


def test_the_repository_of_yolov5_writes_less() -> None:
    found = ultralytics({"stride": "32", "names": "['cat', 'dog']"}, [(1, 25200, 7)])
    assert (found["labels"], found["head"]) == (["cat", "dog"], "yolov5") and "size" not in found["preprocessing"]


@pytest.mark.parametrize("props", [{}, {"names": "{}"}, {"stride": "32"}, {"author": "Ultralytics"}])
def test_what_others_write_is_left_alone(props: dict[str, str]) -> None:
    assert ultralytics(props, []) == {}


@pytest.mark.parametrize(
    "changed",
    [
        {"names": "{0: 'cat', 2: 'dog'}"},
        {"names": "__import__('os').system('true')"},
        {"names": "(" * 10_000},
        {"names": "7"},
        {"names": "{" + "0: 'x', " * 200_000 + "}"},
        {"imgsz": "[320]"},
        {"imgsz": "[-1, 320]"},
        {"imgsz": "[True, 320]"},
        {"imgsz": "'320'"},
    ],
)
def test_properties_that_nobody_writes_so_are_refused(changed: dict[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        ultralytics(PROPS | changed, [])
    assert len(str(caught.value)) < 200 and "\n" not in str(caught.value)
