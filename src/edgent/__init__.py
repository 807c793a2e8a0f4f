"""DNN inference shared by a weak device and a nearby edge server, within a deadline.

    with edgent.connect("10.0.0.2:8001", "b-alexnet", deadline=0.1) as device:
        answer = device.infer(Path("cat.jpg"))

`edgent.errors` draws the tree of what may be raised. Names are imported when they are first used: a device pays only
for what it runs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgent.version import __version__ as __version__

if TYPE_CHECKING:
    from edgent.codec import Calibration, CodecError
    from edgent.device.answer import Answer
    from edgent.device.connect import connect
    from edgent.device.device import Device
    from edgent.device.settings import DeviceSettings
    from edgent.device.versions.follower import Follower
    from edgent.edge.edge import Edge
    from edgent.engine.guarded_loading import load
    from edgent.engine.overtime import OvertimeError
    from edgent.errors import (
        CacheError,
        EdgeError,
        EdgentError,
        InputError,
        MissingExtraError,
        ModelError,
        RefusedError,
    )
    from edgent.latency import Profile
    from edgent.model import Model
    from edgent.planning import Configuration, Plan
    from edgent.planning.planner import plan
    from edgent.profiling.kept_profile import profile
    from edgent.telemetry import Record
    from edgent.wire.errors import BrokenError, BusyError, LateError, NotServedError, RejectedError


__all__ = [
    "Answer",
    "BrokenError",
    "BusyError",
    "CacheError",
    "Calibration",
    "CodecError",
    "Configuration",
    "Device",
    "DeviceSettings",
    "Edge",
    "EdgeError",
    "EdgentError",
    "Follower",
    "InputError",
    "LateError",
    "MissingExtraError",
    "Model",
    "ModelError",
    "NotServedError",
    "OvertimeError",
    "Plan",
    "Profile",
    "Record",
    "RefusedError",
    "RejectedError",
    "connect",
    "load",
    "plan",
    "profile",
]

_HOMES = {
    "edgent.codec": ("Calibration", "CodecError"),
    "edgent.device.answer": ("Answer",),
    "edgent.device.connect": ("connect",),
    "edgent.device.device": ("Device",),
    "edgent.device.settings": ("DeviceSettings",),
    "edgent.device.versions.follower": ("Follower",),
    "edgent.edge.edge": ("Edge",),
    "edgent.engine.guarded_loading": ("load",),
    "edgent.engine.overtime": ("OvertimeError",),
    "edgent.errors": (
        "CacheError",
        "EdgeError",
        "EdgentError",
        "InputError",
        "MissingExtraError",
        "ModelError",
        "RefusedError",
    ),
    "edgent.latency": ("Profile",),
    "edgent.model": ("Model",),
    "edgent.planning": ("Configuration", "Plan"),
    "edgent.planning.planner": ("plan",),
    "edgent.profiling.kept_profile": ("profile",),
    "edgent.telemetry": ("Record",),
    "edgent.wire.errors": ("BrokenError", "BusyError", "LateError", "NotServedError", "RejectedError"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'edgent' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
