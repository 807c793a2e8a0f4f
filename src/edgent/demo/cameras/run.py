"""The demo itself: measure, show, judge."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from edgent.demo.cameras.result import StreetResult, live_standings, priced_standings
from edgent.demo.cameras.setting import StreetOptions, networks_and_pictures
from edgent.demo.cameras.stage import Show, Stage, Watcher
from edgent.demo.cameras.words import basis_in_words
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.lab.cameras.measured import Basis, examples_of, measure_basis
from edgent.lab.cameras.plans import methods_of
from edgent.lab.reproduction.figure import Lab, Progress
from edgent.lab.reproduction.parts import Parts
from edgent.latency import Profile
from edgent.profiling.model_profiler import profile

_PROFILE_SECONDS = 8.0


def prepare(options: StreetOptions, folder: Path, progress: Progress) -> tuple[Basis, Profile]:
    """All that is measured before the show; what a folder keeps of it is not measured again.

    Raises:
        InputError: no networks or pictures, or such as cannot be compared.
    """
    model, data = networks_and_pictures(options)
    parts = Parts(folder, {"seed": options.seed})
    lab = Lab(parts=parts, seed=options.seed, traces=None, progress=progress, model=model, data=data)
    basis = measure_basis(lab, load(model), examples_of(lab))

    def timed() -> str:
        return profile(
            basis.bundle,
            OnnxRuntimeEngine(threads=1),
            source=basis.examples.source(0),
            budget=_PROFILE_SECONDS,
            progress=lambda done, of: progress("timing the bundle", done, of),
        ).to_json()

    host = parts.part("host", {"digest": basis.bundle.digest}, timed)
    return basis, Profile.from_json(host)


def run_street(
    options: StreetOptions, basis: Basis, host: Profile, watching: Callable[[], AbstractContextManager[Watcher]]
) -> tuple[StreetResult, Show]:
    """Shows the street live, and prices all other methods on it.

    Args:
        options: of the demo.
        basis: what was measured.
        host: this machine's profile of the bundle.
        watching: opens what shows the meters.

    Raises:
        EdgentError: a process did not start, or died.
    """
    began = time.perf_counter()
    with watching() as watcher, Stage(options, basis, host, watcher) as stage:
        show = stage.play()
    cameras = tuple(dict.fromkeys(meter.cameras for meter in show.meters))
    methods = methods_of(basis.facts.of(basis.shown), basis.machines, options.deadline)
    streets = [stage.street(number, options.seconds) for number in cameras]
    overran = max(meter.overran for meter in show.meters)
    result = StreetResult(
        cameras=cameras,
        standings=(*live_standings(show), *priced_standings(methods, streets)),
        outages=show.outages,
        ended=show.ended,
        words=basis_in_words(basis, options, overran),
        seconds=time.perf_counter() - began,
    )
    return result, show
