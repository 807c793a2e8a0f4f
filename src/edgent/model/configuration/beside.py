"""The file `MODEL.edgent.toml` beside a model, and what it names: a file of labels, a graph for post-processing.

Its keys are those of `edgent.model.configuration.document`; `labels` may be a file with a name on each line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from edgent.document import parse_toml
from edgent.errors import InputError
from edgent.files import is_file, is_folder, read_regular, read_text

_LARGEST_GRAPH = 64 << 20  # bytes


def path_of(model: Path) -> Path:
    """The configuration file of a model, whether or not it is there."""
    return model.with_name(f"{model.stem}.edgent.toml")


def read_beside(path: Path, *, with_labels: bool = True) -> dict[str, Any]:
    """The document in a configuration file; empty where there is no file.

    Args:
        path: the file.
        with_labels: whether the labels stand in it that another file has, or that file's name.

    Raises:
        InputError: the file or one that it names is missing, unreadable or damaged.
    """
    if is_folder(path):
        raise InputError("is a folder, expected a file; move it away, or write one (edgent init)")
    if not is_file(path):
        return {}
    found = parse_toml(read_text(path))
    _check_values(found)
    if with_labels and isinstance(found.get("labels"), str):
        found["labels"] = _lines(inside(path.parent, found["labels"], "labels"))
    return found


def _check_values(found: Mapping[str, Any]) -> None:
    """TOML has values that a configuration does not: dates, infinities."""
    try:
        json.dumps(found, allow_nan=False)
    except (TypeError, ValueError):
        raise InputError("found a date, an infinity or nan, expected texts, finite numbers and lists of them") from None


def read_graph(folder: Path, name: str) -> bytes:
    """The bytes of a graph for post-processing.

    Raises:
        InputError: it is missing, too large or outside the folder.
    """
    path = inside(folder, name, "post")
    try:
        return read_regular(path, _LARGEST_GRAPH)
    except InputError as error:
        raise InputError(f"post: {path}: {error}; expected an ONNX file") from None


def inside(folder: Path, name: str, key: str) -> Path:
    """The path of a file that a configuration names.

    Raises:
        InputError: it leads out of the configuration's folder: configurations are sent and fetched with their files.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name or not path.parts:
        raise InputError(f"{key}: found {name[:60]!r}, expected a file beside the configuration, or below it")
    return folder / path


def write_toml(document: Mapping[str, Any]) -> str:
    """A document as the text of a configuration file; what is unknown is left out.

    A document that was read is read from it again.
    """
    plain = {key: value for key, value in document.items() if not _is_table(value) and not _is_unknown(value)}
    tables = {key: value for key, value in document.items() if _is_table(value) and value}
    lines = [f"{key} = {toml(value)}" for key, value in plain.items()]
    return "\n".join([*lines, *(line for key, value in tables.items() for line in _table(key, value))]) + "\n"


def toml(value: object) -> str:
    """One value as TOML writes it; of texts, lists and numbers that is how JSON does."""
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{toml(str(key))} = {toml(entry)}" for key, entry in value.items() if entry is not None)
        return f"{{{pairs}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("\x7f", "\\u007f")  # which JSON leaves as it is, and TOML refuses


def _table(key: str, entries: Mapping[str, Any]) -> list[str]:
    rows = [f"{_key(name)} = {toml(value)}" for name, value in entries.items() if not _is_unknown(value)]
    return ["", f"[{key}]", *rows]


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("_", "a").replace("-", "a").isalnum() else toml(name)


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_unknown(value: object) -> bool:
    return value is None or value in ("", [])


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in read_regular(path).decode("utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise InputError(f"labels: {path}: found no text; expected a text file, a class on each line") from None
    except InputError as error:
        raise InputError(f"labels: {path}: {error}; expected a text file, a class on each line") from None
