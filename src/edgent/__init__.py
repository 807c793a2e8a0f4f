"""DNN inference shared by a weak device and a nearby edge server, within a deadline.

    model = edgent.load("b-alexnet")
    with edgent.Device(model, edge="10.0.0.2:8001", deadline=0.1, device_profile=profile) as device:
        answer = device.infer(Path("cat.jpg").read_bytes())

Names are imported when they are first used: a device pays only for what it runs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgent.codec import Calibration
    from edgent.latency import Profile
    from edgent.model import Model
    from edgent.planning import Configuration, Plan
    from edgent.planning.planner import plan
    from edgent.runtime.answer import Answer
    from edgent.runtime.device import Device
    from edgent.runtime.edge import Edge
    from edgent.runtime.loading import load
    from edgent.telemetry import Record

__version__ = "0.1.0"

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
    "Answer": "edgent.runtime.answer",
    "Calibration": "edgent.codec",
    "Configuration": "edgent.planning",
    "Device": "edgent.runtime.device",
    "Edge": "edgent.runtime.edge",
    "Model": "edgent.model",
    "Plan": "edgent.planning",
    "Profile": "edgent.latency",
    "Record": "edgent.telemetry",
    "load": "edgent.runtime.loading",
    "plan": "edgent.planning.planner",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'edgent' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
