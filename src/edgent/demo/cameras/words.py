"""The result in words, the same on the terminal and on the page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgent.demo.cameras.result import Standing, StreetResult
from edgent.demo.cameras.setting import StreetOptions
from edgent.demo.cameras.stage import Outage
from edgent.lab.cameras.measured import Basis
from edgent.lab.cameras.plans import OURS, RACED


def verdict(result: StreetResult) -> str:
    """Who is ahead, live, and why no more cameras came."""
    ours, rival = result.of(OURS, live=True), result.of(RACED, live=True)
    return (
        f"With {_listed(result.cameras)} cameras Edgent is right and in time on {ours.pooled * 100:.1f} %, "
        f"its strongest rival (a JPEG to the edge, raced by the device's own answer) on {rival.pooled * 100:.1f} %: "
        f"{lead_in_words(rival)} points, at {ours.kilobytes:.1f} against {rival.kilobytes:.1f} kB and "
        f"{ours.edge_ms:.1f} against {rival.edge_ms:.1f} ms of the edge core a picture. The edge core was "
        f"{_full(result, OURS)} by Edgent, {_full(result, RACED)} by its rival. No more cameras came: {result.ended}."
    )


def _full(result: StreetResult, method: str) -> str:
    return f"full with {result.full_with[method]}" if method in result.full_with else "never full"


def _listed(cameras: Sequence[int]) -> str:
    *others, last = map(str, cameras)
    return f"{', '.join(others)} and {last}" if others else last


def lead_in_words(standing: Standing) -> str:
    """Edgent's lead over a method, in points, with its interval."""
    lead = standing.lead
    if lead is None:
        return ""
    return f"{lead.value * 100:+.1f} ({lead.low * 100:+.1f} .. {lead.high * 100:+.1f})"


def outage_in_words(outage: Outage) -> str:
    """What became of a method's pictures while the link was unplugged."""
    answers, lasted = outage.meter.answers, outage.restored_at - outage.cut_at
    during = [answer for answer in answers if outage.cut_at <= answer.at < outage.restored_at]
    back = min((a.at + a.total for a in answers if a.by == "edge" and a.at >= outage.restored_at), default=None)
    again = (
        "it did not come back" if back is None else f"the edge answers again {back - outage.restored_at:.1f} s after"
    )
    good = np.mean([answer.right and answer.in_time for answer in during]) if during else 0.0
    met = np.mean([answer.in_time for answer in during]) if during else 0.0
    return (
        f"Unplugged for {lasted:.0f} s, {outage.meter.method}: {met * 100:.0f} % of {len(during)} pictures were "
        f"answered in time, {good * 100:.0f} % rightly and in time; {again}."
    )


def basis_in_words(basis: Basis, options: StreetOptions, overran: float) -> tuple[str, ...]:
    """What is real and what is emulated."""
    boards = basis.machines.boards
    small = f"{min(b.small for b in boards) * 1e3:.0f} to {max(b.small for b in boards) * 1e3:.0f} ms"
    return (
        "Real: both networks and their answers, the pictures, the edge's process on a core of its own, every device "
        "with its connection in a process on another core, gRPC and TCP between them. What the small network answered "
        "to a picture once is kept there and not computed again; the time that its board takes is waited for.",
        f"Emulated: the cameras' boards, {basis.machines.board} (the small network takes {small}); "
        f"at most {overran * 100:.1f} % of their work was finished later here than there. The link that all share is a "
        f"proxy in user space that moves around {options.bandwidth / 1e6:g} Mbit/s (generated, seed {options.seed}); "
        f"round trip {options.round_trip * 1e3:g} ms.",
        f"{basis.bundle.name}: {len(basis.shown)} pictures of {basis.examples.name} that the gates have not seen, "
        f"{options.rate:g} a second and camera, deadline {options.deadline * 1e3:.0f} ms; gates: {basis.promise}. "
        "Intervals: 95 %, of the requests; the same requests for all methods.",
    )
