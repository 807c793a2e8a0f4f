from __future__ import annotations

import json
import re

import pytest

from edgent.errors import ModelError
from edgent.model.configuration.document import read_json, write_json
from edgent.model.metadata import InputInfo, Metadata

EXIT = {"name": "last", "outputs": ["y"], "accuracy": 0.9, "samples": 100, "data": "made"}
PICTURES = {"size": [28, 32], "mean": [0.5], "std": [0.5], "color": "L"}


def document(**changed: object) -> str:
    return json.dumps({"version": 1, "exits": [EXIT], "labels": ["cat", "dog"], "preprocessing": PICTURES, **changed})


def test_what_is_left_out_has_its_default() -> None:
    assert read_json('{"version": 1}') == Metadata()
    found = read_json(document())
    assert found.labels == ("cat", "dog") and found.exits[0].accuracy == 0.9
    assert found.preprocessing is not None
    assert (found.preprocessing.size, found.preprocessing.layout) == ((28, 32), "NCHW")
    assert read_json(write_json(found)) == found


def test_whole_sizes_may_be_written_as_fractions() -> None:
    found = read_json(document(preprocessing={**PICTURES, "size": [28.0, 32]}))
    assert found.preprocessing is not None and found.preprocessing.size == (28, 32)


def pictures(**changed: object) -> str:
    return document(preprocessing={**PICTURES, **changed})


def of_exit(**changed: object) -> str:
    return document(exits=[{**EXIT, **changed}])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '{"version": 2}',
        '{"version": true}',
        '{"version": 1, "version": 1}',
        document(more=1),
        document(labels="cat"),
        document(labels={"cat": 0}),
        document(labels=[1, 2]),
        document(labels=[None]),
        document(exits={"name": "last"}),
        document(exits=[["last"]]),
        document(exits=[{"name": "last"}]),
        document(preprocessing=[28, 28]),
        document(preprocessing={}),
        of_exit(accuracy="0.9"),
        of_exit(accuracy=True),
        of_exit(accuracy=1.5),
        of_exit(accuracy=-0.1),
        of_exit(accuracy=10**400),
        of_exit(outputs="y"),
        of_exit(outputs=[]),
        of_exit(outputs=[1]),
        of_exit(samples="many"),
        of_exit(samples=1.5),
        of_exit(name=3),
        of_exit(more=1),
        pictures(size=[True, 28]),
        pictures(size=[28]),
        pictures(size=[28, 28, 28]),
        pictures(size=28),
        pictures(size="28"),
        pictures(size=[28.5, 28]),
        pictures(size=[0, 28]),
        pictures(size=[-28, 28]),
        pictures(size=[10**9, 10**9]),
        pictures(size=[10**400, 28]),
        pictures(scale="1"),
        pictures(scale=0),
        pictures(scale=True),
        pictures(scale=10**400),
        pictures(mean=0.5),
        pictures(mean=[0.5, 0.5]),
        pictures(mean=["0.5"]),
        pictures(std=[0]),
        pictures(resize="zoom"),
        pictures(resize=1),
        pictures(color=None),
        document(labels="L").replace('"L"', r'["\ud800"]'),
        document(labels="L").replace('"L"', "[" * 9000),
        of_exit(accuracy="A").replace('"A"', "NaN"),
        of_exit(accuracy="A").replace('"A"', "9" * 9000),
        pictures(size="S").replace('"S"', "[true, 1e999]"),
        pictures(scale="S").replace('"S"', "1e999"),
    ],
)
def test_metadata_that_cannot_be_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ModelError) as caught:
        read_json(text)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


DETECTOR = {"task": "detection", "head": "yolov8", "dims": {"width": 320}, "inputs": {"x": {"fill": "pad"}}}


def test_what_a_configuration_adds_is_read_and_written_again() -> None:
    found = read_json(document(**DETECTOR))
    assert (found.task, found.head, found.dims) == ("detection", "yolov8", {"width": 320})
    assert found.inputs == {"x": InputInfo(fill="pad", excess="refuse")}
    assert read_json(write_json(found)) == found


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"task": "detecting"}, "classification, detection, segmentation, embedding, raw"),
        ({"task": "detection", "head": "yolov9"}, "yolov5, yolov8, end-to-end, boxes-scores"),
        ({"task": "raw", "head": "yolov8"}, "leave it out"),
        ({"head": "yolov8"}, "leave it out"),
        ({"task": "detection", "head": "yolov8", "post": "decode.onnx"}, "one of the two"),
        ({"dims": {"width": 3.5}}, "a whole number"),
        ({"dims": {"width": -1}}, "the size of a dimension"),
        ({"dims": [320]}, "an object"),
        ({"inputs": {"x": {"fill": "stretch"}}}, "refuse, pad"),
        ({"inputs": {"x": {"excess": "cut"}}}, "refuse, shrink"),
        ({"inputs": {"x": {"fil": "pad"}}}, "'fil'"),
        ({"preprocessing": {**PICTURES, "crop": 0.5}}, 'expected "crop"'),
        ({"preprocessing": {**PICTURES, "resize": "crop", "crop": 1.5}}, "a fraction"),
        ({"preprocessing": {**PICTURES, "filter": "antialias"}}, "nearest, box, bilinear, bicubic, lanczos"),
        ({"preprocessing": {**PICTURES, "padding": 300}}, "0..255"),
    ],
)
def test_what_a_configuration_cannot_say_is_refused_with_what_it_can(changed: dict[str, object], said: str) -> None:
    with pytest.raises(ModelError, match=re.escape(said)):
        read_json(document(**changed))
