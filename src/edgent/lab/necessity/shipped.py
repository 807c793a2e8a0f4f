"""The necessity map of the shipped networks on the emulated devices, a share of its cells run live."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import product
from pathlib import Path

from edgent.codec import Calibration
from edgent.engine.loading import load
from edgent.evaluation.calibration_files import calibration_for
from edgent.lab.boards.emulation import EmulatedDevice, EmulationReport, find_device
from edgent.lab.boards.hidden import HiddenDevice, hidden_device
from edgent.lab.figures.machines import host_profile
from edgent.lab.links.link import ShapedLink
from edgent.lab.necessity.check import Checked, agreement, differences, listed
from edgent.lab.necessity.costmap import cost_maps, seen
from edgent.lab.necessity.grid import Given, Grid, GridCell, load_grid
from edgent.lab.necessity.live import FAST, Asked, Seen, bench
from edgent.lab.necessity.public import without_input
from edgent.lab.necessity.report import DeviceMap, by, every, meanings, pictures, summary
from edgent.lab.processes.server_process import ServerProcess
from edgent.lab.reproduction.figure import Figure, Lab, Result
from edgent.latency import Profile
from edgent.link import TransferModel
from edgent.model import SHIPPED, Model
from edgent.model.files.named import BETWEEN
from edgent.planning.candidates import Candidates
from edgent.planning.knobs import Kinds, Necessity
from edgent.planning.plan import Configuration, SourceKind
from edgent.units import BitsPerSecond, Seconds

EDGE = "The edge is this machine, one thread, whatever the device."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shipped:
    """The shipped networks of a grid, as one bundle, on this machine.

    Attributes:
        grid: Which cells there are.
        model: The bundle.
        host: This machine's profile of it.
        calibration: Of the bundle.
        devices: Emulated ones, their layers' factors hidden.
    """

    grid: Grid
    model: Model
    host: Profile
    calibration: Calibration | None
    devices: tuple[HiddenDevice, ...]

    @classmethod
    def of(cls, lab: Lab, grid: Grid) -> Shipped:
        """Profiles this machine."""
        model = load(BETWEEN.join(name for name in grid.shipped.networks if _ships(name)))
        host = host_profile(lab, model)
        devices = (hidden_device(host, model, find_device(name), seed=lab.seed) for name in grid.shipped.devices)
        return cls(grid=grid, model=model, host=host, calibration=calibration_for(model), devices=tuple(devices))

    @property
    def stamp(self) -> dict[str, object]:
        """All that the measurements depend on."""
        return {"grid": self.grid.digest, "host": hashlib.sha256(self.host.to_json().encode()).hexdigest()}

    @property
    def missing(self) -> tuple[str, ...]:
        """Networks of the grid that do not ship, or not with their calibration."""
        return tuple(name for name in self.grid.shipped.networks if not _ships(name))

    def necessity(self, hidden: HiddenDevice, given: Given) -> Necessity:
        """The best with and without each knob on a device."""
        source: SourceKind = "array" if given == "tensor" else "image"
        table = Candidates.build(self.model, hidden.profile, self.host, self.calibration, source=source)
        return Necessity(without_input(table, given), Kinds.of(self.model))


def run(lab: Lab) -> Result:
    """Measures this machine, computes the map, and runs some of its cells live."""
    shipped = Shipped.of(lab, checked_grid(lab))
    grid, axes = shipped.grid, shipped.grid.shipped
    bests = {
        (hidden.device.name, given): shipped.necessity(hidden, given)
        for hidden in shipped.devices
        for given in axes.inputs
    }
    with _laboratory(shipped) as link:
        call = Seconds(lab.parts.part("necessity-call", shipped.stamp, lambda: _call_time(shipped, link)))
        ideal = TransferModel(bandwidth=BitsPerSecond(1.0), round_trip=axes.round_trip, call_time=call)
        asked = [_asked(cell, bests[cell.device, cell.given], ideal) for cell in axes.some(grid.live_share, lab.seed)]
        lived = [_live(lab, shipped, hidden, asked, link) for hidden in shipped.devices]
    maps = [
        one
        for number, hidden in enumerate(shipped.devices)
        for one in _mapped(lab, shipped, hidden, bests, ideal, number)
    ]
    checked = [one for cells, _ in lived for one in cells]
    return result(shipped, maps, checked, tuple(overran for _, overran in lived))


def result(shipped: Shipped, maps: Sequence[DeviceMap], checked: Sequence[Checked], overran: tuple[str, ...]) -> Result:
    """The figure."""
    axes = shipped.grid.shipped
    left_out = (
        f" Not in this package, or not calibrated, so left out: {', '.join(shipped.missing)}."
        if shipped.missing
        else ""
    )
    return Result(
        orderings=(),
        tables=(
            summary(maps, axes.inputs),
            by(maps, "device", "given"),
            by(maps, "variation"),
            agreement(checked),
            *differences(checked),
        ),
        panels=pictures(maps, axes),
        notes=(
            meanings(),
            f"Grid {shipped.grid.digest[:12]}, {shipped.model.name}.{left_out}",
            f"{EDGE} A quantised network is as fast beside its float32 one on an emulated device as on this machine.",
            *map(str, shipped.devices),
            *overran,
        ),
        across=len(axes.devices),
        details=(every(maps), listed(checked)),
    )


def checked_grid(lab: Lab) -> Grid:
    """The grid, if it is still the one that this reproduction began with.

    Raises:
        InputError: it was changed since.
    """
    grid = load_grid()
    grid.check_unchanged(lab.parts.part("necessity-grid", {}, lambda: grid.digest))
    return grid


def ends_of(device: EmulatedDevice) -> tuple[float, ...]:
    """How many times slower than usual a device is at the ends of its range; none where that is unknown."""
    if device.factor is None or device.low is None or device.high is None:
        return ()
    return device.low / device.factor, device.high / device.factor


@contextlib.contextmanager
def _laboratory(shipped: Shipped) -> Iterator[ShapedLink]:
    """An edge process behind the shaped link."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgent-")))
        shipped.host.save(folder / "host.json")
        edge = stack.enter_context(ServerProcess.edge(shipped.model.name, folder / "host.json"))
        round_trip = shipped.grid.shipped.round_trip
        yield stack.enter_context(ShapedLink(edge.address, uplink=FAST, round_trip=round_trip))


