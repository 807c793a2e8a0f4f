"""Who may call an edge whose devices have joined: checked at each call, by the certificate that was shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edgent.edge.limits.doorkeeper import Doorkeeper
from edgent.errors import EdgentError, RefusedError
from edgent.identity.certificates import Authority, bearer_of, new_key, request_for
from edgent.identity.register import Member, Register
from edgent.testing import ManualClock
from edgent.wire.errors import BusyError
from edgent.wire.messages import FETCH, MODEL_INFER, PROBE
from edgent.wire.transport import Call, Streaming, Unary

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SECRET = "0" * 32
AUTHORITY = Authority.create(NOW)


class Calling:
    """A call by somebody."""

    def __init__(self, certificate: bytes | None) -> None:
        self.shown = certificate

    def certificate(self) -> bytes | None:
        return self.shown


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def register(tmp_path: Path) -> Register:
    register = Register(tmp_path / "devices.sqlite")
    register.add_token(SECRET, uses=9, lifetime=DAY, now=NOW)
    return register


@pytest.fixture
def keeper(register: Register, clock: ManualClock) -> Doorkeeper:
    return Doorkeeper(register, clock)


def joined(register: Register, name: str = "porch") -> bytes:
    certificate = AUTHORITY.device_certificate(name, request_for(name, new_key()), NOW)
    register.join(SECRET, bearer_of(certificate), NOW)
    return certificate


def passes(keeper: Doorkeeper, path: str, certificate: bytes | None) -> bool:
    try:
        keeper.check(path, certificate)
    except EdgentError:
        return False
    return True


def test_who_joins_between_two_looks_at_the_list_stops_nobody_else(register: Register, clock: ManualClock) -> None:
    here = joined(register)

    class Growing(Register):
        """Somebody joins whenever it has been read."""

        def members(self) -> tuple[Member, ...]:
            found = super().members()
            joined(register, f"board-{len(found)}")
            return found

    keeper = Doorkeeper(Growing(register.path), clock)
    for _ in range(3):
        keeper.check(MODEL_INFER, here)
        clock.advance(2.0)


def test_who_joined_may_call_and_nobody_else(keeper: Doorkeeper, register: Register) -> None:
    keeper.check(MODEL_INFER, joined(register))
    with pytest.raises(RefusedError, match="edgent join"):
        keeper.check(MODEL_INFER, None)
    stranger = AUTHORITY.device_certificate("porch", request_for("porch", new_key()), NOW)
    with pytest.raises(RefusedError, match="join again"):
        keeper.check(MODEL_INFER, stranger)


def test_a_removed_device_is_turned_away_a_second_later(
    keeper: Doorkeeper, register: Register, clock: ManualClock
) -> None:
    certificate = joined(register)
    keeper.check(MODEL_INFER, certificate)
    register.remove("porch")
    clock.sleep(1.0)
    assert not passes(keeper, MODEL_INFER, certificate)


def test_a_device_that_joins_while_the_edge_runs_is_known_when_it_comes(
    keeper: Doorkeeper, register: Register, clock: ManualClock
) -> None:
    keeper.check(MODEL_INFER, joined(register))
    late = joined(register, "late")
    clock.sleep(0.1)
    keeper.check(MODEL_INFER, late)


def test_a_device_asks_as_often_as_it_may(keeper: Doorkeeper, register: Register, clock: ManualClock) -> None:
    certificate, other = joined(register), joined(register, "other")
    register.limit("porch", requests_per_second=4.0, may_fetch=True)
    answered = 0
    for _ in range(100):  # ten a second, for ten seconds
        answered += passes(keeper, MODEL_INFER, certificate)
        assert passes(keeper, PROBE, certificate)  # what is no inference is not counted
        assert passes(keeper, MODEL_INFER, other)
        clock.sleep(0.1)
    assert 40 <= answered <= 44
    with pytest.raises(BusyError, match="4 requests a second"):
        for _ in range(10):
            keeper.check(MODEL_INFER, certificate)


def test_fetching_models_is_a_right_of_its_own(keeper: Doorkeeper, register: Register) -> None:
    certificate = joined(register)
    register.limit("porch", requests_per_second=None, may_fetch=False)
    keeper.check(MODEL_INFER, certificate)
    with pytest.raises(RefusedError, match="may not fetch"):
        keeper.check(FETCH, certificate)


def test_a_list_that_cannot_be_read_stops_nobody_who_was_known(
    keeper: Doorkeeper, register: Register, clock: ManualClock
) -> None:
    certificate = joined(register)
    keeper.check(MODEL_INFER, certificate)
    register.path.write_bytes(b"damaged" * 1000)
    clock.sleep(1.0)
    keeper.check(MODEL_INFER, certificate)


def test_every_method_is_guarded_and_otherwise_the_same(keeper: Doorkeeper, register: Register) -> None:
    def stream(message: bytes, _: Call) -> Iterator[bytes]:
        yield message
        yield b"end"

    guarded = keeper.guarded(
        {MODEL_INFER: Unary(answer=lambda message, _: message * 2), FETCH: Streaming(answer=stream)}
    )
    infer, fetch = guarded[MODEL_INFER], guarded[FETCH]
    known, stranger = Calling(joined(register)), Calling(None)
    assert infer.answer(b"x", known) == b"xx"  # type: ignore[arg-type]
    assert list(fetch.answer(b"x", known)) == [b"x", b"end"]  # type: ignore[arg-type]
    with pytest.raises(RefusedError):
        infer.answer(b"x", stranger)  # type: ignore[arg-type]
    with pytest.raises(RefusedError):
        list(fetch.answer(b"x", stranger))  # type: ignore[arg-type]
