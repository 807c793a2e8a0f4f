"""All figures: the paper's in its order, then the necessity maps."""

from __future__ import annotations

from collections.abc import Sequence

from edgent.errors import InputError
from edgent.lab.figures import f1, f2, f8a, f8b, f8c, f9, f10, f11
from edgent.lab.necessity import shipped, sized
from edgent.lab.reproduction.figure import Figure

_MODULES = (f1, f2, f8a, f8b, f8c, f9, f10, f11, shipped, sized)
FIGURES: tuple[Figure, ...] = tuple(module.FIGURE for module in _MODULES)


def find_figures(ids: Sequence[str]) -> tuple[Figure, ...]:
    """Finds figures by their ids; without ids, all figures. The order is the catalogue's, and none comes twice.

    Raises:
        InputError: there is no such figure.
    """
    known = {figure.id.lower(): figure for figure in FIGURES}
    for name in ids:
        if name.lower() not in known:
            raise InputError(f"no figure is called {name!r}: expected {', '.join(figure.id for figure in FIGURES)}")
    wanted = {name.lower() for name in ids}
    return tuple(figure for name, figure in known.items() if not ids or name in wanted)