def _call_time(shipped: Shipped, link: ShapedLink) -> float:
    """Seconds that a call takes whatever its size, as a device finds them."""
    last = shipped.model.branches[-1]
    first = Configuration(exit=last.exit, upload_cut=0, download_cut=len(last.layers), codec="source")
    with bench(shipped.model, shipped.devices[-1], shipped.calibration, link, shipped.grid.requests) as live:
        return live.call_time(first)


def _mapped(
    lab: Lab,
    shipped: Shipped,
    hidden: HiddenDevice,
    bests: Mapping[tuple[str, Given], Necessity],
    link: TransferModel,
    number: int,
) -> Iterator[DeviceMap]:
    axes, name = shipped.grid.shipped, hidden.device.name
    lab.progress(f"the map of {name}", number, len(shipped.devices))
    for given, variation in product(axes.inputs, axes.variations):
        usual, *ends = cost_maps(bests[name, given], axes, link, variation, (1.0, *ends_of(hidden.device)))
        yield DeviceMap(
            network=shipped.model.name,
            device=name,
            given=given,
            variation=variation,
            usual=usual,
            ends=tuple(ends),
        )


def _asked(cell: GridCell, necessity: Necessity, link: TransferModel) -> Asked:
    conditions = seen(link, cell.bandwidth, cell.variation)
    return Asked(
        cell=cell, best=necessity.best(conditions, cell.deadline), without=necessity.without(conditions, cell.deadline)
    )


def _live(
    lab: Lab, shipped: Shipped, hidden: HiddenDevice, some: list[Asked], link: ShapedLink
) -> tuple[list[Checked], str]:
    """Runs the cells of one device live; together they are one part on disk."""
    asked = [one for one in some if one.cell.device == hidden.device.name]

    def measured() -> dict[str, object]:
        cells = []
        with bench(shipped.model, hidden, shipped.calibration, link, shipped.grid.requests) as live:
            for number, one in enumerate(asked):
                lab.progress(f"{hidden.device.name}, live", number, len(asked))
                cells.append(live.run(one).document())
            return {"cells": cells, "overruns": astuple(live.account)}

    kept = lab.parts.part(f"necessity-{hidden.device.name}", shipped.stamp, measured)
    checked = [Checked(asked=one, seen=Seen(**cell)) for one, cell in zip(asked, kept["cells"], strict=True)]
    pieces, overran, worst = kept["overruns"]
    return checked, f"{hidden.device.name}: {EmulationReport(pieces=pieces, overran=overran, worst=worst)}."


def _ships(name: str) -> bool:
    """Whether a network ships with its calibration: a bundle has none if one of its members has none."""
    return all((SHIPPED / f"{name}.{ending}").is_file() for ending in ("onnx", "calibration.json"))


FIGURE = Figure(
    id="necessity",
    title="in which share of the cells each knob is needed, on the shipped networks",
    minutes=15,
    run=run,
)
