"""A board by itself whose work strays, in virtual time: which exit it answers at, and how many answers are in time."""

from __future__ import annotations

import numpy as np
import pytest

from edgent.codec import encode_image
from edgent.lab.boards.emulation import Emulated
from edgent.planning.plan import Configuration
from edgent.testing import FakeEngine
from shared_fixtures import make_profile

LAYER, PICTURE = 0.004, 0.0027  # seconds: the last exit of 22 layers is expected to take 96 of 100 ms
DEADLINE, LAST = 0.1, 4
IMAGE = encode_image("png", np.random.default_rng(3).integers(0, 256, (32, 32, 3), dtype=np.uint8))


class StrayingBoard(Emulated):
    """Takes longer or shorter than it should, by chance."""

    def __init__(self, clock, spread) -> None:
        super().__init__("a board", clock=clock)
        self._spread, self._random = spread, np.random.default_rng(1)

    def hold(self, started_at, seconds) -> None:
        super().hold(started_at, seconds * float(np.exp(self._spread * self._random.normal())))


@pytest.fixture
def answered(made, model, clock):
    """Records of sixty requests of a board by itself, once it is known."""

    def run(spread, **settings):
        profile = make_profile(model, layer=LAYER, prepare=PICTURE)
        board = StrayingBoard(clock, spread)
        device = made(channel=None, engine=FakeEngine(), deadline=DEADLINE, device_profile=profile, pace=board)
        records = [device.infer(IMAGE, **settings).record for _ in range(80)]
        return records[20:]

    return run


def in_time(model, records) -> float:
    """Accuracy in time."""
    return float(np.mean([record.deadline_met * model.branch(record.exit).accuracy for record in records]))


def test_a_board_that_hardly_strays_uses_its_last_exit_up_to_the_deadline(answered):
    records = answered(0.002)
    assert {record.exit for record in records} == {LAST}
    assert all(record.deadline_met for record in records)


@pytest.mark.parametrize("spread", [0.05, 0.1])
def test_a_board_that_strays_answers_earlier_and_gives_more_in_time(answered, model, spread):
    n = len(model.branch(LAST).layers)
    last = answered(spread, configuration=Configuration(exit=LAST, upload_cut=n, download_cut=n))
    chosen = answered(spread)
    late = sum(not record.deadline_met for record in last)
    assert late >= 6
    assert sum(not record.deadline_met for record in chosen) <= late / 3
    assert in_time(model, chosen) > in_time(model, last) + 0.05
