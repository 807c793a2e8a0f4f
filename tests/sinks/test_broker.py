"""A real broker: events with at least one delivery each, through its death, and what Home Assistant finds there."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgent.clock import MonotonicClock
from edgent.errors import EdgentError
from edgent.sinks.addresses import BrokerAddress, parse_sink
from edgent.sinks.broker import Broker
from edgent.sinks.delivery import SinkDelivery
from edgent.sinks.home_assistant import discovery_topic
from edgent.testing import ManualClock
from ports import reserved_port
from sinks.telling import lines

MOSQUITTO = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
PATIENCE = 60.0

pytestmark = pytest.mark.skipif(
    MOSQUITTO is None, reason="mosquitto is not installed (Debian: apt-get install mosquitto)"
)


class Mosquitto:
    """A broker at one port, which can be killed and started again; it keeps nothing in between."""

    def __init__(self, folder: Path, port: int, *settings: str) -> None:
        self.port = port
        self._file = folder / "mosquitto.conf"
        self._file.write_text("\n".join((f"listener {self.port} 127.0.0.1", "persistence false", *settings, "")))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO is not None
        self._process = subprocess.Popen([MOSQUITTO, "-c", str(self._file)], stderr=subprocess.DEVNULL)
        for _ in range(1000):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
        pytest.fail("mosquitto does not listen")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Listener:
    """Another client at the broker: all that is published, by topic."""

    def __init__(self, port: int) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self._changed = threading.Condition()
        self.heard: list[tuple[str, bytes, bool]] = []
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: subscribed.set()
        subscribed = threading.Event()
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("#", qos=1)
        self._client.loop_start()
        assert subscribed.wait(PATIENCE)

    def _on_message(self, client: object, userdata: object, message) -> None:
        with self._changed:
            self.heard.append((message.topic, message.payload, message.retain))
            self._changed.notify_all()

    def wait_for(self, enough: Callable[[], object]) -> None:
        with self._changed:
            assert self._changed.wait_for(enough, PATIENCE), self.heard[-5:]

    def of(self, topic: str) -> list[bytes]:
        return [payload for heard, payload, _ in self.heard if heard == topic]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def port() -> Iterator[int]:
    with reserved_port() as port:
        yield port


@pytest.fixture
def mosquitto(tmp_path: Path, port: int) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path, port, "allow_anonymous true")
    broker.start()
    yield broker
    broker.kill()


@contextlib.contextmanager
def listening(broker: Mosquitto) -> Iterator[Listener]:
    listener = Listener(broker.port)
    try:
        yield listener
    finally:
        listener.close()


def address_of(broker: Mosquitto, login: str = "", more: str = "") -> BrokerAddress:
    address = parse_sink(f"mqtt://{login}127.0.0.1:{broker.port}/home/edgent{more}")
    assert isinstance(address, BrokerAddress)
    return address


def numbers(payloads: list[bytes]) -> list[int]:
    return [json.loads(payload)["number"] for payload in payloads]


def test_events_are_published_in_order_and_acknowledged(mosquitto: Mosquitto) -> None:
    with listening(mosquitto) as listener:
        sink = Broker(address_of(mosquitto), MonotonicClock())
        assert len(list(sink.deliver(lines(*range(50))))) == 50
        listener.wait_for(lambda: len(listener.of("home/edgent/door/events")) == 50)
        assert numbers(listener.of("home/edgent/door/events")) == list(range(50))
        sink.close()
        listener.wait_for(lambda: listener.of("home/edgent/status")[-1:] == [b"offline"])


def test_home_assistant_finds_the_device_its_state_and_the_picture(mosquitto: Mosquitto) -> None:
    sink = Broker(address_of(mosquitto, more="?pictures"), MonotonicClock())
    list(sink.deliver(lines(0, picture=b"\xff\xd8jpeg")))
    with listening(mosquitto) as later:  # as Home Assistant that was started after that: all of it is retained
        later.wait_for(lambda: len(later.heard) >= 4)
        (document,) = later.of(discovery_topic("home/edgent", "door"))
        assert json.loads(document)["state_topic"] == "home/edgent/door/state"
        (state,) = later.of("home/edgent/door/state")
        assert json.loads(state)["label"] == "cat"
        assert later.of("home/edgent/door/picture") == [b"\xff\xd8jpeg"]
        assert later.of("home/edgent/status") == [b"online"]
        assert not later.of("home/edgent/door/events")
    sink.close()


def test_nothing_is_lost_where_the_broker_is_killed_and_comes_back(
    mosquitto: Mosquitto, clock: ManualClock, delivery_of: Callable[[Broker], SinkDelivery]
) -> None:
    """What is delivered has its turn where this clock is waited by, and so never before somebody listens."""
    delivery, heard = delivery_of(Broker(address_of(mosquitto), clock)), set()
    with listening(mosquitto) as listener:
        delivery.put(lines(*range(20)))
        clock.sleep(0.5)
        assert delivery.state.waiting == 0
        listener.wait_for(lambda: len(listener.of("home/edgent/door/events")) >= 20)
        heard.update(numbers(listener.of("home/edgent/door/events")))
    mosquitto.kill()
    delivery.put(lines(*range(20, 40)))
    clock.sleep(0.5)
    assert delivery.state.problem and delivery.state.waiting == 20
    mosquitto.start()
    with listening(mosquitto) as listener:
        clock.sleep(PATIENCE)
        assert delivery.state.waiting == 0
        listener.wait_for(lambda: len(set(numbers(listener.of("home/edgent/door/events")))) >= 20)
        heard.update(numbers(listener.of("home/edgent/door/events")))
    delivery.close()
    assert heard == set(range(40))


def test_a_publisher_that_is_gone_without_a_word_is_said_to_be_offline(mosquitto: Mosquitto) -> None:
    sink = Broker(address_of(mosquitto), MonotonicClock())
    list(sink.deliver(lines(0)))
    with listening(mosquitto) as listener:
        assert sink._session is not None
        sink._session._client.socket().shutdown(socket.SHUT_RDWR)
        listener.wait_for(lambda: b"offline" in listener.of("home/edgent/status"))
    sink.close()


@pytest.fixture
def closed(tmp_path: Path, port: int) -> Iterator[Mosquitto]:
    """A broker that knows one user, who may publish below one topic."""
    (tmp_path / "acl").write_text("user ann\ntopic write home/edgent/status\n")
    (tmp_path / "users").write_text("ann:secret\n")
    subprocess.run(["mosquitto_passwd", "-U", str(tmp_path / "users")], check=True)
    knows = ("allow_anonymous false", f"password_file {tmp_path}/users", f"acl_file {tmp_path}/acl", "user root")
    broker = Mosquitto(tmp_path, port, *knows)
    broker.start()
    yield broker
    broker.kill()


@pytest.mark.parametrize("login", ["", "ann:geheim@", "bob:geheim@"])
def test_a_broker_that_refuses_is_one_line_without_the_password(closed: Mosquitto, login: str) -> None:
    sink = Broker(address_of(closed, login), MonotonicClock())
    with pytest.raises(EdgentError, match="refuses") as refusal:
        list(sink.deliver(lines(0)))
    assert "geheim" not in str(refusal.value) and "\n" not in str(refusal.value)
    sink.close()


def test_a_topic_that_may_not_be_written_keeps_the_event(closed: Mosquitto) -> None:
    sink, taken = Broker(address_of(closed, "ann:secret@"), MonotonicClock()), []
    with pytest.raises(EdgentError, match="refuses what is published"):
        taken.extend(sink.deliver(lines(0)))
    assert not taken
    sink.close()


def test_no_broker_at_all_is_one_line(mosquitto: Mosquitto) -> None:
    sink = Broker(address_of(mosquitto, "ann:geheim@"), MonotonicClock())
    mosquitto.kill()
    with pytest.raises(EdgentError, match="cannot be reached") as failure:
        list(sink.deliver(lines(0)))
    assert "geheim" not in str(failure.value)
    sink.close()


def test_a_camera_has_one_state_a_second_and_every_event(mosquitto: Mosquitto) -> None:
    class Still(MonotonicClock):
        now = staticmethod(lambda: 5.0)

    sink = Broker(address_of(mosquitto), Still())
    with listening(mosquitto) as listener:
        for number in range(10):
            list(sink.deliver(lines(number)))
        sink.close()
        listener.wait_for(lambda: listener.of("home/edgent/status")[-1:] == [b"offline"])
        assert len(listener.of("home/edgent/door/state")) == 1
        assert len(listener.of("home/edgent/door/events")) == 10
