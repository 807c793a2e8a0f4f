"""What a controller must find, by loops over candidates, quantiles and local branches."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgent.link import Predictive, TransferModel
from edgent.link.predictive import NOTHING
from edgent.planning import Candidates, Conditions
from edgent.planning.conditions import SLICE
from edgent.planning.plan import Stages
from edgent.units import BitsPerSecond, Seconds


def spread(random: np.random.Generator, quantiles: int = 9) -> Predictive:
    middle, octaves = random.uniform(5, 7.5), random.uniform(0, 0.6)
    weights = random.dirichlet(np.ones(quantiles))
    return Predictive(bandwidths=np.sort(10 ** (middle + octaves * random.normal(size=quantiles))), weights=weights)


def believed(
    up: Predictive, down: Predictive, *, round_trip: float = 0.0, call_time: float = 0.002, **rest: Any
) -> Conditions:
    link = TransferModel(bandwidth=BitsPerSecond(1.0), round_trip=Seconds(round_trip), call_time=Seconds(call_time))
    return Conditions(uplink=link, downlink=link, **rest).expecting(up, down)


def belief(random: np.random.Generator, backlog: float = 0.0) -> Conditions:
    up = spread(random)
    if random.random() < 0.5:
        up.bandwidths[0] = NOTHING
    down = Predictive(bandwidths=np.where(up.bandwidths > NOTHING, 2 * up.bandwidths, NOTHING), weights=up.weights)
    return believed(
        up,
        down,
        round_trip=float(random.uniform(0, 0.02)),
        call_time=0.001,
        queue=Seconds(float(random.exponential(0.002))),
        device_factor=float(2 ** random.uniform(-2, 2)),  # so that they drift apart by more than the usual, too
        edge_factor=float(2 ** random.uniform(-2, 2)),
        backlog=Seconds(backlog),
        handling=handling(random.spawn(1)[0]),  # so that what else is drawn stays as it was
    )


def handling(random: np.random.Generator) -> Stages:
    """What the stages of the machines take whatever their work."""
    stages = ("prepare", "head", "encode", "middle", "suffix")
    return Stages(**{stage: float(random.exponential(0.0005)) for stage in stages})


def sure(bandwidth: float) -> Conditions:
    return believed(Predictive.certain(bandwidth), Predictive.certain(bandwidth))


def at(seen: Conditions, up: float, down: float) -> Conditions:
    """The same with these bandwidths as certain."""
    way = {"round_trip": seen.uplink.round_trip, "call_time": seen.uplink.call_time}
    return Conditions(
        uplink=TransferModel(bandwidth=BitsPerSecond(up), ahead=seen.uplink.ahead, **way),
        downlink=TransferModel(bandwidth=BitsPerSecond(down), ahead=seen.downlink.ahead, **way),
        queue=seen.queue,
        device_factor=seen.device_factor,
        edge_factor=seen.edge_factor,
        backlog=seen.backlog,
        handling=seen.handling,
    )


def latencies(table: Candidates, row: int, seen: Conditions) -> list[float]:
    """Seconds at each pair of bandwidths, by the transfer model."""
    pairs = zip(seen.bandwidths.up.tolist(), seen.bandwidths.down.tolist(), strict=True)
    return [at(seen, up, down).stages(table, row).total for up, down in pairs]


def chance(times: list[float], weights: np.ndarray, deadline: float) -> float:
    """The distribution of the time, drawn as a line through its quantiles."""
    if times[0] <= deadline or times[-1] > deadline:
        return 1.0 if times[0] <= deadline else 0.0
    middles = np.cumsum(weights) - weights / 2
    return float(np.interp(deadline, times[::-1], (1 - middles)[::-1]))


def rescue(table: Candidates, row: int, deadline: float, seen: Conditions, margin: float) -> float:
    """The best branch that the device can still finish, once all to send is encoded and others are done."""
    if not table.messages[row]:
        return 0.0
    factor = seen.device_factor
    begun = factor * (table.head[row] + table.encode[row])
    always = seen.handling.prepare + seen.handling.head
    begun = begun + always + seen.backlog if begun > SLICE else max(begun + always, seen.backlog)
    own = [k for k in range(len(table)) if not table.messages[k]]
    fit = [k for k in own if begun + factor * (table.prepare[k] + table.head[k]) <= deadline - margin]
    return min(max((float(table.accuracy[k]) for k in fit), default=0.0), float(table.accuracy[row]))


def by_loops(table: Candidates, seen: Conditions, deadline: float, *, race: bool, margin: float = 0.0) -> Any:
    loop_costs = []
    for row in range(len(table)):
        times = latencies(table, row, seen)
        likely = chance(times, seen.bandwidths.weights, deadline)
        local = rescue(table, row, deadline, seen, margin) if race else 0.0
        expected = likely * float(table.accuracy[row]) + (1 - likely) * local
        loop_costs.append((table.configurations[row], likely, expected, waited(table, row, seen, deadline)))
    return loop_costs


def waited(table: Candidates, row: int, seen: Conditions, deadline: float) -> float:
    """The mean latency; in an outage who sends waits a deadline longer than without the link's bytes."""
    unlimited = at(seen, 1e15, 1e15).stages(table, row).total
    patient = unlimited + deadline * bool(table.messages[row])
    times, passes = latencies(table, row, seen), seen.bandwidths.up > NOTHING
    return float(np.dot(np.where(passes, times, patient), seen.bandwidths.weights))
