"""The proxy and the TUN link, side by side: the same pushes through both, and what only real TCP does."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from edgent.lab.link import ShapedLink
from edgent.lab.namespaces import FAR
from edgent.lab.stopwatch import listening, pushed
from edgent.lab.tun import TunLink, obstacle
from edgent.units import BitsPerSecond, Seconds

pytestmark = pytest.mark.root

Push = Callable[[int], float]
LINKS = ("proxy", "tun")


@pytest.fixture(scope="module", autouse=True)
def _possible() -> None:
    if reason := obstacle():
        pytest.skip(reason)


@contextlib.contextmanager
def link_of(kind: str, rate: float, round_trip: float) -> Iterator[tuple[ShapedLink | TunLink, Push]]:
    """A link, and what pushes bytes through it: the least disturbed of three times, in seconds."""
    settings = {"uplink": BitsPerSecond(rate), "round_trip": Seconds(round_trip)}
    with contextlib.ExitStack() as stack:
        if kind == "tun":
            tun = stack.enter_context(TunLink(**settings))
            address = stack.enter_context(listening(host=FAR, prefix=tun.far))
            yield tun, lambda size: min(pushed(address, size, repeats=3, prefix=tun.near))
        else:
            proxy = stack.enter_context(ShapedLink(stack.enter_context(listening()), **settings))
            yield proxy, lambda size: min(pushed(proxy.address, size, repeats=3))


@pytest.mark.parametrize("round_trip", [0.0, 0.02])
@pytest.mark.parametrize("rate", [0.5e6, 1e6, 10e6])
def test_both_take_as_long_for_a_tenth_of_a_second_of_bytes(
    rate: float, round_trip: float, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {}
    for kind in LINKS:
        with link_of(kind, rate, round_trip) as (_, push):
            found[kind] = push(int(rate / 80))
    ratio = found["tun"] / found["proxy"]
    with capsys.disabled():
        sys.stdout.write(f"\n{rate / 1e6:g} Mbit/s, {round_trip * 1e3:g} ms: TUN / proxy = {ratio:.3f}")
    assert ratio == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize("kind", LINKS)
def test_a_rate_changed_while_running_holds_for_the_next_push(kind: str) -> None:
    with link_of(kind, 8e6, 0.0) as (link, push):
        before = push(50_000)
        link.set(uplink=BitsPerSecond(2e6))
        assert push(50_000) > 3 * before


@pytest.mark.parametrize("kind", LINKS)
def test_nothing_passes_a_cut_link_and_everything_after_it(kind: str) -> None:
    size = 1000
    with ThreadPoolExecutor(1) as pool, link_of(kind, 8e6, 0.0) as (link, push):
        link.cut()
        before = link.counts()
        waiting = pool.submit(push, size)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=1.0)
        during = link.counts()
        assert (during.up_wire_bytes, during.down_wire_bytes) == (before.up_wire_bytes, before.down_wire_bytes)
        link.restore()
        waiting.result(timeout=60.0)
        after = link.counts()
        assert after.up_wire_bytes - during.up_wire_bytes >= 3 * size  # pushed three times
        assert after.down_wire_bytes > during.down_wire_bytes


def test_lost_packets_are_sent_again_by_the_kernel() -> None:
    with link_of("tun", 8e6, 0.01) as (link, push):
        link.set(loss=0.05)
        assert push(200_000) > 0.2
        assert link.counts().up_dropped > 0  # type: ignore[union-attr]
