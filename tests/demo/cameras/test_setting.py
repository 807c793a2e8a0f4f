from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgent.cli import app
from edgent.demo.cameras.setting import StreetOptions, networks_and_pictures
from edgent.errors import InputError


def test_what_is_named_is_shown():
    options = StreetOptions(model="small.onnx+big.onnx", data=Path("pictures"))
    assert networks_and_pictures(options) == ("small.onnx+big.onnx", Path("pictures"))


@pytest.mark.parametrize("named", [{"model": "a.onnx+b.onnx"}, {"data": Path("pictures")}])
def test_networks_without_pictures_are_refused_and_pictures_without_networks(named):
    with pytest.raises(InputError, match="belong together"):
        networks_and_pictures(StreetOptions(**named))


def test_without_the_package_one_line_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("edgent.demo.cameras.setting.find_spec", lambda name: None)
    done = CliRunner().invoke(app, ["demo", "-o", str(tmp_path / "report.html")])
    assert isinstance(done.exception, InputError) and done.exception.exit_code == 2
    said = str(done.exception)
    assert "pip install edgent-models" in said and "edgent demo --paper" in said and "\n" not in said
    assert not list(tmp_path.iterdir())
