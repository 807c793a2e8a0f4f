from __future__ import annotations

from edgent.lab.links.link import ShapedLink
from edgent.lab.links.shaping import wire_bytes
from edgent.lab.links.stopwatch import Exchange, listening
from edgent.units import BitsPerSecond


def test_an_exchange_carries_as_many_bytes_there_and_back_as_it_is_asked_for() -> None:
    with (
        listening("answer") as address,
        ShapedLink(address, uplink=BitsPerSecond(20e6)) as link,
        Exchange(link.address) as exchange,
    ):
        exchange.ask(1, 1)
        before = link.counts()
        took = exchange.ask(50_000, 20_000)
        after = link.counts()
    up, down = after.up_wire_bytes - before.up_wire_bytes, after.down_wire_bytes - before.down_wire_bytes
    assert wire_bytes(50_000) <= up <= wire_bytes(50_000) + 200
    assert wire_bytes(20_000) <= down <= wire_bytes(20_000) + 200
    assert took >= (up + down) * 8 / 20e6
