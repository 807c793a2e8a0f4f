from __future__ import annotations

import pytest
from typer.testing import CliRunner

from edgent.cli import app
from edgent.errors import InputError, MissingExtraError
from edgent.lab.catalogue import FIGURES, find_figures
from edgent.lab.reproduction import drawing

USAGE = {"--output", "--traces", "--seed", "--model", "--data", "--edge-only", "--json"}


def test_the_options_are_these():
    shown = CliRunner().invoke(app, ["reproduce", "--help"]).stdout
    assert {word for word in shown.split() if word.startswith("--")} - {"--help"} == USAGE


def test_an_unknown_figure_is_refused_with_those_there_are(tmp_path):
    done = CliRunner().invoke(app, ["reproduce", "F99", "-o", str(tmp_path / "out")])
    assert isinstance(done.exception, InputError)
    assert done.exception.exit_code == 2
    assert all(figure.id in str(done.exception) for figure in FIGURES)
    assert not (tmp_path / "out").exists()


def test_figures_come_once_each_in_the_catalogue_s_order():
    ids = [figure.id for figure in FIGURES]
    assert [figure.id for figure in find_figures([])] == ids
    assert [figure.id for figure in find_figures([name.lower() for name in reversed(ids)] + ids)] == ids
    assert len(set(ids)) == len(ids)


def test_a_missing_extra_is_named_before_anything_runs(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"edgent\[lab\]"):
        drawing.check_drawing()
