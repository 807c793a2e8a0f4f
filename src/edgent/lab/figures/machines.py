"""The machines of the figures: this one, measured, and those that it stands in for."""

from __future__ import annotations

from edgent.lab.figures.figure import Lab
from edgent.latency import Profile
from edgent.model import Model

_BUDGET = 6.0  # seconds


def host_profile(lab: Lab, model: Model) -> Profile:
    """What this machine needs for a model, one thread; measured once for a reproduction."""

    def measured() -> str:
        from edgent.runtime.engine import Engine
        from edgent.runtime.profiler import profile

        def told(done: int, whole: int) -> None:
            lab.progress(f"profiling {model.name}", done, whole)

        return profile(model, Engine(threads=1), budget=_BUDGET, progress=told).to_json()

    return Profile.from_json(lab.parts.part(f"profile-{model.name}", {"digest": model.digest}, measured))
