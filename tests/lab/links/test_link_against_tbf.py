"""The shaped link against the kernel's, roughly: how near it comes, `benchmarks/shaped_link.py` tells."""

from __future__ import annotations

import pytest

from edgent.lab.links.link import ShapedLink
from edgent.lab.links.namespaces import FAR
from edgent.lab.links.stopwatch import listening, pushed
from edgent.lab.links.tbf import TbfLink, obstacle
from edgent.units import BitsPerSecond
from real_time import until

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
    expected, seconds = [], []
    with (
        kernel_link as kernel,
        listening(host=FAR, prefix=kernel.far) as far,
        listening() as near,
        ShapedLink(near, uplink=BitsPerSecond(rate)) as link,
    ):

        def alike() -> bool:
            expected.extend(pushed(far, size, prefix=kernel.near))
            seconds.extend(pushed(link.address, size))
            return 0.5 < min(seconds) / min(expected) < 2  # the least disturbed of each

        assert until(alike)
