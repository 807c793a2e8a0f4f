"""What was measured of a model's exits, put into its own file: so no figure is copied by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from edgent.errors import InputError
from edgent.files import write_whole
from edgent.model.configuration.document import write_key
from edgent.model.configuration.sources import OWN_KEY, find
from edgent.model.files.named import shipped_folders
from edgent.model.files.read import parse_file, read
from edgent.model.metadata import ExitInfo
from edgent.model.model import Model


def own_exits(model: Model) -> tuple[ExitInfo, ...]:
    """The exits that a model names; without any, its outputs are the last one."""
    return model.metadata.exits or (ExitInfo(name="last", outputs=model.own_outputs),)


def exits_with(model: Model, accuracies: Iterable[float], samples: int, data: str) -> tuple[ExitInfo, ...]:
    """The exits of a model of one file, with the accuracy of each on some pictures."""
    return tuple(
        replace(entry, accuracy=accuracy, samples=samples, data=data)
        for entry, accuracy in zip(own_exits(model), accuracies, strict=True)
    )


def check_embeddable(path: Path) -> None:
    """Refuses a file whose exits could not be told anew.

    Raises:
        InputError: it is shipped, or its exits stand in the file beside it, which would say otherwise.
    """
    if path.parent in shipped_folders():
        raise InputError(f"{path.stem}: is shipped with Edgent and stays as it is; copy it first")
    origin = find(path, parse_file(path)).origins.get("exits", OWN_KEY)
    if origin.endswith(".toml"):
        raise InputError(f"{path}: its exits stand in {origin}, and must not be two things; remove them there")


def embed_exits(path: Path, exits: Sequence[ExitInfo], target: Path) -> None:
    """Writes a model's file with all of its configuration inside, and other words about its exits."""
    proto = read(path)
    stated = find(path, proto)
    write_key(proto, {**stated.document, "exits": [entry.document() for entry in exits]}, stated.post_graph)
    write_whole(target, proto.SerializeToString())
