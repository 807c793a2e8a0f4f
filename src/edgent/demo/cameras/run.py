"""The demo itself: measure, show, judge."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from edgent.demo.cameras.result import StreetResult, live_standings, priced_standings
from edgent.demo.cameras.setting import StreetOptions, networks_and_pictures
from edgent.demo.cameras.stage import Show, play, traffic_of
from edgent.demo.cameras.words import basis_in_words
from edgent.engine.loading import load
from edgent.lab.cameras.live_street import LiveStreet, Watcher
from edgent.lab.cameras.measured import Basis, examples_of, measure_basis, measure_host
from edgent.lab.cameras.plans import methods_of
from edgent.lab.reproduction.figure import Lab, Progress
from edgent.lab.reproduction.parts import Parts
from edgent.latency import Profile


def prepare(options: StreetOptions, folder: Path, progress: Progress) -> tuple[Basis, Profile]:
    """All that is measured before the show; what a folder keeps of it is not measured again.

    Raises:
        InputError: no networks or pictures, or such as cannot be compared.
    """
    model, data = networks_and_pictures(options)
    lab = Lab(
        parts=Parts(folder, {}),
        seed=options.seed,
        traces=None,
        progress=progress,
        model=model,
        data=data,
        edge_only=options.edge_only or options.model is None,
    )
    basis = measure_basis(lab, load(model), examples_of(lab))

    return basis, measure_host(lab, basis)


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
    traffic = traffic_of(options, options.seconds)
    with watching() as watcher, LiveStreet(basis, host, traffic) as live:
        show = play(options, live, len(basis.shown), watcher)
    methods = methods_of(basis.facts.of(basis.shown), basis.machines, options.deadline)
    overran = max(meter.overran for meter in show.meters)
    result = StreetResult(
        cameras=tuple(street.cameras for street in show.streets),
        standings=(*live_standings(show), *priced_standings(methods, show.streets)),
        outages=show.outages,
        ended=show.ended,
        full_with=show.full_with,
        words=basis_in_words(basis, options, overran),
        seconds=time.perf_counter() - began,
    )
    return result, show
