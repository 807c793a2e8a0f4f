"""Some cells of the map run live: an edge process, the shaped link, a device held to an emulated board's pace.

Every configuration that is the best of such a cell, with or without a knob, is run at quantiles of the link's law, the
same for all, so that no two differ by luck with the link. Its chance of being in time is read off the latencies as the
map reads it off the predicted ones. Where the race has a say, requests are run with it at the cell's own deadline.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgent.codec import Calibration, decode_pixels, encode_image, fit, normalise
from edgent.device.device import Device
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgeError, EdgentError
from edgent.lab.boards.emulation import Emulated, EmulationReport
from edgent.lab.boards.hidden import HiddenDevice
from edgent.lab.links.link import ShapedLink
from edgent.lab.necessity.grid import Given, GridCell
from edgent.link import Predictive
from edgent.model import SHIPPED, Model
from edgent.planning.expectation import chances
from edgent.planning.knobs import RACE, Best
from edgent.planning.plan import Configuration
from edgent.units import BitsPerSecond, Seconds

FAST = BitsPerSecond(1e9)
BORDER = 0.05
"""A cell is borderline where a configuration's median lies within this share of the deadline: there chance decides."""

_PATIENCE = Seconds(6.0)  # longer than any deadline of a grid; what an answer counts that somebody else gave
_CONNECTING = 20.0  # seconds
_DRAINED = 1.5  # of the mean latency: longer than the slowest quantile takes
_TRIES = 3
_CALLS = 20  # after which a device knows what a call takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A cell to be run, with the plans that are best by the map.

    Attributes:
        cell: Which one.
        best: With every knob.
        without: Without each.
    """

    cell: GridCell
    best: Best
    without: Mapping[str, Best]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The results of a cell that was run.

    Attributes:
        best: Accuracy in time with every knob.
        without: Without each.
        borderline: Whether some configuration's median is too close to the deadline.
    """

    best: float
    without: Mapping[str, float]
    borderline: bool

    def document(self) -> dict[str, Any]:
        """The result as JSON has it."""
        return {"best": self.best, "without": dict(self.without), "borderline": self.borderline}


