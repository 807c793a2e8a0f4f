"""DNN inference shared by a weak device and a nearby edge server, within a deadline.

    model = edgent.load("b-alexnet")
    with edgent.Device(model, edge="10.0.0.2:8001", deadline=0.1, device_profile=profile) as device:
        answer = device.infer(Path("cat.jpg").read_bytes())

Names are imported when they are first used: a device pays only for what it runs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgent.version import __version__ as __version__

if TYPE_CHECKING:
    from edgent.codec import Calibration
    from edgent.device.answer import Answer
    from edgent.device.device import Device
    from edgent.edge.edge import Edge
    from edgent.engine.opening import load
    from edgent.latency import Profile
    from edgent.model import Model
    from edgent.planning import Configuration, Plan
    from edgent.planning.planner import plan
    from edgent.telemetry import Record


__all__ = [
    "Answer",
    "Calibration",
    "Configuration",
    "Device",
    "Edge",
    "Model",
    "Plan",
    "Profile",
    "Record",
    "load",
    "plan",
]

_HOMES = {
    "Answer": "edgent.device.answer",
    "Calibration": "edgent.codec",
    "Configuration": "edgent.planning",
    "Device": "edgent.device.device",
    "Edge": "edgent.edge.edge",
    "Model": "edgent.model",
    "Plan": "edgent.planning",
    "Profile": "edgent.latency",
    "Record": "edgent.telemetry",
    "load": "edgent.engine.opening",
    "plan": "edgent.planning.planner",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'edgent' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
