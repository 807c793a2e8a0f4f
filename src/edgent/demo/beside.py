"""The second device beside the demo's: what would be planned for it, and its own answer live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgent.codec import Calibration
from edgent.demo import emulated
from edgent.demo.live import Progress
from edgent.demo.machines import DeviceProcess, DeviceSettings
from edgent.demo.methods import Methods, conditions, promise
from edgent.demo.values import OURS, Beside, DemoOptions, Setup
from edgent.demo.words import chosen_in_words
from edgent.latency import Profile
from edgent.model import Model
from edgent.planning.candidates import Candidates
from edgent.planning.plan import Configuration
from edgent.planning.planner import TOLERANCE
from edgent.units import Seconds


def beside(
    options: DemoOptions,
    model: Model,
    host: Profile,
    calibration: Calibration | None,
    images: Sequence[bytes],
    settings: DeviceSettings,
    progress: Progress,
) -> Beside:
    """The second device: plans for every cell, and its own answer live."""
    progress(f"the device {options.also}", 0, 1)
    profile = emulated.profile_of(host, options.also)
    size = float(np.mean([len(image) for image in images]))
    table = Candidates.build(model, profile, host, calibration, source="image", source_bytes=size)
    planners = Methods.of(table).planners
    cells = [(b, d) for b in options.bandwidths for d in options.deadlines]
    now = {b: conditions(b, options.round_trip) for b in options.bandwidths}
    plans = [planners[OURS].plan(now[b], Seconds(d)) for b, d in cells]
    alone = [planners["device-only"].plan(now[b], Seconds(d)) for b, d in cells]
    last = max(model.branches, key=lambda branch: branch.exit)
    n = len(last.layers)
    setup = Setup(configuration=Configuration(exit=last.exit, upload_cut=n, download_cut=n))
    with DeviceProcess(replace(settings, emulated=options.also)) as device:
        device.connect("", 1.0, 0.0, ())
        (live,) = device.run([setup], [options.samples], [1.0])
    progress(f"the device {options.also}", 1, 1)
    return Beside(
        name=emulated.describe(host, options.also),
        alone_suffices=sum(promise(own) >= promise(plan) - TOLERANCE for own, plan in zip(alone, plans, strict=True))
        / len(cells),
        plans=tuple(
            (b, d, chosen_in_words(plan.configuration), plan.stages.total, plan.meets_deadline)
            for (b, d), plan in zip(cells, plans, strict=True)
        ),
        totals=live.totals,
    )
