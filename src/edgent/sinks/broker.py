"""An MQTT 5 broker as a sink: every event below a topic, and the newest state of each camera for Home Assistant."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from edgent.clock import Clock
from edgent.sinks.addresses import BrokerAddress
from edgent.sinks.home_assistant import OFFLINE, ONLINE, CameraState, discovery, discovery_topic, slug
from edgent.sinks.lines import EventLine
from edgent.sinks.mqtt_session import PATIENCE, MqttSession, check_installed
from edgent.sinks.sink import Receipt

STATE_EVERY = 1.0
"""Seconds between two states of a camera: Home Assistant keeps each of them, and nobody looks ten times a second."""


class Broker:
    """Publishes each event on TOPIC/SOURCE/events, and at most once a second the state on TOPIC/SOURCE/state.

    Args:
        address: the broker's, and the topic.
        clock: times the states.
        patience: seconds for the broker to answer anything.

    Raises:
        MissingExtraError: paho-mqtt is not installed.
    """

    def __init__(self, address: BrokerAddress, clock: Clock, patience: float = PATIENCE) -> None:
        self._address, self._clock, self._patience = address, clock, patience
        self.name, self.with_pictures = address.name, address.with_pictures
        check_installed()
        self._session: MqttSession | None = None
        self._announced: set[str] = set()
        self._states: dict[str, CameraState] = {}
        self._told_at: dict[str, float] = {}

    def deliver(self, events: Sequence[EventLine]) -> Iterator[Receipt]:
        """See `Sink.deliver`."""
        try:
            yield from self._deliver(events)
        except Exception:
            # With all that it still holds, which comes again: published into the same session it would pile up there.
            self.close()
            raise

    def close(self) -> None:
        """See `Sink.close`."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _deliver(self, events: Sequence[EventLine]) -> Iterator[Receipt]:
        session = self._opened()
        numbers = {
            session.publish(f"{self._address.topic}/{slug(event.source)}/events", event.line): event for event in events
        }
        for number in session.acknowledged(numbers):
            yield Receipt(event=numbers[number])
        # After the events, and apart from them: a state that is lost is followed by the next one.
        for source in dict.fromkeys(event.source for event in events):
            self._tell_state(session, [event for event in events if event.source == source])

    def _opened(self) -> MqttSession:
        if self._session is None or not self._session.is_up:
            self.close()
            topic = f"{self._address.topic}/status"
            self._session = MqttSession(
                self._address, status_topic=topic, online=ONLINE, offline=OFFLINE, patience=self._patience
            )
            self._announced.clear()  # a broker that was started anew may have kept nothing
        return self._session

    def _tell_state(self, session: MqttSession, events: Sequence[EventLine]) -> None:
        source, below = events[0].source, f"{self._address.topic}/{slug(events[0].source)}"
        state = self._states.setdefault(source, CameraState())
        has_news = [state.learn(json.loads(event.line)) for event in events]
        now = self._clock.now()
        if not any(has_news) or now - self._told_at.get(source, -STATE_EVERY) < STATE_EVERY:
            return
        self._told_at[source] = now
        if source not in self._announced:
            document = discovery(self._address.topic, source, with_pictures=self.with_pictures)
            session.retain(discovery_topic(self._address.topic, source), json.dumps(document))
            self._announced.add(source)
        session.retain(f"{below}/state", state.to_json())
        if picture := next((event.picture for event in reversed(events) if event.picture), None):
            session.retain(f"{below}/picture", picture)
