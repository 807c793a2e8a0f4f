"""One connection with an MQTT 5 broker, from its beginning to its end; the only file that knows paho-mqtt.

paho would keep messages of its own and send them again after an outage. What waits is the outbox's matter here: so a
connection that breaks, or over which no acknowledgement comes in time, is given up with everything in it, and what the
broker has not acknowledged is published again over the next one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from edgent.errors import EdgentError, MissingExtraError
from edgent.sinks.addresses import BrokerAddress
from edgent.text import brief

if TYPE_CHECKING:
    from paho.mqtt.client import Client

PATIENCE = 10.0
"""Seconds for the broker to answer anything."""

_KEPT_ALIVE = 30  # seconds after which a silent broker is asked whether it is there
_NUMBER_IN_USE = 15  # paho's MQTT_ERR_QUEUE_SIZE: a message that it did not even keep
_AT_LEAST_ONCE = 1  # quality of service: the broker acknowledges each message


class MqttSession:
    """A connection; while it lasts, the broker tells everybody that the publisher is online.

    Args:
        address: the broker's; its authority, with TLS, is one that this machine trusts.
        status_topic: where it is told.
        online: what is told while it lasts.
        offline: what is told after that, by the broker where this process is gone.
        patience: seconds for the broker to answer anything.

    Raises:
        EdgentError: the broker cannot be reached, or refuses; in one line, without a password.
    """

    def __init__(
        self, address: BrokerAddress, *, status_topic: str, online: str, offline: str, patience: float = PATIENCE
    ) -> None:
        self._changed, self._patience = threading.Condition(), patience
        self._is_up, self._ended = False, ""
        # paho's numbers begin anew after 65,535 messages: what is kept of one that nobody waits for would be taken for
        # the acknowledgement of a later one. So each number is in one of the two only while it is in use.
        self._acknowledged: dict[int, str] = {}
        self._unawaited: set[int] = set()
        self._status_topic, self._offline = status_topic, offline
        self._client = _client(address, patience)
        self._client.will_set(status_topic, offline, qos=_AT_LEAST_ONCE, retain=True)
        self._client.on_connect, self._client.on_disconnect = self._connected, self._disconnected
        self._client.on_publish = self._published
        self._connect(address)
        self.retain(status_topic, online)

    @property
    def is_up(self) -> bool:
        """Whether nothing is known that would have ended it."""
        return self._is_up and not self._ended

    def publish(self, topic: str, payload: str | bytes) -> int:
        """Sends a message; returns the number by which it is acknowledged.

        Raises:
            EdgentError: the broker still owes the acknowledgement of an earlier message with the same number.
        """
        return self._send(topic, payload, retain=False)

    def retain(self, topic: str, payload: str | bytes) -> None:
        """Sends what the broker keeps for who comes later; nobody waits for its acknowledgement.

        Raises:
            EdgentError: see `publish`.
        """
        number = self._send(topic, payload, retain=True)
        with self._changed:
            # It may have been acknowledged before its number was known here.
            if self._acknowledged.pop(number, None) is None:
                self._unawaited.add(number)

    def acknowledged(self, numbers: Iterable[int]) -> Iterator[int]:
        """Waits for the broker to have these messages, one after the other; gives each when it has.

        Raises:
            EdgentError: it refuses one, the connection broke, or nothing came in time.
        """
        for number in numbers:
            with self._changed:
                self._changed.wait_for(lambda: number in self._acknowledged or self._ended, self._patience)  # noqa: B023
                refusal = self._acknowledged.pop(number, None)
            if refusal is None:
                raise EdgentError(self._ended or f"the broker acknowledges nothing within {self._patience:g} s")
            if refusal:
                raise EdgentError(f"the broker refuses what is published ({refusal})")
            yield number

    def close(self) -> None:
        """Says that the publisher is gone, and ends the connection."""
        if self.is_up:
            self._client.publish(self._status_topic, self._offline, qos=0, retain=True)
        self._client.disconnect()
        self._client.loop_stop()

    def _send(self, topic: str, payload: str | bytes, *, retain: bool) -> int:
        sent = self._client.publish(topic, payload, qos=_AT_LEAST_ONCE, retain=retain)
        if sent.rc == _NUMBER_IN_USE:
            raise EdgentError("the broker has left a message unacknowledged for 65,535 others")
        return sent.mid

    def _connect(self, address: BrokerAddress) -> None:
        try:
            self._client.connect(address.at.host, address.at.port, keepalive=_KEPT_ALIVE, clean_start=True)
        except (OSError, ValueError) as error:  # a name that is none, a port that is closed, a certificate
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise EdgentError(f"the broker cannot be reached ({brief(reason, 80)})") from None
        self._client.loop_start()
        with self._changed:
            self._changed.wait_for(lambda: self._is_up or self._ended, self._patience)
        if not self.is_up:
            reason = self._ended or f"the broker does not answer within {self._patience:g} s"
            self.close()
            raise EdgentError(reason)

    # paho calls these from its own thread.

    def _connected(self, client: Client, userdata: object, flags: object, reason: Any, more: object) -> None:
        del client, userdata, flags, more
        with self._changed:
            if reason.is_failure:
                self._ended = f"the broker refuses the connection ({_words(reason)}): are user and password right?"
            self._is_up = not reason.is_failure
            self._changed.notify_all()

    def _disconnected(self, client: Client, userdata: object, flags: object, reason: Any, more: object) -> None:
        del client, userdata, flags, more
        with self._changed:
            self._ended = self._ended or f"the broker is gone ({_words(reason)})"
            self._changed.notify_all()

    def _published(self, client: Client, userdata: object, number: int, reason: Any, more: object) -> None:
        del client, userdata, more
        with self._changed:
            if number in self._unawaited:
                self._unawaited.remove(number)
                return
            self._acknowledged[number] = _words(reason) if reason.is_failure else ""
            self._changed.notify_all()


def check_installed() -> None:
    """Finds out whether there is what speaks MQTT, before anything is to be said.

    Raises:
        MissingExtraError: paho-mqtt is not installed.
    """
    if find_spec("paho") is None:
        raise MissingExtraError("a broker as a sink", "mqtt")


def _client(address: BrokerAddress, patience: float) -> Client:
    from paho.mqtt.client import Client  # only who has a broker pays for it
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, reconnect_on_failure=False)
    client.connect_timeout = patience
    if address.login.user or address.login.password:
        client.username_pw_set(address.login.user, address.login.password)
    if address.is_secured:
        client.tls_set()
    return client


def _words(reason: object) -> str:
    return brief(str(reason), 80)
