"""Cells, runs and results made by hand."""

from __future__ import annotations

import numpy as np

from edgent.demo.paper import METHODS, DemoOptions, DemoResult
from edgent.demo.paper.judge import Judge
from edgent.demo.paper.outage import Unplugged
from edgent.demo.paper.result import Host
from edgent.demo.paper.rivals import Rivals
from edgent.demo.paper.values import Cell, Chosen, Live
from edgent.lab.boards.emulation import EmulationReport
from edgent.lab.processes.live_runs import Decision, LiveRuns, Setup, StreamRequest
from edgent.link import TransferModel
from edgent.planning.conditions import Conditions
from edgent.planning.costs import BranchCosts, Crossing
from edgent.planning.plan import Configuration

LAST = Configuration(exit=1, upload_cut=2, download_cut=2)
EARLY = Configuration(exit=0, upload_cut=1, download_cut=1)
AT_THE_EDGE = Configuration(exit=1, upload_cut=0, download_cut=2)
RIVALS = Rivals(exit=1, layers=2, accuracies={"source": 0.8, "jpeg-75": 0.7})


def conditions(bandwidth=1e6, round_trip=0.01):
    link = TransferModel(bandwidth=bandwidth, round_trip=round_trip)
    return Conditions(uplink=link, downlink=link)


def chosen(configuration=LAST, accuracy=0.8, bandwidth=None):
    return Chosen(setup=Setup(configuration=configuration, bandwidth=bandwidth), accuracy=accuracy, predicted=0.1)


def cell(deadline=0.1, bandwidth=1e6, needed=frozenset(), **named):
    planned = [name for name in METHODS if name != "rival"]
    return Cell(
        bandwidth=bandwidth,
        deadline=deadline,
        conditions=conditions(bandwidth),
        chosen=dict.fromkeys(planned, chosen()) | {name.replace("_", "-"): each for name, each in named.items()},
        needed=frozenset(needed),
    )


def measured(ours=(0.05, 0.12), rival=(0.05, 0.12), bandwidth=1e6):
    """Runs of the last exit on the device, and of the rival with the source's bytes."""
    bare = RIVALS.setups(bandwidth)["source"]
    return {chosen().setup: LiveRuns(totals=tuple(ours)), bare: LiveRuns(totals=tuple(rival))}


def judged(runs, *cells, decisions=None):
    return Judge(Live(cells=cells, measured=runs, decisions=decisions or {}), RIVALS)


def request(at, by, total=0.05):
    return StreamRequest(at=at, total=total, by=by, exit=1, deadline_met=total <= 0.1, why="")


def unplugged(*requests):
    return Unplugged(bandwidth=1e6, deadline=0.1, cut_at=1.0, restored_at=2.0, requests=requests)


def result(*cells, runs=None, **changes):
    runs = runs or measured()
    one = cells or (cell(needed={"exit"}),)
    decided = Decision(deadline=0.1, configuration=LAST, by="device", deadline_met=True)
    judge = judged(runs, *one, decisions={(1e6, 0.1): decided})
    points = judge.points()
    made = {
        "options": DemoOptions(),
        "model": "b",
        "digest": "0" * 64,
        "data": "CIFAR-10 test",
        "host": Host(
            machine="m", engine="e", device="slow", account=EmulationReport(pieces=10, overran=1, worst=0.001)
        ),
        "points": points,
        "overall": judge.overall(points),
        "compared": judge.compared(points),
        "measured": runs,
        "unplugged": unplugged(request(0.5, "edge"), request(1.5, "device"), request(2.5, "edge")),
    }
    return DemoResult(**made | changes)


def plane(n, value):
    return np.full((n + 1, n + 1), value)


def crossing(codec, n, size, accuracy=None):
    return Crossing(
        codec=codec,
        size=plane(n, size),
        encode=plane(n, 0.0),
        decode=plane(n, 0.0),
        accuracy=None if accuracy is None else plane(n, accuracy),
    )


def branch(exit, seconds, accuracy, source=None):
    """Layers a hundred times faster on the edge; raw tensors of 10 kB, or a tenth of that at a little loss."""
    n = len(seconds)
    up = (crossing("float32", n, 10_000.0), crossing("uint8", n, 1_000.0, accuracy=accuracy - 0.01))
    return BranchCosts(
        exit=exit,
        accuracy=accuracy,
        device=np.array(seconds),
        edge=np.array(seconds) / 100,
        up=up if source is None else (*up, crossing("source", n, source)),
        down=(crossing("float32", n, 40.0),),
    )
