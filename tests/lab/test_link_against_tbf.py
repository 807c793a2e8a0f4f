"""The shaped link against the kernel's. The only timing test: transfers of two seconds, so that noise is below 5 %."""

from __future__ import annotations

import pytest

from edgent.lab.link import ShapedLink
from edgent.lab.stopwatch import listening, pushed
from edgent.lab.tbf import FAR, TbfLink, obstacle
from edgent.units import BitsPerSecond

pytestmark = pytest.mark.root


@pytest.fixture(scope="module", autouse=True)
def _possible() -> None:
    if reason := obstacle():
        pytest.skip(reason)


@pytest.mark.parametrize("rate", [0.5e6, 1e6, 10e6])
def test_pushed_bytes_take_as_long_as_through_tbf(rate: float) -> None:
    size = int(rate * 2 / 8)
    with TbfLink(rate=BitsPerSecond(rate)) as kernel, listening(host=FAR, prefix=kernel.far) as address:
        (expected,) = pushed(address, size, prefix=kernel.near)
    with listening() as address, ShapedLink(address, uplink=BitsPerSecond(rate)) as link:
        (found,) = pushed(link.address, size)
    assert found == pytest.approx(expected, rel=0.05)
