"""What one caller may ask for in a time; the oracle is arithmetic on a clock that a test turns."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from edgent.edge.limits.peer_limits import Allowance, PeerGuard, PeerLimits, Rate
from edgent.identity.certificates import Authority, new_key, request_for
from edgent.wire import messages as m
from edgent.wire.errors import BusyError
from edgent.wire.transport import Streaming, Unary

LIMITS = PeerLimits(
    prepares=Rate(burst=3, per_second=1),
    trials=Rate(burst=2, per_second=1),
    probes=Rate(burst=5, per_second=1),
    fetches=Rate(burst=1, per_second=1),
)
PROBE, TRIAL = m.ProbeRequest().SerializeToString(), m.ProbeRequest(segment="net.x0.u0.d1").SerializeToString()


class Call:
    def __init__(self, host="192.0.2.7", certificate=None):
        self._host, self._certificate = host, certificate

    def caller(self):
        return self._host

    def certificate(self):
        return self._certificate

    def given_up(self):
        return False


@pytest.fixture(scope="module")
def devices():
    now = datetime(2026, 11, 30, tzinfo=UTC)
    authority = Authority.create(now)
    return [
        Call(certificate=authority.device_certificate(name, request_for(name, new_key()), now)) for name in ("a", "b")
    ]


def answer(message, call):
    return b"done"


@pytest.fixture
def methods(clock):
    unary = Unary(answer=answer)
    table = {
        m.PREPARE: unary,
        m.PROBE: unary,
        m.MODEL_INFER: unary,
        m.FETCH: Streaming(answer=lambda message, call: iter([b"done"])),
    }
    return PeerGuard(LIMITS, clock).guarded(table)


def granted(methods, path, message, call, tries=200):
    """How many of so many tries are answered before one is refused."""
    for number in range(tries):
        try:
            found = methods[path].answer(message, call)
            assert (b"".join(found) if path == m.FETCH else found) == b"done"
        except BusyError:
            return number
    return tries


@pytest.mark.parametrize(
    ("path", "message", "burst"),
    [(m.PREPARE, b"", 3), (m.PROBE, PROBE, 5), (m.PROBE, TRIAL, 2), (m.FETCH, b"", 1)],
)
def test_each_device_has_its_burst_and_then_its_rate(methods, devices, clock, path, message, burst):
    for device in devices:
        assert granted(methods, path, message, device) == burst
    clock.sleep(1.5)
    assert [granted(methods, path, message, device) for device in devices] == [1, 1]
    clock.sleep(3600.0)  # a rest brings no more than the burst
    assert granted(methods, path, message, devices[0]) == burst


def test_a_host_without_a_certificate_has_the_share_of_ten_devices(methods, devices):
    assert granted(methods, m.PREPARE, b"", Call("192.0.2.7")) == 30
    assert granted(methods, m.PREPARE, b"", Call("192.0.2.8")) == 30
    assert granted(methods, m.PREPARE, b"", devices[0]) == 3


def test_inferences_are_the_queue_s_to_bound(methods, devices):
    assert granted(methods, m.MODEL_INFER, b"", devices[0], tries=1_000) == 1_000


def test_a_refusal_says_who_asks_for_too_much_of_what(methods):
    granted(methods, m.PREPARE, b"", Call())
    with pytest.raises(BusyError, match=r"192\.0\.2\.7 asks for more than 10 segments to be prepared a second"):
        methods[m.PREPARE].answer(b"", Call())


def test_callers_from_any_number_of_addresses_are_not_all_remembered(clock):
    guard = PeerGuard(LIMITS, clock)
    methods = guard.guarded({m.PREPARE: Unary(answer=answer)})
    for number in range(5_000):
        methods[m.PREPARE].answer(b"", Call(f"host{number}"))
    assert repr(guard) == "<PeerGuard of 4096 callers' allowances>"


def test_an_allowance_never_exceeds_its_burst_nor_falls_below_nothing(clock):
    rate, allowance = Rate(burst=2, per_second=0.5), Allowance(2.0, clock.now())
    spent = []
    for _ in range(100):
        clock.sleep(1.0)
        spent.append(allowance.spend(rate, clock.now()))
        assert 0.0 <= allowance.left <= 2.0
    assert 50 <= sum(spent) <= 52
