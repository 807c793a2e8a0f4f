"""The proxy and the TUN link, side by side: the same pushes through both, and what only real TCP does."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest

from edgent.lab.links.link import ShapedLink
from edgent.lab.links.namespaces import FAR
from edgent.lab.links.stopwatch import listening, pushed
from edgent.lab.links.tun import TunLink, obstacle
from edgent.units import BitsPerSecond, Seconds
from real_time import PATIENCE, until

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
@pytest.mark.parametrize("kind", LINKS)
def test_neither_is_faster_than_its_rate_and_a_lower_one_takes_longer(kind: str, round_trip: float) -> None:
    """How near both come to an ideal link, `benchmarks/shaped_link.py` tells."""
    rates, size = (10e6, 1e6, 0.2e6), 20_000
    for rate, lower in zip(rates, (*rates[1:], 1.0), strict=True):
        with link_of(kind, rate, round_trip) as (_, push):
            assert push(size) >= size * 8 / rate
            assert until(lambda push=push, lower=lower: push(size) < size * 8 / lower)


@pytest.mark.parametrize("kind", LINKS)
def test_a_rate_changed_while_running_holds_for_the_next_push(kind: str) -> None:
    size, low = 50_000, 0.8e6
    with link_of(kind, 8e6, 0.0) as (link, push):
        assert until(lambda: push(size) < size * 8 / low)
        link.set(uplink=BitsPerSecond(low))
        assert push(size) >= size * 8 / low


def wire_bytes_of(link: ShapedLink | TunLink) -> tuple[int, int]:
    counts = link.counts()
    return counts.up_wire_bytes, counts.down_wire_bytes


@pytest.mark.parametrize("kind", LINKS)
def test_nothing_passes_a_cut_link_and_everything_after_it(kind: str) -> None:
    with link_of(kind, 8e6, 0.0) as (link, push):
        push(1000)
        link.cut()
        passed = wire_bytes_of(link)
        pushing = threading.Thread(target=push, args=(1000,))
        pushing.start()
        pushing.join(1.0)
        assert pushing.is_alive()
        assert wire_bytes_of(link) == passed
        link.restore()
        pushing.join(PATIENCE)
        assert not pushing.is_alive()
        assert wire_bytes_of(link)[0] > passed[0] + 3 * 1000


def test_lost_packets_are_sent_again_by_the_kernel() -> None:
    with link_of("tun", 8e6, 0.01) as (link, push):
        link.set(loss=0.05)
        assert push(200_000) > 0.2
        assert link.counts().up_dropped > 0  # type: ignore[union-attr]
