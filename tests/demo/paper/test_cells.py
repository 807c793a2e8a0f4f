from __future__ import annotations

from itertools import pairwise

import pytest

from edgent.demo.paper import DemoOptions
from edgent.demo.paper.cells import BANDWIDTHS, DEADLINES
from edgent.errors import InputError


def test_the_cells_span_what_they_must():
    assert (BANDWIDTHS[0], BANDWIDTHS[-1]) == (50e3, 20e6)
    assert (DEADLINES[0], DEADLINES[-1]) == (0.02, 1.0)
    assert len(BANDWIDTHS) * len(DEADLINES) >= 12
    assert any(0.085 <= deadline <= 0.105 for deadline in DEADLINES), "none that only an early exit meets on the device"


def test_bandwidths_have_equal_ratios_and_deadlines_rise():
    ratios = [later / earlier for earlier, later in pairwise(BANDWIDTHS)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))
    assert list(DEADLINES) == sorted(set(DEADLINES))


def test_a_demo_of_nothing_is_refused():
    with pytest.raises(InputError):
        DemoOptions(deadlines=())
