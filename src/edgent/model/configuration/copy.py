"""A model's configuration for another place: what must be put beside a copy of its file to make the same model."""

from __future__ import annotations

from pathlib import Path

from edgent.errors import InputError, ModelError
from edgent.model.configuration.beside import path_of, read_beside, write_toml
from edgent.model.configuration.document import document_of
from edgent.model.configuration.sources import OWN_KEY, Stated, find
from edgent.model.configuration.ultralytics import NAME
from edgent.model.files.read import parse_file


def beside_a_copy(path: Path) -> dict[str, bytes]:
    """Files by name; none where all of the configuration is in the model's own file.

    Raises:
        ModelError: the model or its configuration can no longer be read.
    """
    stated = find(path, parse_file(path))
    files = {}
    if document := _elsewhere(stated):
        files[path_of(path).name] = write_toml(document).encode()
    if stated.post_graph:
        files[str(stated.document["post"])] = stated.post_graph
    return files


def named_by_a_copy(path: Path) -> tuple[str, ...]:
    """The names that such files may have, as far as those that are there already tell.

    Raises:
        ModelError: the model or its configuration cannot be read.
    """
    beside = path_of(path)
    try:
        document = document_of(parse_file(path)) | read_beside(beside, with_labels=False)
    except InputError as error:
        raise ModelError(f"{beside.name}: {error}") from None
    post = document.get("post")
    return (beside.name, post) if isinstance(post, str) and post else (beside.name,)


def _elsewhere(stated: Stated) -> dict[str, object]:
    """What the document has from outside the file."""
    document: dict[str, object] = {}
    for key, value in stated.document.items():
        if isinstance(value, dict):
            kept = {name: one for name, one in value.items() if _is_outside(stated.origins.get(f"{key}.{name}"))}
            document |= {key: kept} if kept else {}
        elif _is_outside(stated.origins.get(key)):
            document[key] = value
    return document


def _is_outside(origin: str | None) -> bool:
    return origin not in (None, OWN_KEY, NAME)
