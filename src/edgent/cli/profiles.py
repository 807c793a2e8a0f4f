"""A profile for a verb that plans: measured, or predicted by a machine's latency model; either kind of file will do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgent.cli import show

if TYPE_CHECKING:
    from edgent.latency import Profile
    from edgent.model import Model


def read_profile(path: Path, model: Model) -> Profile:
    """The profile of a model in a file, or as the latency model in it predicts; says on stderr what it guessed.

    Raises:
        InputError: neither kind of file, or a damaged one.
    """
    from edgent.runtime.engine import Engine
    from edgent.runtime.machine import load_profile

    found, guessed = load_profile(path, model, Engine())
    if guessed:
        show.err.print(
            f"{path}: never timed {', '.join(guessed)}; their times are guesses, within a factor of five",
            soft_wrap=True,
        )
    return found
