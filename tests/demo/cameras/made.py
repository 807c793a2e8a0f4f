"""Meters and shows by hand."""

from __future__ import annotations

from edgent.demo.cameras.stage import Outage, Show
from edgent.lab.cameras.live import LiveAnswer
from edgent.lab.cameras.live_street import Meter
from edgent.lab.cameras.plans import OURS, RACED
from lab.cameras import made


def answer(at, *, right=True, in_time=True, by="edge", camera=0, total=0.1):
    return LiveAnswer(
        at=at, camera=camera, picture=int(at), right=right, in_time=in_time, by=by, total=total
    )  # fmt: skip


def meter(method, cameras, rights, edge=0.5, carrier=0.3, seconds=8.0):
    answers = tuple(answer(float(number), right=right) for number, right in enumerate(rights))
    return Meter(
        method=method, cameras=cameras, seconds=seconds, answers=answers, nbytes=1000 * len(answers), edge=edge,
        carrier=carrier, overran=0.01,
    )  # fmt: skip


def show(ours=(1, 1, 1, 0), theirs=(1, 1, 0, 0)):
    meters = [
        meter(method, cameras, list(map(bool, rights)) * 10)
        for cameras in (5, 10)
        for method, rights in ((OURS, ours), (RACED, theirs))
    ]
    outages = tuple(
        Outage(meter=meter(method, 5, [True] * 20, seconds=20.0), cut_at=4.0, restored_at=14.0)
        for method in (OURS, RACED)
    )
    return Show(
        meters=tuple(meters),
        outages=outages,
        streets=tuple(made.street(cameras=n) for n in (5, 10)),
        ended="the edge core is full",
    )
