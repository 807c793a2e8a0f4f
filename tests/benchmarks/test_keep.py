"""What a benchmark printed is kept with what it is of."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
RUN = {"commit": "0123456789ab", "date": "2026-11-30", "processor": "none"}


@pytest.fixture
def keep(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("keep", FOLDER / "keep.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "provenance", lambda source: RUN)
    return module


def test_figures_are_kept_with_the_run_that_they_are_of(keep, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"rows": [{"way": "turns", "met": 0.5}]}'))
    assert keep.main(["turns", "--folder", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "turns.json").read_text()) == {"run": RUN, "rows": [{"way": "turns", "met": 0.5}]}


def test_a_benchmark_that_says_itself_what_it_was_run_with_is_believed(keep):
    assert json.loads(keep.kept({"run": {"commit": "ba"}, "rows": 1}, RUN))["run"] == {"commit": "ba"}


def test_a_list_of_figures_is_kept_as_rows(keep):
    assert json.loads(keep.kept([{"met": 0.5}], RUN)) == {"run": RUN, "rows": [{"met": 0.5}]}


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "1.5", "{}", '{"rows": NaN}'])
def test_what_are_no_figures_is_refused_in_one_line_and_the_file_stays(keep, text, tmp_path, monkeypatch, capsys):
    (tmp_path / "turns.json").write_text("as before")
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    with pytest.raises(SystemExit) as ended:
        keep.main(["turns", "--folder", str(tmp_path)])
    assert ended.value.code == 2
    assert "expected" in capsys.readouterr().err.splitlines()[-1]
    assert (tmp_path / "turns.json").read_text() == "as before"


def test_a_folder_that_is_not_there_is_bad_input(keep, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"rows": 1}'))
    with pytest.raises(SystemExit):
        keep.main(["turns", "--folder", str(tmp_path / "absent")])


def test_every_file_of_figures_says_what_it_is_of():
    for path in (FOLDER.parent / "docs" / "results").glob("*.json"):
        run = json.loads(path.read_text()).get("run", {})
        assert {"commit", "date", "processor"} <= set(run), f"{path.name}: written with benchmarks/keep.py?"
