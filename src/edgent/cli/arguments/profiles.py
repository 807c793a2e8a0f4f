"""A profile for a verb that plans: measured, or predicted by a machine's latency model; either kind of file will do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgent.cli.terminal import show
from edgent.cli.terminal.memory import limited_memory

if TYPE_CHECKING:
    from edgent.engine.engine import Engine
    from edgent.latency import Profile
    from edgent.model import Model


def read_profile(path: Path, model: Model) -> Profile:
    """The profile of a model in a file, or as the latency model in it predicts; says on stderr how far it may be off.

    Raises:
        InputError: neither kind of file, or a damaged one.
    """
    from edgent.engine.onnxruntime import OnnxRuntimeEngine
    from edgent.profiling.predicted_profile import load_profile, reach

    profile, guessed = load_profile(path, model, OnnxRuntimeEngine())
    if profile.predicted:
        unlike = f"; never timed {', '.join(guessed)}: priced like relatives" if guessed else ""
        show.err.print(
            f"{path}: predicted; nine times in ten within a factor of {reach(profile):.2f}{unlike}", soft_wrap=True
        )
    return profile


def notice_other_engine(profile: Profile, engine: Engine) -> None:
    """Says on stderr that a profile was not made with the engine that runs now: its times are not this engine's."""
    then, now = f"{profile.engine} x{profile.threads}", f"{engine.name} x{engine.threads}"
    if then != now:
        show.err.print(
            f"edgent: warning: the profile of {profile.model} is of {then}, but {now} runs it here; "
            f"measure it: edgent profile MODEL --engine {engine.name.split()[0]} --threads {engine.threads}",
            soft_wrap=True,
        )


def own_profile(model: Model, engine: Engine) -> Profile:
    """This machine's profile of a model, with its progress where it must be measured.

    Measuring runs the model some twenty times, in several sessions, so it has two minutes, and twice the memory of the
    trial in which the file was opened.

    Raises:
        EdgentError: that is not enough.
    """
    from edgent.engine.guarded_loading import Limits
    from edgent.profiling.kept_profile import PROFILING, kept_profile, profile

    size = sum(path.stat().st_size for path in (*model.members, *(model.path.parent / file for file in model.files)))
    # Kept by model, machine and engine: a second start of an edge takes no time for it.
    if (kept := kept_profile(model, engine)) is not None:
        return kept
    memory = limited_memory(2 * Limits().memory_of(size))
    with memory, show.progress(f"profiling {model.name} once") as progress:
        return profile(model, engine, most=PROFILING, progress=progress)
