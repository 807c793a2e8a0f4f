"""A profile has a budget: a file that takes long to run does not hold up who wants to serve it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import EdgentError
from edgent.profiling.model_profiler import profile
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
