"""What the street came to: the live methods, all others simulated on the same streets, and who is ahead. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgent.demo.cameras.stage import Outage, Show
from edgent.evaluation.measures.measure import wilson
from edgent.lab.cameras.live_street import Meter
from edgent.lab.cameras.plans import LIVE, ORACLE, OURS, CameraMethod, clairvoyant_choice
from edgent.lab.cameras.street import Street, StreetRun
from edgent.lab.cameras.verdicts import Ranged, draws_of, ranged


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one method stands.

    Attributes:
        method: which one.
        live: whether it was run; else it was simulated on what was measured.
        by_cameras: accuracy in time with each number of cameras, with its interval.
        pooled: over all of them, each counting alike.
        lead: Edgent's over it, in pairs where both were run live or both simulated; None: it is Edgent.
        kilobytes: sent, of a picture in the mean.
        edge_ms: of the edge core, likewise.
    """

    method: str
    live: bool
    by_cameras: tuple[Ranged, ...]
    pooled: float
    lead: Ranged | None
    kilobytes: float
    edge_ms: float

    @property
    def is_ahead(self) -> bool:
        """Whether Edgent is behind it."""
        return self.lead is not None and self.lead.value < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreetResult:
    """All that the demo shows.

    Attributes:
        cameras: the numbers that were tried.
        standings: of the live methods first, then of those that were simulated, Edgent among them, the oracle last.
        outages: of the live methods.
        ended: why no more cameras came.
        full_with: see `Show.full_with`.
        words: what is real and what is emulated, a sentence each.
        seconds: that it took after everything was measured.
    """

    cameras: tuple[int, ...]
    standings: tuple[Standing, ...]
    outages: tuple[Outage, ...]
    ended: str
    full_with: Mapping[str, int]
    words: tuple[str, ...]
    seconds: float

    def of(self, method: str, live: bool) -> Standing:
        """How a method stands."""
        return next(s for s in self.standings if (s.method, s.live) == (method, live))

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "cameras": list(self.cameras),
            "ended": self.ended,
            "edge_full_with": dict(self.full_with),
            "methods": [_document(standing) for standing in self.standings],
            "outages": [_outage_document(outage) for outage in self.outages],
            "notes": list(self.words),
        }


def live_standings(show: Show) -> list[Standing]:
    """Of the methods that were run: intervals by Wilson, the lead over the same requests in pairs."""
    by_method = {method: [meter for meter in show.meters if meter.method == method] for method in LIVE}
    goods = {method: [_goods(meter) for meter in meters] for method, meters in by_method.items()}
    return [
        _standing(
            method,
            live=True,
            by_cameras=[_wilson(good) for good in goods[method]],
            lead=None if method == OURS else _lead(goods[OURS], goods[method]),
            nbytes=float(np.mean([meter.nbytes / len(meter.answers) for meter in meters])),
            edge=float(np.mean([meter.edge * meter.seconds / len(meter.answers) for meter in meters])),
        )
        for method, meters in by_method.items()
    ]


def priced_standings(methods: Mapping[str, CameraMethod], streets: Sequence[Street]) -> list[Standing]:
    """Of all methods, simulated on the streets that were shown; the clairvoyant one comes last."""
    ours = methods[OURS]
    runs = {name: [StreetRun(street, method).run() for street in streets] for name, method in methods.items()}
    runs[ORACLE] = [
        StreetRun(street, ours, lambda camera, picture, _: clairvoyant_choice(ours.of(camera), picture)).run()
        for street in streets
    ]
    goods = {name: [run.right.astype(np.float64) for run in of_method] for name, of_method in runs.items()}
    standings = [
        _standing(
            name,
            live=False,
            by_cameras=[_wilson(good) for good in goods[name]],
            lead=None if name == OURS else _lead(goods[OURS], goods[name]),
            nbytes=float(np.mean([run.nbytes / len(run.right) for run in of_method])),
            edge=float(np.mean([run.edge_seconds / len(run.right) for run in of_method])),
        )
        for name, of_method in runs.items()
    ]
    return sorted(standings, key=lambda standing: (standing.method == ORACLE, -standing.pooled))


def _standing(
    method: str, *, live: bool, by_cameras: list[Ranged], lead: Ranged | None, nbytes: float, edge: float
) -> Standing:
    return Standing(
        method=method,
        live=live,
        by_cameras=tuple(by_cameras),
        pooled=float(np.mean([ranged_.value for ranged_ in by_cameras])),
        lead=lead,
        kilobytes=nbytes / 1e3,
        edge_ms=edge * 1e3,
    )


def _goods(meter: Meter) -> np.ndarray[Any, np.dtype[np.float64]]:
    """1 for each picture that was answered rightly and in time, in an order that is the same for all methods."""
    inorder = sorted(meter.answers, key=lambda answer: (answer.at, answer.camera))
    return np.array([float(answer.right and answer.in_time) for answer in inorder])


def _wilson(good: np.ndarray[Any, Any]) -> Ranged:
    low, high = wilson(int(good.sum()), len(good))
    return Ranged(value=float(good.mean()), low=low, high=high)


def _lead(ours: list[np.ndarray[Any, Any]], theirs: list[np.ndarray[Any, Any]]) -> Ranged:
    """Over all numbers of cameras, each counting alike; the requests of each are drawn anew."""
    drawn = [
        draws_of(len(mine), seed) @ (mine - other) for seed, (mine, other) in enumerate(zip(ours, theirs, strict=True))
    ]
    return ranged(np.mean(drawn, axis=0))


def _document(standing: Standing) -> dict[str, Any]:
    lead = standing.lead
    return {
        "method": standing.method,
        "live": standing.live,
        "accuracy_in_time": [round(ranged_.value, 6) for ranged_ in standing.by_cameras],
        "pooled": round(standing.pooled, 6),
        "edgent_ahead": None if lead is None else [round(end, 6) for end in (lead.value, lead.low, lead.high)],
        "kilobytes": round(standing.kilobytes, 3),
        "edge_ms": round(standing.edge_ms, 3),
    }


def _outage_document(outage: Outage) -> dict[str, Any]:
    during = [a for a in outage.meter.answers if outage.cut_at <= a.at < outage.restored_at]
    return {
        "method": outage.meter.method,
        "outage_ms": round((outage.restored_at - outage.cut_at) * 1e3, 3),
        "requests_during": len(during),
        "accuracy_in_time_during": float(np.mean([a.right and a.in_time for a in during])) if during else None,
    }
