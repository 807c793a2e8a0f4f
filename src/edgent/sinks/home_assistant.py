"""What Home Assistant is told, so that it makes a device with its entities by itself (MQTT discovery).

One device a camera, announced in one retained message (*device discovery*, Home Assistant 2024.11 and later):

    homeassistant/device/NODE/config    the device, its entities, and where their states come from
    TOPIC/SOURCE/state                  all states in one JSON document
    TOPIC/SOURCE/picture                the newest frame, as a JPEG
    TOPIC/status                        online, or offline: the broker says it of a publisher that is gone

Source: https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
"""

from __future__ import annotations

import json
import re
from collections import deque
from hashlib import sha256
from typing import Any

from edgent.version import __version__

ONLINE, OFFLINE = "online", "offline"
_FEW = 100  # answers of which the share in time is told: ten seconds of a camera, and it moves when something changes
_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")
_MOST_SLUG = 40


def slug(text: str) -> str:
    """A text as a part of a topic or an id: no two texts have the same."""
    fit = _UNFIT.sub("_", text)[:_MOST_SLUG]
    return fit if text and fit == text else f"{fit}_{sha256(text.encode()).hexdigest()[:6]}"


def discovery_topic(topic: str, source: str) -> str:
    """Where a camera's device is announced."""
    return f"homeassistant/device/{_node(topic, source)}/config"


def discovery(topic: str, source: str, *, with_pictures: bool) -> dict[str, Any]:
    """A camera as a device."""
    node = _node(topic, source)
    below = f"{topic}/{slug(source)}"
    entities = _sensors()
    if with_pictures:
        entities["picture"] = {
            "platform": "image",
            "name": "Picture",
            "image_topic": f"{below}/picture",
            "content_type": "image/jpeg",
        }
    return {
        "device": {"identifiers": [node], "name": f"Edgent {source}", "model": "Edgent", "sw_version": __version__},
        "origin": {"name": "edgent", "sw_version": __version__},
        "availability_topic": f"{topic}/status",
        "state_topic": f"{below}/state",
        "components": {key: entity | {"unique_id": f"{node}_{key}"} for key, entity in entities.items()},
    }


def _node(topic: str, source: str) -> str:
    return slug(f"edgent_{topic}\0{source}")  # a sign that is in no topic, so that no two pairs are one text


def _sensors() -> dict[str, dict[str, Any]]:
    def sensor(name: str, key: str, **more: Any) -> dict[str, Any]:
        return {"platform": "sensor", "name": name, "value_template": f"{{{{ value_json.{key} }}}}", **more}

    measured = {"state_class": "measurement"}
    # What a user looks for when something is wrong stands below the rest.
    beside = measured | {"entity_category": "diagnostic"}
    return {
        "label": sensor("Label", "label", icon="mdi:tag"),
        "count": sensor("Count", "count", icon="mdi:counter", **measured),
        "latency": sensor(
            "Latency", "latency_ms", device_class="duration", unit_of_measurement="ms", icon="mdi:timer", **beside
        ),
        "in_time": sensor("In time", "in_time_percent", unit_of_measurement="%", icon="mdi:timer-check", **beside),
        "answered_by": sensor("Answered by", "by", icon="mdi:chip", entity_category="diagnostic"),
    }


class CameraState:
    """The states of one camera's entities, from its events in order."""

    def __init__(self) -> None:
        self._in_time: deque[bool] = deque(maxlen=_FEW)
        self._state: dict[str, Any] = {}

    def learn(self, event: dict[str, Any]) -> bool:
        """Takes in an event; whether there is something new to tell."""
        record = event["record"]
        # A better answer to the same frame says nothing of the time, and a frame that was replaced was never asked
        # about.
        if event["kind"] in ("answer", "failed"):
            self._in_time.append(record is not None and record["deadline_met"])
        if record is None:
            return False
        boxes = (record["result"] or {}).get("boxes")
        self._state = {
            "label": _label(record, boxes),
            "count": 1 if boxes is None else len(boxes),
            "latency_ms": round(record["total_ms"], 1),
            "in_time_percent": round(100 * sum(self._in_time) / max(1, len(self._in_time)), 1),
            "by": record["by"],
            "captured_at": event["captured_at"],
        }
        return True

    def to_json(self) -> str:
        """As it is published."""
        return json.dumps(self._state)


def _label(record: dict[str, Any], boxes: list[dict[str, Any]] | None) -> str:
    """The class, or that of the best box; "none" where nothing was seen, for an empty state is an unknown one."""
    if boxes is None:
        return record["label"] or "unknown"
    return (boxes[0]["label"] or f"class {boxes[0]['class']}") if boxes else "none"
