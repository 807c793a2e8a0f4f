"""The gates that plans may have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgent.model import Model
    from edgent.planning import Candidates

GatesFile = Annotated[
    Path | None, typer.Option("--gates", metavar="FILE", help="Of `edgent gate`; else those kept here.")
]


def with_gates(candidates: Candidates, model: Model, file: Path | None) -> Candidates:
    """The candidates, and those that look at the picture, where somebody has measured gates of the model.

    Raises:
        InputError: the file is of another model, or holds no gates.
    """
    from edgent.evaluation.gates.files import gates_for
    from edgent.planning.policy import with_policies

    gates = gates_for(model, file)
    if gates is None:
        return candidates
    policies = with_policies(candidates, gates, model)
    return policies.keep(policies.in_play(1.0))  # nobody says that the edge is full
