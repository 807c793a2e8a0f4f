"""The files of a served model, as they are handed to devices and to the machines of a cluster.

Whoever gets them checks by the digest that they are what was loaded here.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from edgent.errors import EdgentError
from edgent.model import Model
from edgent.model.configuration.copy import beside_a_copy
from edgent.model.files.read import weight_files


def model_files(model: Model) -> Iterator[tuple[str, BinaryIO]]:
    """The file of a model, those that hold weights of it, and its configuration."""
    for name in (model.path.name, *model.files):
        yield _opened(model, model.path.parent / name, name)
    yield from _configuration_files(model.path)


def member_files(bundle: Model, path: Path) -> Iterator[tuple[str, BinaryIO]]:
    """One file of a bundle, those that hold weights of it, and its configuration."""
    for name in (path.name, *weight_files(path)):
        yield _opened(bundle, path.parent / name, name)
    yield from _configuration_files(path)


def _configuration_files(path: Path) -> Iterator[tuple[str, BinaryIO]]:
    """What belongs beside a copy of a model's file, where its configuration is not in it."""
    for name, content in beside_a_copy(path).items():
        yield name, BytesIO(content)


def _opened(model: Model, path: Path, name: str) -> tuple[str, BinaryIO]:
    """A file under the name that it is sent by: its path from the model's folder."""
    try:
        return name, path.open("rb")
    except OSError as error:
        raise EdgentError(f"{name} of {model.name} is no longer there ({error.strerror}); restart the edge") from error
