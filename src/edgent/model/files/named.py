"""Which files a MODEL argument names: a shipped model, a file, a folder with one, or several as a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from edgent.errors import ModelError
from edgent.files import is_file, is_folder

SHIPPED = Path(__file__).parent.parent / "shipped"

MODELS_PACKAGE = "edgent_models"
"""A package of larger networks, installed beside this one: `pip install edgent-models`."""

BETWEEN = "+"
"""Between the files of a bundle."""

ModelFiles = str | Path | Sequence[str | Path]
"""A name or a file; or the files of a bundle, where they are no single text."""


def files(model: ModelFiles) -> list[Path]:
    """The files of a MODEL argument; a file whose own name has a "+" is one file."""
    if not isinstance(model, str | Path):
        return [Path(part) for part in model]
    # A file that exists is believed before the meaning of its name.
    if BETWEEN not in str(model) or Path(model).exists():
        return [find(model)]
    return [find(part) for part in str(model).split(BETWEEN)]


def find(model: str | Path) -> Path:
    """The file behind a MODEL argument."""
    # A file or folder of the user's goes before a shipped model of the same name.
    if isinstance(model, str) and "/" not in model and not Path(model).exists():
        for folder in shipped_folders():
            if (shipped := folder / f"{model}.onnx").is_file():
                return shipped
    return _in_folder(Path(model)) if is_folder(Path(model)) else Path(model)


def shipped_folders() -> list[Path]:
    """Where models are found by their names: our own, and those of `edgent-models` where it is installed."""
    return [SHIPPED, *([folder] if (folder := models_folder()) else [])]


def models_folder() -> Path | None:
    """The folder of the package `edgent-models`; None where it is not installed."""
    # Found and not imported: there is nothing in it that runs.
    spec = find_spec(MODELS_PACKAGE)
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else None


def _in_folder(folder: Path) -> Path:
    """The only model file in a folder, as Hugging Face has it: there, or in `onnx/`."""
    inside = sorted(filter(is_file, folder.glob("*.onnx"))) or sorted(filter(is_file, folder.glob("onnx/*.onnx")))
    if len(inside) != 1:
        names = ", ".join(str(path.relative_to(folder)) for path in inside[:5]) or "none"
        raise ModelError(f"{folder}: is a folder with {len(inside)} ONNX files ({names}); name the one to take")
    return inside[0]