class CellRunner:
    """A device, its link, and what it runs.

    Args:
        device: Connected to the edge by the link.
        link: Between them.
        images: Coded ones.
        requests: Of each configuration and link state.
        pace: Of the device.
    """

    def __init__(
        self, device: Device, link: ShapedLink, images: Sequence[bytes], requests: int, pace: Emulated
    ) -> None:
        self._device, self._link, self._images, self._requests = device, link, images, requests
        self._pace = pace
        self._totals: dict[tuple[Configuration, Given, float, float], list[float]] = {}

    def call_time(self, first: Configuration) -> float:
        """Seconds that a call takes whatever its size and the link, after some calls of a configuration."""
        self._link.set(uplink=FAST, downlink=FAST)
        for turn in range(_CALLS):
            self._once(first, "file", turn, _PATIENCE, race=False)
        conditions = self._device.conditions
        assert conditions is not None, "a connected edge was probed"
        return float(conditions.uplink.call_time + conditions.handling.total)

    @property
    def account(self) -> EmulationReport:
        """How well this machine stood in for the device so far."""
        return self._pace.account

    def run(self, asked: Asked) -> Seen:
        """Runs one cell."""
        cell = asked.cell
        every = {RACE: asked.best, **asked.without}
        medians = [statistics.median(self._latencies(cell, best.configuration)) for best in every.values()]
        return Seen(
            best=self._accuracy_in_time(cell, asked.best, race=True),
            without={
                knob: self._accuracy_in_time(cell, best, race=knob != RACE) for knob, best in asked.without.items()
            },
            borderline=any(abs(median - cell.deadline) <= BORDER * cell.deadline for median in medians),
        )

    def _accuracy_in_time(self, cell: GridCell, choice: Best, *, race: bool) -> float:
        # In falling order, as `chances` expects them: along rising bandwidths latencies fall.
        latencies = np.sort(self._latencies(cell, choice.configuration))[None, ::-1]
        weights = np.full(self._requests, 1 / self._requests)
        chance = float(chances(latencies, cell.deadline, weights)[0])
        # Only where the edge may be late has the race a say; then it must be run, for it is not the sum of its parts.
        if race and choice.rescue > 0 and chance < 1:
            return self._raced(cell, choice)
        return chance * choice.accuracy

    def _latencies(self, cell: GridCell, configuration: Configuration) -> list[float]:
        """One for each quantile of the link's law; what uses no link has no link state."""
        link = (0.0, 0.0) if configuration.device_only else (cell.variation, cell.bandwidth)
        key = (configuration, cell.given, *link)
        # Configurations are shared by cells, knobs and deadlines: each is run once for a state of the link.
        if key not in self._totals:
            self._ready(configuration)
            self._totals[key] = [
                self._at(cell, rate, configuration, turn, _PATIENCE, race=False)[0]
                for turn, rate in enumerate(self._rates(cell))
            ]
        return self._totals[key]

    def _raced(self, cell: GridCell, choice: Best) -> float:
        """The accuracy in time of requests whose local branch is started in time for the deadline."""
        totals = []
        for turn, rate in enumerate(self._rates(cell)):
            total, by, exit = self._at(cell, rate, choice.configuration, turn, cell.deadline, race=True)
            accuracy = choice.accuracy if by == "edge" else self._device.model.branch(exit or 0).accuracy or 0.0
            totals.append(accuracy if total <= cell.deadline else 0.0)
            if by != "edge":
                time.sleep(min(_DRAINED * choice.latency, _PATIENCE))  # what was sent is still on the link
        return statistics.fmean(totals)

    def _rates(self, cell: GridCell) -> list[BitsPerSecond]:
        law = Predictive.log_normal(cell.bandwidth, cell.variation)
        # The middles of equal shares of the law: the same for every configuration, so that luck with the link is no
        # difference.
        return [BitsPerSecond(law.quantile((turn + 0.5) / self._requests)) for turn in range(self._requests)]

    def _ready(self, configuration: Configuration) -> None:
        """Makes the sessions, over a link that does not hold that up; a connection just lost comes back.

        Raises:
            EdgentError: it does not.
        """
        self._link.set(uplink=FAST, downlink=FAST)
        for _ in range(_TRIES):
            with contextlib.suppress(EdgeError):
                self._device.warm(configuration)
                return
            self._device.wait_ready(_CONNECTING)
        self._device.warm(configuration)

    def _at(
        self,
        cell: GridCell,
        rate: BitsPerSecond,
        configuration: Configuration,
        turn: int,
        within: Seconds,
        *,
        race: bool,
    ) -> tuple[float, str, int | None]:
        for _ in range(_TRIES):
            self._link.set(uplink=rate, downlink=rate)
            total = self._once(configuration, cell.given, turn, within, race=race)
            if total[0] < within or race:
                break
            self._ready(configuration)  # lost, or never so late: the map has no such latency
        return total

    def _once(
        self, configuration: Configuration, given: Given, turn: int, within: Seconds, *, race: bool
    ) -> tuple[float, str, int | None]:
        image = self._images[turn % len(self._images)]
        value = _tensor(self._device.model, image) if given == "tensor" else image
        record = self._device.infer(value, configuration=configuration, race=race, deadline=within).record
        as_told = race or record.by == ("device" if configuration.device_only else "edge")
        return float(record.total if as_told else _PATIENCE), record.by, record.exit


@contextlib.contextmanager
def bench(
    model: Model, hidden: HiddenDevice, calibration: Calibration | None, link: ShapedLink, requests: int
) -> Iterator[CellRunner]:
    """A device at the pace of an emulated board, connected over the link.

    Raises:
        EdgentError: the edge was not reached.
    """
    pace = hidden.pace()
    link.set(uplink=FAST, downlink=FAST)
    with Device(
        model,
        edge=link.address,
        deadline=Seconds(1.0),
        device_profile=hidden.profile,
        host_profile=hidden.table,
        calibration=calibration,
        engine=OnnxRuntimeEngine(threads=1),
        pace=pace,
        insecure=True,
    ) as device:
        if not device.wait_ready(_CONNECTING):
            raise EdgentError("the edge process was not reached")
        yield CellRunner(device, link, _images(requests), requests, pace)


def _images(count: int) -> tuple[bytes, ...]:
    with np.load(SHIPPED / "cifar10-256.npz") as shipped:
        return tuple(encode_image("png", pixels) for pixels in shipped["pixels"][:count])


def _tensor(model: Model, image: bytes) -> Any:
    form = model.metadata.preprocessing
    assert form is not None, "shipped networks take images"
    return normalise(fit(decode_pixels(image), form), form)
