#!/usr/bin/env python3
"""Frigate's questions in virtual time, while the edge is killed, stopped and slow: what a device does, and no machine.

    python benchmarks/frigate_simulated.py [--json] [--frames 10000] [--cameras 3] [--rate 20] [--seed 1]
        [--detector FastestDet.onnx] [--pictures DIR]

Device, edge and link are objects of one process with one clock of their own; the network is really computed, and takes
the time that a table says: 40 ms on the board, 5 ms on the edge. So 10,000 questions take the same course on any
machine, and one that is late is late by a decision, not by a busy processor. Exit code 1 where an answer came after the
moment at which the endpoint would have given up, or nothing was found where the board alone finds boxes.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import command
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.frigate.detector import DEADLINE, PATIENCE, FrigateDetector
from edgent.frigate.messages import DetectRequest
from edgent.lab.boards.emulation import Emulated
from edgent.lab.chaos.faults import FaultSpell, faults
from edgent.lab.chaos.simulation import made_up_profile
from edgent.model import Model
from edgent.testing import FakeLink, ManualClock
from edgent.units import BitsPerSecond, Seconds
from frigate import ALIKE, PICTURES, Asked, Known, detector_in, figures, known_pictures, options_of
from tables import aligned

ALONE, ON_THE_EDGE = 0.040, 0.005  # seconds for a picture
RATE, SLOW, ROUND_TRIP = BitsPerSecond(400e6), BitsPerSecond(4e6), Seconds(0.004)
KINDS = ("kill", "stop", "slow")


def main() -> int:
    """Runs it."""
    options = options_of(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        model = load(str(detector_in(Path(folder), options.detector)))
        layers = len(model.branches[0].layers)
        with Device(model, None, deadline=10.0, device_profile=made_up_profile(model, ALONE / layers)) as board:
            known = list(islice(known_pictures(board, options.pictures), PICTURES))
        frames, every = options.frames // options.cameras, options.cameras / options.rate
        asked, spells = simulated(model, known, options.cameras, frames, every, options.seed)
    document = figures(asked, spells)
    command.show(options, document, lambda: print(aligned(document["rows"])))
    whole = document["whole"]
    if missed := whole["timed_out"] or whole["empty"]:
        print(f"missed: {whole['timed_out']} late, {whole['empty']} empty where the board finds boxes", file=sys.stderr)
    return int(bool(missed))


def simulated(
    model: Model, known: Sequence[Known], cameras: int, frames: int, every: float, seed: int
) -> tuple[list[Asked], list[FaultSpell]]:
    """Cameras that ask about a frame now and then, and what goes wrong meanwhile.

    Args:
        model: a detector.
        known: pictures, and what is found in them.
        cameras: that ask at once.
        frames: of each.
        every: seconds between two of a camera.
        seed: of the faults.
    """
    clock, layers = ManualClock(), len(model.branches[0].layers)
    board, fast = (made_up_profile(model, seconds / layers) for seconds in (ALONE, ON_THE_EDGE))
    edge = Edge(model, profiles=[fast], clock=clock)
    link = FakeLink(edge.service.methods(), clock=clock, bandwidth=RATE, round_trip=ROUND_TRIP)
    settings: dict[str, Any] = {"device_profile": board, "pace": Emulated("board", clock=clock), "clock": clock}
    asked, spells = list[Asked](), list[FaultSpell]()
    with Device(model, channel=link, deadline=DEADLINE, **settings) as device:
        device.wait_ready()
        detect = FrigateDetector(device, clock=clock, now=clock.now)

        def camera(number: int) -> None:
            clock.sleep(every * number / cameras)
            for turn in range(frames):
                began = clock.now()
                asked.append(_question(detect, known[(turn * cameras + number) % len(known)], clock))
                clock.sleep(max(0.0, began + every - clock.now()))

        threads = [clock.thread(lambda number=number: camera(number), "camera") for number in range(cameras)]
        for thread in threads:
            thread.start()
        _trouble(link, clock, seed, clock.now() + frames * every, spells)
        for thread in threads:
            thread.join()
    return asked, spells


def _question(detect: FrigateDetector, known: Known, clock: ManualClock) -> Asked:
    at = clock.now()
    rows = np.frombuffer(detect(DetectRequest(pixels=known.pixels))[1], np.float32).reshape(known.rows.shape)
    seconds = clock.now() - at
    return Asked(
        at=at,
        seconds=seconds,
        timed_out=seconds > DEADLINE * PATIENCE,
        empty=not rows.any(),
        other=bool(np.abs(rows - known.rows).max() > ALIKE),
    )


def _trouble(link: FakeLink, clock: ManualClock, seed: int, until: float, spells: list[FaultSpell]) -> None:
    """One fault after the other, each undone; at the end all is well."""
    for fault in faults(seed, kinds=KINDS):
        if clock.now() + fault.quiet + fault.seconds > until:
            return
        clock.sleep(fault.quiet)
        since = clock.now()
        match fault.kind:
            case "kill":
                link.cut()
            case "stop":
                link.hold(*link.methods)
            case _:
                link.bandwidth, link.round_trip = SLOW, Seconds(0.8)
        clock.sleep(fault.seconds)
        link.bandwidth, link.round_trip = RATE, ROUND_TRIP
        link.release()
        link.mend()
        spells.append(FaultSpell(kind=fault.kind, since=since, until=clock.now()))


if __name__ == "__main__":
    command.run(main)
