"""Three cameras in virtual time, while the edge goes, comes back and falls silent: boxes each time, and in time."""

from __future__ import annotations

import numpy as np
import pytest

from detectors import SIDE, detector
from edgent.device.device import Device
from edgent.engine.loading import load
from edgent.frigate.detector import DEADLINE
from edgent.frigate.messages import picture_of, rows_of
from edgent.testing import ManualClock
from frigate import Known
from frigate_simulated import KINDS, simulated
from shared_fixtures import make_profile

CAMERAS, FRAMES, EVERY = 3, 150, 0.15  # the board needs 40 ms a frame: eight tenths of its time, where it is alone


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load(str(detector(tmp_path_factory.mktemp("models") / "finder.onnx")))


@pytest.fixture(scope="module")
def known(model) -> list[Known]:
    """Pictures with what the board alone finds in them."""
    clock, chance = ManualClock(), np.random.default_rng(3)
    with Device(model, None, deadline=1.0, device_profile=make_profile(model), clock=clock) as board:
        pictures = [chance.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(10)]
        return [Known(pixels=p, rows=rows_of(board.infer(picture_of(p)).boxes, SIDE, SIDE)) for p in pictures]


@pytest.mark.parametrize("seed", [1, 2])
def test_every_question_is_answered_with_its_own_boxes_within_the_deadline(model, known, seed: int) -> None:
    asked, spells = simulated(model, known, CAMERAS, FRAMES, EVERY, seed)
    assert len(asked) == CAMERAS * FRAMES and {spell.kind for spell in spells} == set(KINDS)
    assert not [one for one in asked if one.empty or one.other or one.timed_out]
    assert max(one.seconds for one in asked) <= DEADLINE
