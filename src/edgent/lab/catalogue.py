"""All figures: the paper's in its order, then the necessity maps; and those that are made only where they are named."""

from __future__ import annotations

from collections.abc import Sequence

from edgent.errors import InputError
from edgent.lab.cameras import figure as cameras
from edgent.lab.figures import f1, f2, f8a, f8b, f8c, f9, f10, f11
from edgent.lab.necessity import shipped, sized
from edgent.lab.reproduction.figure import Figure

_MODULES = (f1, f2, f8a, f8b, f8c, f9, f10, f11, shipped, sized)
FIGURES: tuple[Figure, ...] = tuple(module.FIGURE for module in _MODULES)

NAMED: tuple[Figure, ...] = (cameras.FIGURE,)
"""Of networks and pictures that have to be given: nobody who asks for all figures means these."""


def find_figures(ids: Sequence[str]) -> tuple[Figure, ...]:
    """Finds figures by their ids; without ids, all `FIGURES`. The order is the catalogue's, and none comes twice.

    Raises:
        InputError: there is no such figure.
    """
    known = {figure.id.lower(): figure for figure in (*FIGURES, *NAMED)}
    for name in ids:
        if name.lower() not in known:
            ids_known = ", ".join(figure.id for figure in known.values())
            raise InputError(f"no figure is called {name!r}: expected {ids_known}")
    wanted = {name.lower() for name in ids}
    return tuple(figure for name, figure in known.items() if name in wanted) if ids else FIGURES
