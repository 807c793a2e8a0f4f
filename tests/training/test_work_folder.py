from __future__ import annotations

from pathlib import Path

import pytest

from edgent.errors import InputError
from edgent.training.work_folder import WorkFolder


def begun(output: Path, order: dict[str, object]) -> WorkFolder:
    work = WorkFolder(output, order)
    work.begin()
    return work


def test_nothing_is_written_before_it_begins(tmp_path) -> None:
    WorkFolder(tmp_path / "out.onnx", {"seed": 1})
    assert not list(tmp_path.iterdir())


def test_a_decision_is_made_once_and_stands_when_the_run_goes_on(tmp_path) -> None:
    first = begun(tmp_path / "out.onnx", {"seed": 1})
    assert first.once("views", lambda: {"views": 3}) == {"views": 3}
    again = begun(tmp_path / "out.onnx", {"seed": 1})
    assert again.once("views", lambda: {"views": 5}) == {"views": 3}


def test_another_order_does_not_go_on_and_throws_nothing_away(tmp_path) -> None:
    kept = begun(tmp_path / "out.onnx", {"seed": 1})
    with pytest.raises(InputError, match="remove it to begin anew, or name another output"):
        WorkFolder(tmp_path / "out.onnx", {"seed": 2})
    assert kept.path.is_dir()


def test_each_output_has_a_folder_of_its_own_and_leaves_none_behind(tmp_path) -> None:
    one, other = (begun(tmp_path / name, {}) for name in ("a.onnx", "b.onnx"))
    one.remove()
    assert not one.path.exists()
    assert other.path.is_dir()


@pytest.mark.parametrize("text", ["", "{", "[1]", "NaN"])
def test_a_damaged_decision_is_refused_in_one_line(tmp_path, text) -> None:
    work = begun(tmp_path / "out.onnx", {})
    work.once("views", lambda: {"views": 3})
    (work.path / "views.json").write_text(text)
    with pytest.raises(InputError, match="to begin anew"):
        work.once("views", lambda: {"views": 3})
