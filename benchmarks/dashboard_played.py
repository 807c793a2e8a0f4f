"""A device that is played, for the live page: made records of two cameras, on a link that changes.

Nothing is computed, so what is measured beside it is the page's; and the pictures in the documentation are the same
each time. The frames are made of the pictures of CIFAR-10 that ship.
"""

from __future__ import annotations

import io
import math
import random
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from PIL import Image

from edgent.events import Event, EventKind
from edgent.link import TransferModel
from edgent.planning.conditions import Conditions
from edgent.planning.plan import Configuration, Plan, Stages
from edgent.telemetry import Record
from edgent.units import BitsPerSecond, Seconds

DEADLINE = Seconds(0.15)
SOURCES = ("gate", "ramp")
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_LAYERS = 22
_SLOW, _OUTAGE = range(200, 320), range(260, 285)  # frames on a slow link, and with none


@dataclass(frozen=True, slots=True)
class PlayedModel:
    """What the page says of it."""

    name: str = "yard-detector"
    version: str = "5d41402abc4b"


class PlayedDevice:
    """What a page asks of a device; `frame` says how far the play has come."""

    model = PlayedModel()
    deadline = DEADLINE
    has_edge = True

    def __init__(self) -> None:
        self.frame = 0
        self.traffic = (0, 0)

    @property
    def connected(self) -> bool:
        """Whether the edge is there."""
        return self.frame not in _OUTAGE

    @property
    def problem(self) -> str:
        """Why not."""
        return "" if self.connected else "edge lost"

    @property
    def conditions(self) -> Conditions | None:
        """What is believed of the link."""
        base = 1.2e6 if self.frame in _SLOW else 9e6
        wave = 1 + 0.15 * math.sin(self.frame / 7)
        up, down = (BitsPerSecond(base * wave * share) for share in (1.0, 2.3))
        trip = Seconds(0.012)
        return Conditions(
            uplink=TransferModel(bandwidth=up, round_trip=trip),
            downlink=TransferModel(bandwidth=down, round_trip=trip),
            queue=Seconds(0.004),
            device_factor=1.08,
            edge_factor=1.0,
        )

    def plan(self) -> Plan:
        """The plan of the moment: the last layers at the edge, or all of fewer here."""
        if self.frame in _SLOW:
            alone = Configuration(exit=2, upload_cut=9, download_cut=9)
            stages = Stages(prepare=0.006, head=0.088)
            return Plan(
                configuration=alone,
                accuracy=0.61,
                meets_deadline=True,
                stages=stages,
                layers=9,
                bytes_up=0,
                bytes_down=0,
            )
        cut = Configuration(exit=5, upload_cut=4, download_cut=_LAYERS, codec="uint8+zstd")
        stages = Stages(
            prepare=0.006,
            head=0.018,
            encode=0.003,
            uplink=0.034,
            queue=0.004,
            middle=0.021,
            downlink=0.008,
            suffix=0.002,
        )
        return Plan(
            configuration=cut,
            accuracy=0.74,
            meets_deadline=True,
            stages=stages,
            bytes_up=21_400,
            bytes_down=1_280,
            layers=_LAYERS,
            chance=0.97,
        )


class Play:
    """Events, one after the other.

    Args:
        device: is moved on with them.
        seed: of what varies.
    """

    def __init__(self, device: PlayedDevice, seed: int = 0) -> None:
        self._device, self._random = device, random.Random(seed)
        self._yard = Yard(seed)

    def event(self, at: float) -> Event:
        """What became of the next frame, captured at a moment."""
        number = self._device.frame
        self._device.frame += 1
        source = SOURCES[number % len(SOURCES)]
        kind: EventKind = "replaced" if self._random.random() < 0.04 else "answer"
        jpeg, boxes = self._yard.frame(number)
        record = self._record(source, boxes) if kind == "answer" else None
        return Event(
            id=f"played-{number}",
            source=source,
            number=number // len(SOURCES),
            captured_at=at,
            kind=kind,
            record=record,
            picture=None if record is None else jpeg,
        )

    def _record(self, source: str, boxes: list[dict[str, Any]]) -> Record:
        plan, why = self._device.plan(), ""
        spread = self._random.lognormvariate(0.0, 0.12)
        took = {name: value * spread for name, value in _seconds(plan.stages).items()}
        if self._random.random() < 0.03:
            took["uplink"] += 0.09 * self._random.random()
        if not self._device.connected:
            why = "edge lost"
        stages = Stages(**took)
        up, down = self._device.traffic
        by_edge = not plan.configuration.device_only
        if by_edge:
            self._device.traffic = up + int(plan.bytes_up or 0), down + int(plan.bytes_down or 0)
        return Record(
            input=source,
            label=None,
            exit=plan.configuration.exit,
            by="edge" if by_edge else "device",
            deadline_met=stages.total <= DEADLINE,
            total=stages.total,
            stages=stages,
            plan=plan,
            why=why,
            result={"boxes": boxes},
        )


class Yard:
    """Frames of 640 x 360 with pictures of CIFAR-10 that wander through, and where they are."""

    def __init__(self, seed: int) -> None:
        shipped = resources.files("edgent.model").joinpath("shipped", "cifar10-256.npz")
        with np.load(io.BytesIO(shipped.read_bytes())) as data:
            images, labels = data["pixels"], data["labels"]
        chosen = np.random.default_rng(seed).choice(len(images), 4, replace=False)
        self._things = [
            (Image.fromarray(images[one]).resize((112, 112), Image.Resampling.BICUBIC), int(labels[one]))
            for one in chosen
        ]
        down = np.linspace(0, 1, 360)[:, None, None]
        sky, ground = np.array([[[122, 152, 178]]]), np.array([[[70, 76, 72]]])
        self._ground = Image.fromarray(np.broadcast_to(sky + (ground - sky) * down, (360, 640, 3)).astype(np.uint8))

    def frame(self, number: int) -> tuple[bytes, list[dict[str, Any]]]:
        """A frame as a JPEG, and its boxes as records have them."""
        picture, boxes = self._ground.copy(), []
        for place, (thing, label) in enumerate(self._things[: 2 + number % 2]):
            x, y = (60 + 190 * place + number * (3 + place)) % 520, 60 + 70 * (place % 3)
            picture.paste(thing, (x, y))
            box = {"xyxy": [x, y, x + 112, y + 112], "score": 0.93 - 0.11 * place, "class": label}
            boxes.append({**box, "label": CLASSES[label]})
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=80)
        return stream.getvalue(), boxes


def _seconds(stages: Stages) -> dict[str, float]:
    return {name: milliseconds / 1e3 for name, milliseconds in stages.document().items()}
