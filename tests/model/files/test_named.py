"""Names of models: ours, those of the package edgent-models, and the user's files before both."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgent.engine.guarded_loading import load as guarded
from edgent.engine.loading import load
from edgent.errors import ModelError
from edgent.model import SHIPPED, find, models_folder
from edgent.model.files.named import MODELS_PACKAGE, files
from graphs import residual, saved


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the package for as long as the test takes."""
    folder = tmp_path / "site" / MODELS_PACKAGE
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise AssertionError('a device has no use for the code of the package')")
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.delitem(sys.modules, MODELS_PACKAGE, raising=False)  # of the real one, which would be found there
    return folder


def test_a_model_of_the_package_is_known_by_its_name(package: Path) -> None:
    saved(residual(), package / "clothes.onnx")
    assert find("clothes") == package / "clothes.onnx"
    assert load("clothes").name == "clothes"


def test_files_of_both_make_a_bundle(package: Path) -> None:
    saved(residual(), package / "clothes.onnx")
    assert files("b-alexnet+clothes") == [SHIPPED / "b-alexnet.onnx", package / "clothes.onnx"]


def test_the_package_is_not_imported(package: Path) -> None:
    assert models_folder() == package
    assert MODELS_PACKAGE not in sys.modules


def test_a_users_file_goes_before_that_of_the_package(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(residual(), package / "clothes.onnx")
    monkeypatch.chdir(tmp_path)
    Path("clothes").mkdir()
    saved(residual(channels=4), Path("clothes/own.onnx"))
    assert find("clothes") == Path("clothes/own.onnx")


def test_ours_goes_before_that_of_the_package(package: Path) -> None:
    saved(residual(), package / "b-alexnet.onnx")
    assert find("b-alexnet") == SHIPPED / "b-alexnet.onnx"


def test_what_the_package_holds_needs_no_trial(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(residual(), package / "clothes.onnx")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # Whoever tries a file fails from here on: there is no Python to try it with.
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert guarded("clothes").name == "clothes"


def test_an_unknown_name_tells_of_the_package() -> None:
    with pytest.raises(ModelError, match="edgent-models"):
        load("no-such-model")
