"""A small grid, and maps made by hand."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np

from edgent.lab.necessity.costmap import CostMap
from edgent.lab.necessity.report import DeviceMap

SHIPPED = json.loads((files("edgent.lab.necessity") / "grid.json").read_text("utf-8"))


def small(**changes):
    """The grid that ships, with a few cells only."""
    axes = {
        "bandwidths_bps": [3.2e6],
        "deadlines_ms": [40, 2000],
        "devices": ["pi-3b+"],
        "inputs": ["file"],
        "variations": [0.2],
    }
    grid = json.loads(json.dumps(SHIPPED))
    grid["shipped"] |= axes | {"networks": ["b-alexnet", "no-such-network"]}
    grid["public"] |= axes | {"networks": ["squeezenet"]}
    grid["assumed"] |= {"bigger": "resnet18", "smaller": "mobilenet_v3_small"}
    grid["live"] = {"share": 1.0, "requests": 10}
    return grid | changes


def cost_map(**costs):
    return CostMap(costs={knob: np.array(plane) for knob, plane in costs.items()}, best=np.zeros((2, 2)))


def mapped(usual, ends=(), **named):
    about = {"network": "n", "device": "pi-4", "given": "file", "variation": 0.2} | named
    return DeviceMap(usual=usual, ends=tuple(ends), **about)
