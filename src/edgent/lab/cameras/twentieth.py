"""A seeded twentieth of the streets once more, live: whether virtual time tells what real processes do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgent.evaluation.measures.measure import wilson
from edgent.lab.cameras.live_street import LiveStreet
from edgent.lab.cameras.measured import Basis, measure_host
from edgent.lab.cameras.parameters import CAMERAS, CARRIED, LIVE_SECONDS, SEEDS, Traffic
from edgent.lab.cameras.plans import LIVE, methods_of
from edgent.lab.cameras.street import Street, StreetRun
from edgent.lab.reproduction.figure import Column, Lab, Table
from edgent.link.trace import Trace


def drawn_streets(seed: int) -> list[tuple[int, int]]:
    """Numbers of cameras and of the link, a twentieth of all there are, of those that one core can carry."""
    streets = [(cameras, link) for cameras in CAMERAS if cameras <= CARRIED for link in range(SEEDS)]
    count = max(1, len(CAMERAS) * SEEDS // 20)
    rows = np.random.default_rng(seed).permutation(len(streets))[:count]
    return sorted(streets[row] for row in rows)


def live_rows(lab: Lab, basis: Basis, links: Sequence[Trace], traffic: Traffic) -> list[Mapping[str, Any]]:
    """Each street that was drawn, live and in virtual time, by each live method; what was kept is not run again."""
    chosen = drawn_streets(lab.seed)
    depends = {"digest": basis.bundle.digest, "streets": chosen, "links": [link.name for link in links]}

    def run() -> list[Mapping[str, Any]]:
        host = measure_host(lab, basis)
        short = Traffic(
            rate=traffic.rate,
            deadline=traffic.deadline,
            round_trip=traffic.round_trip,
            seconds=LIVE_SECONDS,
        )
        with LiveStreet(basis, host, short) as live:
            rows = []
            for done, (cameras, number) in enumerate(chosen):
                lab.progress(f"{cameras} cameras, live", done, len(chosen))
                live.grow(cameras)
                street = Street(
                    cameras=cameras,
                    traffic=short,
                    link=links[number],
                    pictures=len(basis.shown),
                    seed=lab.seed + number,
                )
                rows += _rows(basis, live, street)
        return rows

    rows: list[Mapping[str, Any]] = lab.parts.part("live", depends, run)
    return rows


def _rows(basis: Basis, live: LiveStreet, street: Street) -> list[Mapping[str, Any]]:
    methods = methods_of(basis.facts.of(basis.shown), basis.machines, street.traffic.deadline)
    rows: list[Mapping[str, Any]] = []
    for method in LIVE:
        meter, _ = live.watch(method, street)
        low, high = wilson(round(meter.good * len(meter.answers)), len(meter.answers))
        rows.append(
            {
                "cameras": street.cameras,
                "method": method,
                "live": meter.good,
                "live_low": low,
                "live_high": high,
                "virtual": float(StreetRun(street, methods[method]).run().right.mean()),
                "carrier": meter.carrier,
                "overran": meter.overran,
            }
        )
    return rows


def live_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The same streets live and in virtual time."""
    columns = (
        Column(key="cameras", title="cameras"),
        Column(key="method", title="method"),
        Column(key="live", title="live", show=_percent),
        Column(key="live_low", title="from", show=_percent),
        Column(key="live_high", title="to", show=_percent),
        Column(key="virtual", title="virtual time", show=_percent),
        Column(key="carrier", title="cameras' core", show=_percent),
        Column(key="overran", title="finished later than the board", show=_percent),
    )
    keys = [column.key for column in columns]
    return Table(
        title="A twentieth of the streets, live and in virtual time",
        columns=columns,
        rows=tuple(tuple(row[key] for key in keys) for row in rows),
    )


def _percent(share: float) -> str:
    return f"{share:.1%}"
