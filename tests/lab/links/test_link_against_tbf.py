"""The shaped link against the kernel's, roughly: how near it comes, `benchmarks/shaped_link.py` tells."""

from __future__ import annotations

import pytest

from edgent.lab.links.link import ShapedLink
from edgent.lab.links.namespaces import FAR
from edgent.lab.links.stopwatch import listening, pushed
from edgent.lab.links.tbf import TbfLink, obstacle
from edgent.units import BitsPerSecond

pytestmark = pytest.mark.root


@pytest.fixture(scope="module", autouse=True)
def _possible() -> None:
    if reason := obstacle():
        pytest.skip(reason)


@pytest.mark.parametrize("rate", [0.5e6, 1e6, 10e6])
def test_pushed_bytes_take_as_long_as_through_tbf(rate: float) -> None:
    size = int(rate / 8)
    # tbf loses rate where its timer is later than its burst lasts: 10 ms of it, or a packet.
    kernel_link = TbfLink(rate=BitsPerSecond(rate), burst=max(1600, size // 100))
    with kernel_link as kernel, listening(host=FAR, prefix=kernel.far) as address:
        expected = pushed(address, size, repeats=3, prefix=kernel.near)
    with listening() as address, ShapedLink(address, uplink=BitsPerSecond(rate)) as link:
        seconds = pushed(link.address, size, repeats=3)
    assert 0.5 < min(seconds) / min(expected) < 2  # the least disturbed of each
