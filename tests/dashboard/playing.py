"""Made events, and a device that computes nothing, for what is shown of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgent.events import Event, EventKind
from edgent.link import TransferModel
from edgent.planning.conditions import Conditions
from edgent.planning.plan import Configuration, Plan, Stages
from edgent.telemetry import Record
from edgent.units import BitsPerSecond, Seconds

CONDITIONS = Conditions(
    uplink=TransferModel(bandwidth=BitsPerSecond(8e6), round_trip=Seconds(0.01)),
    downlink=TransferModel(bandwidth=BitsPerSecond(2e7), round_trip=Seconds(0.01)),
    queue=Seconds(0.002),
)
SPLIT = Plan(
    configuration=Configuration(exit=5, upload_cut=4, download_cut=22, codec="uint8"),
    accuracy=0.8,
    meets_deadline=True,
    stages=Stages(prepare=0.001, head=0.01, encode=0.002, uplink=0.02, middle=0.03, downlink=0.004, suffix=0.001),
    bytes_up=20_000.0,
    bytes_down=400.0,
    layers=22,
)


@dataclass(frozen=True)
class PlayedModel:
    name: str = "net"
    version: str = "0123456789ab"


@dataclass
class PlayedDevice:
    model: PlayedModel = PlayedModel()
    deadline: Seconds = Seconds(0.1)
    has_edge: bool = True
    connected: bool = True
    problem: str = ""
    conditions: Conditions | None = CONDITIONS
    traffic: tuple[int, int] = (1000, 200)


def record(**changes: Any) -> Record:
    given: dict[str, Any] = {
        "input": "door",
        "label": None,
        "exit": 5,
        "by": "edge",
        "deadline_met": True,
        "total": Seconds(0.05),
        "stages": Stages(head=0.02, uplink=0.03),
        "plan": None,
    }
    return Record(**(given | changes))


def event(number: int = 0, kind: EventKind = "answer", *, source: str = "door", **changes: Any) -> Event:
    given: dict[str, Any] = {"captured_at": 100.0 + number, "record": record() if kind == "answer" else None}
    return Event(id=f"e{number}", source=source, number=number, kind=kind, **(given | changes))
