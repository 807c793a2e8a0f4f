from __future__ import annotations

import numpy as np

from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.evaluation.data.examples import opened
from edgent.evaluation.data.folders import read_folders
from edgent.training.quantize.pairs import ROUNDS, accuracies_of, times_of
from networks.taught import shaded, staged


def test_a_network_beside_itself_has_changed_by_nothing(tmp_path) -> None:
    model = load(staged(tmp_path / "net.onnx"))
    data = opened(read_folders(shaded(tmp_path / "shades", each=5)))
    (pair,) = accuracies_of(model, model, data, OnnxRuntimeEngine()).exits
    assert pair.plain == pair.whole
    assert pair.change == (0, 0)


def test_what_loses_answers_has_changed_for_the_worse(tmp_path) -> None:
    model = load(staged(tmp_path / "net.onnx"))
    other = load(staged(tmp_path / "other.onnx", residual=False))  # without its skip half of the shades are darker
    data = opened(read_folders(shaded(tmp_path / "shades", each=10)))
    accuracies = accuracies_of(model, other, data, OnnxRuntimeEngine())
    (pair,) = accuracies.exits
    assert (accuracies.name, accuracies.metric) == ("accuracy", "top-1")
    assert pair.plain.number > pair.whole.number
    assert pair.change.high < 0


def test_times_are_of_the_same_rounds_and_their_ratio_lies_in_its_interval(tmp_path) -> None:
    model = load(staged(tmp_path / "net.onnx"))
    told: list[tuple[int, int]] = []
    times = times_of(model, model, OnnxRuntimeEngine(), lambda done, whole: told.append((done, whole)))
    assert told[-1] == (ROUNDS, ROUNDS)
    assert times.interval.low <= times.ratio <= times.interval.high
    assert np.isclose(times.ratio, times.whole / times.plain, rtol=0.5)
