"""Runs that take too long are ended, and no others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from edgent.engine import onnxruntime as engine
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine, branch_ends
from edgent.engine.overtime import Overtime, OvertimeError
from hostile.protos import body, model, node, value


@dataclass
class _Run:
    terminate: bool = False


class _Time:
    """A clock that is put forward by hand; the watcher's own thread looks after a minute of real time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.watcher = Overtime(limit=60, checks=1, now=lambda: self.now)

    def at(self, now: float) -> Overtime:
        self.now = now
        return self.watcher


def test_a_run_over_the_limit_is_ended() -> None:
    clock, run = _Time(), _Run()
    clock.at(0).begin(run)
    clock.at(61).check()
    assert run.terminate


def test_a_run_within_the_limit_goes_on() -> None:
    clock, run = _Time(), _Run()
    clock.at(0).begin(run)
    clock.at(59).check()
    assert not run.terminate


def test_a_run_that_is_over_is_left_alone() -> None:
    clock, run = _Time(), _Run()
    clock.at(0).begin(run)
    clock.at(1).end(run)
    clock.at(61).check()
    assert not run.terminate


def test_each_of_many_runs_has_its_own_time() -> None:
    clock, runs = _Time(), [_Run() for _ in range(5)]
    for start, run in enumerate(runs):
        clock.at(10 * start).begin(run)
    clock.at(85).check()
    assert [run.terminate for run in runs] == [True, True, True, False, False]


def test_a_loop_that_an_input_makes_endless_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count, go = value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL)
    step = body(
        [node("Identity", "go", "on"), node("Sin", "v", "w")],
        [count, go, value("v", None)],
        [value("on", [], TensorProto.BOOL), value("w", None)],
    )
    trips = value("m", [1], TensorProto.INT64)
    file = tmp_path / "loop.onnx"
    file.write_bytes(model([node("Loop", "m - x", body=step)], inputs=[value("x"), trips]).SerializeToString())
    loaded = load(file)
    session = Engine().session(loaded, *branch_ends(loaded.branches[0]))
    x = np.ones((1, 8), np.float32)
    with monkeypatch.context() as patch, pytest.raises(OvertimeError, match="ran for more than"):
        patch.setattr(engine, "_OVERTIME", Overtime(limit=0.2))
        session.run({"x": x, "m": np.array([2**62])})
    assert session.run({"x": x, "m": np.array([1])})["y"] == pytest.approx(np.sin(x))
