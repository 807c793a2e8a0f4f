"""What Frigate is to be told, as its YAML reads it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from detectors import LABELS, SIDE, detector
from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.frigate.configuration import frigate_configuration


def test_the_sections_name_the_endpoint_the_size_and_every_label(tmp_path: Path) -> None:
    text = frigate_configuration(load(str(detector(tmp_path / "d.onnx"))), "tcp://192.0.2.7:5555")
    lines = [line.strip() for line in text.splitlines()]
    assert "type: zmq" in lines and "endpoint: tcp://192.0.2.7:5555" in lines
    assert f"width: {SIDE}" in lines and "input_tensor: nhwc" in lines and "input_dtype: int" in lines
    labels = dict(line.split(": ", 1) for line in lines[lines.index("labelmap:") + 1 :])
    assert {int(number): json.loads(label) for number, label in labels.items()} == dict(enumerate(LABELS))


def test_a_label_cannot_say_anything_else_in_yaml(tmp_path: Path) -> None:
    evil = ("no", "a: b", "x\ny: z", '"', "#", *LABELS[:0])
    text = frigate_configuration(load(str(detector(tmp_path / "d.onnx", labels=evil))), "tcp://h:1")
    section = text.partition("labelmap:\n")[2].splitlines()
    assert len(section) == 5 and all(line.partition(": ")[2].startswith('"') for line in section)


def test_a_model_that_takes_no_pictures_is_refused(tmp_path: Path) -> None:
    model = load(str(detector(tmp_path / "d.onnx")))
    with pytest.raises(InputError, match="finds no boxes"):
        frigate_configuration(replace(model, metadata=replace(model.metadata, preprocessing=None)), "tcp://h:1")
