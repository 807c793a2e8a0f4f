"""What a benchmark printed is kept with what it is of, and the tables of docs/results are those of these files."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
from pathlib import Path

import pytest

from edgent.errors import InputError
from tables import aligned, markdown

ROOT = Path(__file__).resolve().parents[2]
RUN = {"commit": "0123456789ab", "date": "2026-11-30", "processor": "none"}


@pytest.fixture(scope="module")
def render():
    spec = importlib.util.spec_from_file_location("render", ROOT / "benchmarks" / "render.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page with one table, of a file beside it."""
    rows = [{"model": "a|b", "cuts": 1234, "worst": 0.000123456, "fine": True}, {"model": "c", "cuts": 2, "left": None}]
    (tmp_path / "figures.json").write_text(json.dumps({"all": {"rows": rows, "none": []}}))
    path = tmp_path / "page.md"
    path.write_text("before\n\n<!-- table: figures.json all.rows -->\nold\n<!-- end -->\n\nafter\n")
    return path


TABLE = """\
| model | cuts | worst | fine | left |
| --- | --- | --- | --- | --- |
| a\\|b | 1,234 | 0.0001235 | yes |  |
| c | 2 |  |  |  |
"""


def test_the_pages_of_this_repository_have_the_tables_of_their_files(render):
    assert render.main(["--check"]) == 0


def test_a_table_is_made_of_the_rows_and_the_rest_of_the_page_stays(render, page):
    assert render.main([str(page)]) == 0
    marked = f"<!-- table: figures.json all.rows -->\n{TABLE}<!-- end -->"
    assert page.read_text() == f"before\n\n{marked}\n\nafter\n"


def test_a_page_that_differs_is_told_and_left_alone_until_it_is_rendered(render, page, capsys):
    before = page.read_text()
    assert render.main(["--check", str(page.parent)]) == 1
    assert page.name in capsys.readouterr().out
    assert page.read_text() == before
    render.main([str(page)])
    assert render.main(["--check", str(page.parent)]) == 0


def test_a_figure_that_was_changed_by_hand_is_noticed(render, page):
    render.main([str(page)])
    page.write_text(page.read_text().replace("1,234", "1,235"))
    assert render.main(["--check", str(page)]) == 1


def test_a_figure_that_was_measured_anew_is_noticed(render, page):
    render.main([str(page)])
    figures = page.parent / "figures.json"
    figures.write_text(figures.read_text().replace("1234", "1235"))
    assert render.main(["--check", str(page)]) == 1


def test_rows_by_name_begin_with_it_and_objects_in_a_row_are_columns(render, tmp_path):
    (tmp_path / "by_name.json").write_text(json.dumps({"nets": {"n_1": {"whole": {"low_ms": 1.5}, "hits": 3}}}))
    assert render.table(tmp_path / "by_name.json", "nets") == (
        "|  | whole low ms | hits |\n| --- | --- | --- |\n| n_1 | 1.5 | 3 |\n"
    )


def test_an_object_of_figures_is_one_row(render, tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"run": {"commit": "0123abc", "date": "2026-11-30", "cores": 2}}))
    assert render.table(tmp_path / "run.json", "run") == (
        "| commit | date | cores |\n| --- | --- | --- |\n| 0123abc | 2026-11-30 | 2 |\n"
    )


def test_a_page_may_name_the_columns_that_it_shows(render, page):
    page.write_text(page.read_text().replace("all.rows", "all.rows worst model"))
    render.main([str(page)])
    assert "| worst | model |\n| --- | --- |\n| 0.0001235 | a\\|b |\n|  | c |\n" in page.read_text()


def test_a_whole_file_is_one_row_of_the_columns_that_are_named(render, tmp_path):
    (tmp_path / "all.json").write_text(json.dumps({"run": {"cores": 2}, "step_ms": {"median": 0.5}, "cells": [1]}))
    assert render.table(tmp_path / "all.json", "*", ["step_ms_median"]) == "| step ms median |\n| --- |\n| 0.5 |\n"
    with pytest.raises(InputError, match="a list at cells"):
        render.table(tmp_path / "all.json", "*")


def test_rows_by_name_keep_it_beside_the_columns_that_are_named(render, tmp_path):
    (tmp_path / "by_name.json").write_text(json.dumps({"nets": {"n_1": {"hits": 3, "low": 1}}}))
    assert render.table(tmp_path / "by_name.json", "nets", ["hits"]) == "|  | hits |\n| --- | --- |\n| n_1 | 3 |\n"


NO_ROWS = ("absent.json all.rows", "figures.json all.absent", "figures.json all.none", "figures.json all",
           "figures.json all.rows.0", "figures.json all.rows colour")  # fmt: skip


@pytest.mark.parametrize("source", NO_ROWS)
def test_a_table_without_its_rows_is_bad_input_in_one_line(render, page, source, capsys):
    page.write_text(f"<!-- table: {source} -->\n<!-- end -->\n")
    with pytest.raises(SystemExit) as ended:
        render.main([str(page)])
    assert ended.value.code == 2
    assert "expected" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "results").glob("*.md")), ids=lambda page: page.stem)
def test_every_page_says_of_which_commit_its_figures_are(page):
    if page.name != "index.md":
        text = page.read_text()
        assert "json run " in text or "json run -->" in text or "| figures of | commit `" in text


FIGURES = [
    {"name": "one", "rate_bps": 5e4, "bytes": 126000, "ms": {"low": 1.23456}},
    {"name": "the other", "rate_bps": 2e7},
]


def test_bits_per_second_are_shown_as_mbit_per_second_and_objects_are_columns() -> None:
    assert markdown(FIGURES).splitlines() == [
        "| name | rate Mbit/s | bytes | ms low |",
        "| --- | --- | --- | --- |",
        "| one | 0.05 | 126,000 | 1.235 |",
        "| the other | 20 |  |  |",
    ]


def test_in_a_terminal_numbers_end_below_each_other_and_no_line_ends_in_spaces() -> None:
    assert aligned(FIGURES, ["name", "bytes", "ms_low"]).splitlines() == [
        "name       bytes    ms low",
        "one        126,000   1.235",
        "the other",
    ]


@pytest.mark.parametrize(
    ("value", "cell"),
    [(8309.1, "8309"), (1e6, "1,000,000"), (0.000123456, "0.0001235"), (-2.5, "-2.5"), (True, "yes"), (None, ""),
     (float("inf"), "inf"), ("a|b\nc", "a\\|b c")],
)  # fmt: skip
def test_a_cell_is_short_and_keeps_to_its_cell(value: object, cell: str) -> None:
    assert markdown([{"x": value}]).splitlines()[-1] == f"| {cell} |"


@pytest.fixture
def keep(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location("keep", ROOT / "benchmarks" / "keep.py")
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
    for path in (ROOT / "docs" / "results").glob("*.json"):
        run = json.loads(path.read_text()).get("run", {})
        assert {"commit", "date", "processor"} <= set(run), f"{path.name}: written with benchmarks/keep.py?"
