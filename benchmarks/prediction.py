"""How far the predicted total is from the measured one, over bandwidths x deadlines on the shaped link.

    python benchmarks/prediction.py [--json] [--repeats N]

A real edge process, and a real device that measures the link itself and plans freely. The link is emulated, and so is
the device, paper-pi3-resident: it is right by construction in its own parts, so what is judged is the link, the calls
and the edge. A cell counts with the median of its runs. *Kept* is the share of runs in time, among those whose plan
promised to be with 10 % of the deadline to spare. A second line leaves out the cells that the device answers alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgent.codec import encode_image
from edgent.errors import EdgentError
from edgent.lab.emulation import Emulated, emulated_profile, find_device
from edgent.lab.link import ShapedLink
from edgent.lab.machines import ServerProcess
from edgent.model import SHIPPED, load
from edgent.runtime.calibrator import calibration_for
from edgent.runtime.device import Device
from edgent.runtime.engine import Engine
from edgent.runtime.profiler import profile
from edgent.units import BitsPerSecond, Seconds

DEVICE = "paper-pi3-resident"
RATES = (200e3, 1e6, 5e6, 20e6, 100e6)
DEADLINES = (0.03, 0.06, 0.1, 0.2)
ROUND_TRIP = Seconds(0.005)
SPARE = 0.9
BUDGET = 8.0  # seconds of profiling
_WARM = 3  # runs that do not count: sessions become ready, the device sees what a call takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One bandwidth and deadline; milliseconds are medians of its runs."""

    bandwidth_bps: float
    deadline_ms: float
    crosses: bool
    predicted_ms: float
    measured_ms: float
    ape: float
    promised: int
    kept: int


def cell(device: Device, pictures: Sequence[bytes], bandwidth: float, deadline: float) -> Cell:
    """Runs one cell."""
    for picture in pictures[:_WARM]:
        device.infer(picture, deadline=Seconds(deadline), race=False)
        device.wait_ready()
    records = [device.infer(picture, deadline=Seconds(deadline), race=False).record for picture in pictures]
    pairs = [(record.plan.stages.total, record.total) for record in records if record.plan is not None]
    promised = [total for planned, total in pairs if planned <= SPARE * deadline]
    predicted, total = (statistics.median(values) for values in zip(*pairs, strict=True))
    return Cell(
        bandwidth_bps=bandwidth,
        deadline_ms=deadline * 1e3,
        crosses=records[-1].by == "edge",
        predicted_ms=predicted * 1e3,
        measured_ms=total * 1e3,
        ape=statistics.median(abs(planned / taken - 1) for planned, taken in pairs),
        promised=len(promised),
        kept=sum(taken <= deadline for taken in promised),
    )


def cells(repeats: int) -> list[Cell]:
    """Every cell of the emulated device."""
    model = load("b-alexnet")
    host = profile(model, Engine(), budget=BUDGET)
    emulated = find_device(DEVICE)
    with np.load(SHIPPED / "cifar10-256.npz") as images:
        pictures = [encode_image("png", pixels) for pixels in images["pixels"][:repeats]]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        (file := Path(folder) / "host.json").write_text(host.to_json())
        with ServerProcess.edge("b-alexnet", file) as edge:
            for rate in map(BitsPerSecond, RATES):
                with (
                    ShapedLink(edge.address, uplink=rate, round_trip=ROUND_TRIP) as link,
                    Device(
                        model,
                        edge=link.address,
                        deadline=Seconds(1.0),
                        device_profile=emulated_profile(host, emulated),
                        host_profile=host,
                        calibration=calibration_for(model, None),
                        pace=Emulated(emulated.factor_on(host), DEVICE),
                    ) as device,
                ):
                    if not device.wait_ready(30.0):
                        raise EdgentError("the edge process was not reached")
                    found += [cell(device, pictures, rate, deadline) for deadline in DEADLINES]
                print(f"{rate / 1e6:g} Mbit/s done", file=sys.stderr)
    return found


def summary(found: Sequence[Cell]) -> dict[str, float | int | None]:
    """Median and worst error of some cells, and the share of promises kept; None where there was none."""
    promised = sum(one.promised for one in found)
    return {
        "cells": len(found),
        "median_ape": statistics.median(one.ape for one in found) if found else None,
        "worst_ape": max((one.ape for one in found), default=None),
        "promised": promised,
        "kept": sum(one.kept for one in found) / promised if promised else None,
    }


def _document(found: Sequence[Cell]) -> dict[str, Any]:
    crossing = [one for one in found if one.crosses]
    return {
        "device": f"{find_device(DEVICE)}; right by construction in its own parts",
        "all": summary(found),
        "crossing": summary(crossing),
        "cells": [asdict(one) for one in found],
    }


def _print(document: Mapping[str, Any]) -> None:
    print(document["device"])
    print(f"{'rate':>10} {'deadline':>9} {'by':>7} {'predicted':>10} {'measured':>10} {'error':>7} {'kept':>8}")
    for one in document["cells"]:
        print(
            f"{one['bandwidth_bps'] / 1e6:5g} Mb/s {one['deadline_ms']:6.0f} ms "
            f"{'edge' if one['crosses'] else 'device':>7} {one['predicted_ms']:7.1f} ms {one['measured_ms']:7.1f} ms "
            f"{one['ape']:7.1%} {one['kept']:4d}/{one['promised']}"
        )
    for name in ("all", "crossing"):
        print(name, document[name])


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--repeats", type=int, default=20, help="runs of each cell")
    options = parser.parse_args()
    if not _WARM <= options.repeats <= 256:
        parser.error(f"--repeats {options.repeats}: expected {_WARM}..256")
    try:
        document = _document(cells(options.repeats))
    except EdgentError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if options.json:
        print(json.dumps(document))
    else:
        _print(document)
    return 0


if __name__ == "__main__":
    sys.exit(main())
