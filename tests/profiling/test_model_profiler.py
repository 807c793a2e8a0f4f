"""A profile has a budget, and tells what the model takes and not what other programs took meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgent.engine.engine import Session
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import EdgentError
from edgent.model import Branch, Model
from edgent.profiling.model_profiler import profile
from edgent.testing import FakeEngine
from edgent.testing.engine import FakeSession
from graphs import attention, inception, residual, saved, several


@pytest.mark.parametrize("make", [attention, inception, residual, several])
def test_what_takes_longer_than_it_may_is_given_up_in_one_line_and_leaves_nothing_behind(
    make, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    model = load(saved(make(), model_file))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    with pytest.raises(EdgentError, match=rf"^{model.name}: profiling it takes more than 1 µs; .* with --profile$"):
        profile(model, Engine(), most=1e-6)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_takes_less_is_measured_as_without_a_limit(model_file: Path):
    model = load(saved(residual(), model_file))
    made = profile(model, Engine(), rounds=3, budget=0.0, most=3600.0)
    assert made.digest == model.digest
    assert len(made.branches[0].layers) == len(model.branches[0].layers)


class SharedMachine(FakeEngine):
    """Every layer is a node that takes so long of the processor; other programs take their turns in the midst of some.

    `lost` are the seconds that each profiled run stands still in the layer `hit`, one run after the other: the
    profiler, which goes by the wall, books them there.
    """

    def __init__(self, own: Sequence[float], hit: int = 0, lost: Sequence[float] = (0.0,)) -> None:
        super().__init__()
        self.own, self.hit, self.lost, self.processor = own, hit, lost, 0.0

    def stopwatch(self) -> float:
        """The processor's time; looking takes some, so that codecs, which are no runs of ours, take more than none."""
        self.processor += 1e-9
        return self.processor

    def session(self, model: Model, given: Sequence[str], asked: Sequence[str]) -> Session:
        """See `Engine.session`."""
        return SharedSession(self, FakeSession(*([model.tensors[name] for name in side] for side in (given, asked))))

    def profiled(self, model: Model, branch: Branch, folder: Path) -> tuple[Session, Mapping[str, tuple[int, ...]]]:
        """See `Engine.profiled`."""
        session, _ = super().profiled(model, branch, folder)
        return SharedSession(self, session), {str(layer): (layer,) for layer in range(len(self.own))}


class SharedSession:
    """See `SharedMachine`."""

    def __init__(self, machine: SharedMachine, session: Session) -> None:
        self.given, self._machine, self._session, self._runs = session.given, machine, session, 0

    def run(self, feeds: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
        """Takes what the layers take, of the processor."""
        self._runs += 1
        self._machine.processor += sum(self._machine.own)
        return self._session.run(feeds)

    def end_profiling(self) -> dict[str, list[float]]:
        """What a profiler sees by the wall."""
        nodes = {str(layer): [seconds] * self._runs for layer, seconds in enumerate(self._machine.own)}
        nodes[str(self._machine.hit)] = [
            self._machine.own[self._machine.hit] + lost
            for lost, _ in zip(cycle(self._machine.lost), range(self._runs), strict=False)
        ]
        return nodes


@pytest.mark.parametrize("hit", [0, 1, 5])
@pytest.mark.parametrize("lost", [(0.0,), (4e-3, 9e-3, 0.0, 2e-3, 0.0, 0.0), (0.0, 0.0, 30e-3), (7e-3,)])
def test_what_other_programs_take_is_in_no_layer(hit: int, lost: Sequence[float], model_file: Path):
    model = load(saved(residual(), model_file))
    own = [2e-3 if layer == hit else 1e-4 * (1 + layer) for layer in range(len(model.branches[0].layers))]
    machine = SharedMachine(own, hit, lost)
    made = profile(model, machine, rounds=6, budget=1.0, stopwatch=machine.stopwatch)
    assert made.branches[0].whole.median == pytest.approx(sum(own), rel=1e-3)
    assert made.branches[0].layers == pytest.approx(own, rel=1e-3)
