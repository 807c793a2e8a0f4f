"""The maps as tables, and as pictures of bandwidth by deadline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edgent.lab.necessity.costmap import CostMap
from edgent.lab.necessity.grid import INPUTS, Axes
from edgent.lab.reproduction.figure import Column, Table, Value
from edgent.planning.knobs import KNOBS, NEEDED
from edgent.report import Axis, Panel, Tiles


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeviceMap:
    """The map of one network on one device.

    Attributes:
        network: Its name.
        device: Its name.
        given: What the input is.
        variation: Of the bandwidth.
        usual: With the device as fast as it usually is.
        ends: With the device as fast, and as slow, as its range says; none where that is unknown.
    """

    network: str
    device: str
    given: str
    variation: float
    usual: CostMap
    ends: tuple[CostMap, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The share of some cells in which a knob is needed, and its range if devices are faster or slower."""

    usual: float
    low: float
    high: float

    def __str__(self) -> str:
        usual, low, high = (f"{100 * share:.1f}" for share in (self.usual, self.low, self.high))
        return usual if low == high else f"{usual} ({low} .. {high})"


def share_of(maps: Sequence[DeviceMap], knob: str) -> Share | None:
    """The share over some maps, cells weighing the same; None where none has the knob to turn.

    The ends of a device's range are taken for all maps at once.
    """
    having = [one for one in maps if knob in one.usual.costs]
    if not having:
        return None
    ends = [one.ends or (one.usual, one.usual) for one in having]
    shares = [_pooled(of, knob) for of in ([one.usual for one in having], *map(list, zip(*ends, strict=True)))]
    return Share(usual=shares[0], low=min(shares), high=max(shares))


def summary(maps: Sequence[DeviceMap], inputs: Sequence[str]) -> Table:
    """Each knob by input, over everything else."""
    columns = (
        Column(key="knob", title="knob"),
        *(Column(key=given, title=f"{given}, % of the cells") for given in inputs),
    )
    rows = tuple(
        (knob, *(_text(share_of([one for one in maps if one.given == given], knob)) for given in inputs))
        for knob in KNOBS
    )
    return Table(title="Needed in which share of the cells (within the devices' ranges)", columns=columns, rows=rows)


def by(maps: Sequence[DeviceMap], *keys: str) -> Table:
    """Each knob by some properties of the maps, over everything else; in per cent of the cells."""
    columns = (
        *(Column(key=key, title="input" if key == "given" else key) for key in keys),
        *(Column(key=knob, title=knob, show=lambda share: f"{100 * share:.1f}") for knob in KNOBS),
    )
    groups = dict.fromkeys(tuple(getattr(one, key) for key in keys) for one in maps)
    rows = []
    for group in groups:
        own = [one for one in maps if tuple(getattr(one, key) for key in keys) == group]
        shares = [share_of(own, knob) for knob in KNOBS]
        rows.append((*group, *(None if share is None else share.usual for share in shares)))
    return Table(title=f"By {' and '.join(_names(keys))}, % of the cells", columns=columns, rows=tuple(rows))


def every(maps: Sequence[DeviceMap]) -> Table:
    """A table of every map and knob with its range, for JSON."""
    keys = ("network", "device", "input", "variation", "knob", "share", "low", "high")
    rows = []
    for one in maps:
        for knob in one.usual.costs:
            share = share_of([one], knob)
            assert share is not None
            known = (share.low, share.high) if one.ends else (None, None)
            rows.append((one.network, one.device, one.given, one.variation, knob, share.usual, *known))
    return Table(title="every map", columns=tuple(Column(key=key, title=key) for key in keys), rows=tuple(rows))


def pictures(maps: Sequence[DeviceMap], axes: Axes) -> tuple[Panel, ...]:
    """Knob by knob and device by device: where it is needed, by bandwidth and deadline."""
    knobs = [knob for knob in KNOBS if any(knob in one.usual.costs for one in maps)]
    return tuple(
        _picture([one for one in maps if one.device == device], knob, device, axes)
        for knob in knobs
        for device in axes.devices
    )


def _picture(maps: Iterable[DeviceMap], knob: str, device: str, axes: Axes) -> Panel:
    costs = [one.usual.costs[knob] for one in maps if knob in one.usual.costs]
    needed = np.mean([plane >= NEEDED for plane in costs], axis=0).T * 100  # deadlines are the rows
    tiles = Tiles(
        name="needed in, % of networks, inputs and variations",
        rows=[f"{1e3 * deadline:g}" for deadline in axes.deadlines],
        values=needed.tolist(),
        most=100,
    )
    return Panel(
        title=f"{knob}, {device}",
        x=Axis(label="bandwidth, Mbit/s"),
        y=Axis(label="deadline, ms"),
        marks=(tiles,),
        categories=[f"{bandwidth / 1e6:g}" for bandwidth in axes.bandwidths],
    )


def _pooled(maps: Sequence[CostMap], knob: str) -> float:
    return float(np.mean([one.costs[knob] >= NEEDED for one in maps]))


def meanings() -> str:
    """What is left without each knob, and what the inputs are."""
    left = "; ".join(f"{knob}: {words}" for knob, words in KNOBS.items())
    return f"Left without {left}. Inputs: {'; '.join(f'{name}: {words}' for name, words in INPUTS.items())}."


def _text(share: Share | None) -> Value:
    return None if share is None else str(share)


def _names(keys: Sequence[str]) -> list[str]:
    return ["input" if key == "given" else key for key in keys]
