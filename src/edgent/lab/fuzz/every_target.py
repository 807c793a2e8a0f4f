"""All targets there are."""

from __future__ import annotations

from pathlib import Path

from edgent.lab.fuzz import document_targets, frigate_target, identity_targets, wire_targets
from edgent.lab.fuzz.fuzzing import FuzzTarget
from edgent.model import Model


def every_target(model: Model, folder: Path) -> tuple[FuzzTarget, ...]:
    """Every decoder and reader of what comes from outside.

    Args:
        model: whose edge and device are asked.
        folder: an empty one, for files.
    """
    return (
        *wire_targets.targets(model),
        *document_targets.targets(model, folder),
        *identity_targets.targets(folder),
        frigate_target.target(),
    )
