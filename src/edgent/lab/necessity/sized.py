"""The necessity map of well-known 224 x 224 networks on public boards: timed here, scaled, and much of it assumed."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from edgent.engine.loading import load
from edgent.lab.boards.emulation import find_device
from edgent.lab.figures.machines import host_profile
from edgent.lab.necessity.costmap import CostMap, cost_maps
from edgent.lab.necessity.grid import Assumed, Axes, Given, Grid
from edgent.lab.necessity.networks import network
from edgent.lab.necessity.public import priced, public_candidates
from edgent.lab.necessity.report import DeviceMap, by, every, meanings, pictures, summary
from edgent.lab.necessity.shipped import EDGE, checked_grid, ends_of
from edgent.lab.reproduction.figure import Figure, Lab, Result
from edgent.link import TransferModel
from edgent.planning.costs import BranchCosts
from edgent.planning.knobs import Necessity
from edgent.replay import workers
from edgent.units import BitsPerSecond

ASSUMED = (
    "ASSUMED, not measured: accuracies (as published for ImageNet), two early exits that cost nothing, the sizes of "
    "JPEG files and of encoded tensors and what they lose, what a quantised network loses and takes. Cuts are those "
    "that one tensor crosses. MEASURED: times of layers and codecs on this machine. PREDICTED: the boards' times."
)


Costs = dict[tuple[str, Given], BranchCosts]
"""By network and kind of input."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SizedNetwork:
    """A network with its rivals, priced on this machine for one kind of input."""

    name: str
    given: Given
    networks: Mapping[str, BranchCosts]
    assumed: Assumed
    axes: Axes

    def mapped(self, device: str) -> list[dict[str, Any]]:
        """The maps of one board, one for each variation."""
        table, kinds = public_candidates(self.name, self.networks, self.assumed, device, self.given)
        necessity, board = Necessity(table, kinds), find_device(device)
        assert board.factor is not None, "public boards have a factor"
        factors = [board.factor * end for end in (1.0, *ends_of(board))]
        link = TransferModel(bandwidth=BitsPerSecond(1.0), round_trip=self.axes.round_trip)
        return [
            {
                "device": device,
                "given": self.given,
                "variation": variation,
                "maps": [one.document() for one in cost_maps(necessity, self.axes, link, variation, factors)],
            }
            for variation in self.axes.variations
        ]


def run(lab: Lab) -> Result:
    """Times the networks, and computes the map of each."""
    grid = checked_grid(lab)
    costs, stamp = _priced(lab, grid)
    maps: list[DeviceMap] = []
    with workers() as pool:
        for number, name in enumerate(grid.public.networks):
            lab.progress(name, number, len(grid.public.networks))
            maps += _mapped(lab, grid, name, costs, stamp, pool)
    return Result(
        orderings=(),
        tables=(
            summary(maps, grid.public.inputs),
            by(maps, "device", "given"),
            by(maps, "network"),
            by(maps, "variation"),
        ),
        panels=pictures(maps, grid.public),
        notes=(
            meanings(),
            f"Grid {grid.digest[:12]}. {ASSUMED}",
            f"{EDGE} Beside each network: {grid.assumed.smaller} instead, and {grid.assumed.bigger} at the edge.",
            *(str(find_device(name)) for name in grid.public.devices),
        ),
        across=len(grid.public.devices),
        details=(every(maps),),
    )


def _priced(lab: Lab, grid: Grid) -> tuple[Costs, dict[str, object]]:
    """Every network for every kind of input; and what that depends on."""
    names = dict.fromkeys((grid.assumed.smaller, grid.assumed.bigger, *grid.public.networks))
    costs: Costs = {}
    profiles = hashlib.sha256()
    with tempfile.TemporaryDirectory(prefix="edgent-") as folder:
        for name in names:
            model = load(network(name, Path(folder)))
            host = host_profile(lab, model)
            profiles.update(host.to_json().encode())
            costs |= {(name, given): priced(model, host, grid.assumed, given) for given in grid.public.inputs}
    return costs, {"grid": grid.digest, "profiles": profiles.hexdigest()}


def _mapped(
    lab: Lab, grid: Grid, name: str, costs: Costs, stamp: dict[str, object], pool: Executor
) -> Iterator[DeviceMap]:
    """The maps of one network; together they are one part on disk."""

    def computed() -> list[dict[str, Any]]:
        used = dict.fromkeys((name, grid.assumed.smaller, grid.assumed.bigger))
        jobs = [
            SizedNetwork(
                name=name,
                given=given,
                networks={used_name: costs[used_name, given] for used_name in used},
                assumed=grid.assumed,
                axes=grid.public,
            )
            for given in grid.public.inputs
        ]
        pairs = product(jobs, grid.public.devices)
        return [one for maps in pool.map(SizedNetwork.mapped, *zip(*pairs, strict=True)) for one in maps]

    for one in lab.parts.part(f"necessity-224-{name}", stamp, computed):
        usual, *ends = map(CostMap.from_document, one["maps"])
        yield DeviceMap(
            network=name,
            device=one["device"],
            given=one["given"],
            variation=one["variation"],
            usual=usual,
            ends=tuple(ends),
        )


FIGURE = Figure(
    id="necessity-224", title="in which share of the cells each knob is needed, 224 x 224 networks", minutes=15, run=run
)
