"""In which format data lie: named by the user, or recognised by looking."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from edgent.errors import InputError
from edgent.evaluation.data.cifar10 import TEST_FILE
from edgent.evaluation.data.coco import is_coco, read_coco
from edgent.evaluation.data.examples import Listing
from edgent.evaluation.data.folders import pictures, read_folders, read_pictures, subfolders
from edgent.evaluation.data.table import read_table
from edgent.evaluation.data.yolo import read_yolo
from edgent.files import is_file, is_folder

CIFAR10 = "cifar10"
FORMATS = ("folders", "csv", "coco", "yolo", "pictures", CIFAR10)
_TABLES: Mapping[str, Callable[[Path], Listing]] = {"csv": read_table, "coco": read_coco}
_FOLDERS: Mapping[str, Callable[[Path], Listing]] = {
    "folders": read_folders,
    "yolo": read_yolo,
    "pictures": read_pictures,
}


def read_listing(path: Path, kind: str) -> Listing:
    """What a folder, or a file that lists pictures, holds in the format `kind`; see the readers."""
    if kind in _TABLES:
        return _TABLES[kind](_table(path, kind))
    if not is_folder(path):
        raise InputError(f"{path}: no such folder; {kind} data are in a folder")
    return _FOLDERS[kind](path)


def recognised(path: Path) -> str:
    """The one format that data are in, by their looks.

    Raises:
        InputError: nothing there, none of the formats, or several of them.
    """
    # One format or none: taking the likelier of two would measure something else than was meant, without a word.
    looks = _looks(path)
    if len(looks) == 1:
        return looks[0]
    if looks:
        raise InputError(f"{path}: looks like {' and like '.join(looks)}; say which with --format")
    if not is_folder(path) and not is_file(path):
        raise InputError(f"{path}: no such folder or file")
    # Archives are often unpacked into a folder of their own, one above the data.
    inside = [folder.name for folder in subfolders(path) if _looks(folder)] if is_folder(path) else []
    hint = f"; perhaps {path / inside[0]} is meant" if inside else "; see docs/own-data.md"
    raise InputError(f"{path}: found no data, expected pictures in folders, a CSV file, COCO's JSON or YOLO's{hint}")


def _looks(path: Path) -> list[str]:
    if is_file(path):
        return [name for name, ending in (("csv", ".csv"), ("coco", ".json")) if path.suffix.lower() == ending]
    if not is_folder(path):
        return []
    if is_file(path / TEST_FILE):
        return [CIFAR10]
    layouts = [name for name in _TABLES if _tables(path, name)]
    if is_folder(path / "labels") and is_folder(path / "images"):
        layouts.append("yolo")
    # Folders of pictures are the weakest sign: other formats have such folders too, beside a file that lists them.
    if not layouts and sum(any(pictures(folder)) for folder in subfolders(path)) > 1:
        layouts.append("folders")
    return layouts or (["pictures"] if any(pictures(path)) else [])


def _table(path: Path, kind: str) -> Path:
    """The one file of a kind in a folder, or the file itself."""
    if not is_folder(path):
        return path
    files = _tables(path, kind)
    if len(files) != 1:
        what = "no" if not files else "several"
        raise InputError(f"{path}: found {what} {kind} files, expected one; name the file itself: --data FILE")
    return files[0]


def _tables(path: Path, kind: str) -> list[Path]:
    if kind == "csv":
        return sorted(filter(is_file, path.glob("*.csv")))
    files = (file for folder in (path, path / "annotations") for file in folder.glob("*.json"))
    return sorted(file for file in files if is_file(file) and is_coco(file))
