"""Gates as files: named, beside the model, or kept by the model's digest."""

from __future__ import annotations

from pathlib import Path

from edgent import cache
from edgent.model import Model
from edgent.planning.gates import Gates

_KIND = "gates"  # in the cache


def gates_for(model: Model, file: Path | None = None) -> Gates | None:
    """The gates of a model: the file named, else the one beside the model, else the one kept by digest.

    Raises:
        InputError: the named file is of another model, or holds no gates.
    """
    if file is not None:
        gates = Gates.load(file)
        gates.check(model)
        return gates
    for path in (model.path.parent / f"{model.name}.gates.json", cache.file_of(_KIND, model.digest)):
        if path.is_file() and (gates := Gates.load(path)).digest == model.digest:
            return gates
    return None


def keep(gates: Gates) -> Path:
    """Puts gates where `gates_for` finds them by the model's digest.

    Returns:
        The file.

    Raises:
        CacheError: the cache cannot be written.
    """
    return cache.keep(_KIND, gates.digest, gates.to_json())
