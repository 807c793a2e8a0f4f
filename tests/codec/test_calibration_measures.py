"""A calibration says what its numbers are, and which of them its pictures cannot tell apart."""

from __future__ import annotations

import json

import pytest

from edgent.codec import Calibration, CodecAccuracy, ExitAccuracy
from edgent.errors import InputError

DIGEST = "ab" * 32


def calibration(**changes) -> Calibration:
    entries = {
        "model": "m",
        "digest": DIGEST,
        "data": "60 pictures",
        "measure": "fidelity",
        "metric": "same label",
        "reference": "m",
        "exits": (
            ExitAccuracy(exit=0, accuracy=0.7, samples=60, interval=(0.6, 0.8), change=(-0.3, -0.1)),
            ExitAccuracy(exit=1, accuracy=0.88, samples=60, interval=(0.8, 0.95), change=(-0.05, 0.01)),
            ExitAccuracy(exit=2, accuracy=0.9, samples=60, interval=(0.8, 0.95), change=(0.0, 0.0)),
        ),
        "accuracies": (
            CodecAccuracy(exit=0, tensors=("x",), codec="jpeg-50", accuracy=0.68, samples=60, change=(-0.06, 0.02)),
            CodecAccuracy(exit=1, tensors=("x",), codec="jpeg-50", accuracy=0.86, samples=60, change=(-0.06, 0.0)),
            CodecAccuracy(exit=2, tensors=("x",), codec="jpeg-50", accuracy=0.8, samples=60, change=(-0.2, -0.02)),
            CodecAccuracy(exit=2, tensors=("x",), codec="uint8", accuracy=0.89, samples=60),
        ),
    }
    return Calibration(**{**entries, **changes})


@pytest.mark.parametrize(
    ("exit", "codec", "measured", "counts"),
    [
        (0, "jpeg-50", 0.68, 0.7),  # the codec cannot be told from nothing, the exit from the best can
        (1, "jpeg-50", 0.86, 0.9),  # neither can
        (2, "jpeg-50", 0.8, 0.8),
        (2, "uint8", 0.89, 0.89),  # nobody measured in pairs
        (2, "uint8+zstd", 0.89, 0.89),
    ],
)
def test_what_cannot_be_told_apart_counts_as_equal(exit: int, codec: str, measured: float, counts: float) -> None:
    assert calibration().accuracy(exit, ["x"], codec) == measured
    assert calibration().counts_as(exit, ["x"], codec) == counts


def test_exits_that_cannot_be_told_from_the_best_count_as_it() -> None:
    assert [calibration().exit_counts_as(exit) for exit in (0, 1, 2, 3)] == [0.7, 0.9, 0.9, None]
    assert [calibration().exit_accuracy(exit) for exit in (0, 1, 2, 3)] == [0.7, 0.88, 0.9, None]


def test_what_was_not_measured_counts_as_nothing() -> None:
    assert calibration().counts_as(2, ["y"], "jpeg-50") is None


def test_it_is_read_as_it_was_written() -> None:
    written = calibration()
    assert Calibration.from_json(written.to_json()) == written
    assert json.loads(written.to_json())["measure"] == "fidelity"


def test_files_from_before_there_were_measures_hold_accuracies() -> None:
    old = Calibration(model="m", digest=DIGEST, data="d")
    assert "measure" not in json.loads(old.to_json())
    assert Calibration.from_json(old.to_json()).measure == "accuracy"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("measure", "precision"),
        ("measure", 3),
        ("exits", [{"exit": 0, "accuracy": 2, "samples": 1, "interval": [0, 1], "change": [0, 0]}]),
        ("exits", [{"exit": 0, "accuracy": 1, "samples": 0, "interval": [0, 1], "change": [0, 0]}]),
        ("exits", [{"exit": 0, "accuracy": 1, "samples": 1, "interval": [1, 0], "change": [0, 0]}]),
        ("exits", [{"exit": 0, "accuracy": 1, "samples": 1, "interval": [0, 1, 2], "change": [0, 0]}]),
        ("exits", [{"exit": 0, "accuracy": 1, "samples": 1, "interval": [0, 1], "change": [0, 9]}]),
        ("exits", [{"exit": 0, "accuracy": 1, "samples": 1, "interval": [0, 1], "change": [0, 0]}] * 2),
        ("exits", {}),
        ("unheard-of", 1),
    ],
)
def test_values_that_no_calibration_has_are_refused(key: str, value: object) -> None:
    document = json.loads(calibration().to_json()) | {key: value}
    with pytest.raises(InputError, match="measure it again"):
        Calibration.from_json(json.dumps(document))
