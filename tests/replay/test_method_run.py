from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.link.change_points import ChangePointDetector
from edgent.link.generator import varied
from edgent.link.trace import Trace
from edgent.link.transfer import Transfer
from edgent.planning.paper.algorithm3 import Algorithm3
from edgent.replay.method_run import PATIENCE, MethodRun, RequestTimes
from edgent.replay.methods import World
from edgent.replay.predictors import Method, PaperDynamic
from edgent.replay.report import _job
from edgent.units import Seconds
from replay.machines import request


class Silent(Method):
    """Always chooses the same, and remembers what it saw and when it was asked."""

    def __init__(self, row: int) -> None:
        super().__init__(row)
        self.events: list[Transfer] = []
        self.asked: list[float] = []

    def observe(self, event: Transfer) -> None:
        self.events.append(event)

    def choose(self, at: float) -> int:
        self.asked.append(at)
        return super().choose(at)


def ran(trace: Trace, requests: RequestTimes, deadline: float = 0.080) -> Silent:
    choices = _job(request(deadline)).choices
    who = Silent(int(np.flatnonzero(~choices.remote)[0]))
    MethodRun(World(choices=choices, trace=trace, recorded=trace, variation=0.0), requests, who).run()
    return who


@given(
    seed=st.integers(0, 2**32 - 1),
    interval=st.none() | st.floats(0.01, 20),
    duration=st.floats(1e-3, 100),
)
def test_the_first_request_comes_within_an_interval_of_the_first_probes_time(
    seed: int, interval: float | None, duration: float
) -> None:
    drawn = RequestTimes.drawn(seed, interval, duration)
    assert min(PATIENCE, duration / 2) <= drawn.first <= PATIENCE + (interval or 0.0)
    assert drawn.first < duration
    assert drawn == RequestTimes.drawn(seed, interval, duration)
    if interval is not None:
        times = drawn.all()
        assert times[0] == drawn.first and times[-1] < duration <= times[-1] + interval * (1 + 1e-9)
        assert times.tolist()[1:] == [drawn.after(k, 0.0, 0.0) for k in range(times.size - 1)]


@pytest.mark.parametrize("piece", [0.2, 0.5, 1.0])
def test_a_probe_just_before_a_request_meets_another_piece_as_rarely_as_pieces_are_long(piece: float) -> None:
    begins = [RequestTimes.drawn(seed, 2.0, 100.0).all() for seed in range(2000)]
    crossed = np.mean([math.floor((times[1] - 0.02) / piece) != math.floor(times[1] / piece) for times in begins])
    assert crossed == pytest.approx(0.02 / piece, abs=0.015)


def test_the_pieces_of_the_variation_begin_with_a_phase_of_their_own() -> None:
    flat = Trace(name="flat", starts=np.arange(50.0), bandwidths=np.full(50, 1e6), duration=Seconds(50.0))
    phases = [varied(flat, seed).starts[1] for seed in range(500)]
    assert np.quantile(phases, [0.1, 0.5, 0.9]) == pytest.approx([0.02, 0.1, 0.18], abs=0.02)
    one = varied(flat, 7)
    changed = one.starts[1:][np.diff(one.bandwidths) != 0]
    assert np.diff(changed) == pytest.approx(0.2)


def test_methods_are_asked_when_requests_come() -> None:
    flat = Trace(name="flat", starts=np.arange(9.0), bandwidths=np.full(9, 5e6), duration=Seconds(9.0))
    assert ran(flat, RequestTimes(first=1.25, interval=2.0, end=9.0)).asked == [1.25, 3.25, 5.25, 7.25]


def test_the_first_probe_is_given_up_as_any_other_is() -> None:
    bandwidths = np.where(np.arange(60) < 30, 0.0, 5e6)
    late = Trace(name="late", starts=np.arange(60.0), bandwidths=bandwidths, duration=Seconds(60.0))
    first, second, *_ = ran(late, RequestTimes(first=0.5, interval=2.0, end=60.0)).events
    assert first.cut and first.at <= PATIENCE
    assert second.cut and second.at <= 4.5


@pytest.mark.parametrize("downlink", [1.0, 0.05])
def test_of_a_request_both_ways_are_one_transfer_at_the_links_own_bandwidth(downlink: float) -> None:
    flat = Trace(name="flat", starts=np.arange(9.0), bandwidths=np.full(9, 5e6), duration=Seconds(9.0))
    choices = _job(request(0.080)).choices.over(downlink)
    row = int(np.flatnonzero(choices.remote & (choices.need < 5e6))[0])
    who = Silent(row)
    world = World(choices=choices, trace=flat, recorded=flat, variation=0.0)
    MethodRun(world, RequestTimes(first=1.0, interval=2.0, end=9.0), who).run()
    seen = [event for event in who.events if event.at > 1.0]
    bits = choices.bits_up[row] + choices.bits_down[row]
    assert len(seen) >= 3 and not any(event.cut for event in seen)
    assert [event.bandwidth((event.size + 175) * 1.046 * 8) for event in seen] == pytest.approx(
        [5e6] * len(seen), rel=1e-3
    )
    assert [event.seconds for event in seen] == pytest.approx([bits / 5e6] * len(seen))
    ends = 1.0 + choices.before[row] + choices.between[row] + bits / 5e6
    assert seen[0].at == pytest.approx(ends)


def test_an_answer_that_comes_late_says_that_the_link_is_slow_though_the_picture_was_quick() -> None:
    choices = _job(request(0.080)).choices
    row = int(np.flatnonzero(choices.remote & (choices.need < 5e6) & (choices.bits_down > 0))[0])
    gone = 1.0 + float(choices.before[row] + choices.bits_up[row] / 5e6 + choices.between[row] / 2)
    stops = Trace(name="stops", starts=np.array([0.0, gone]), bandwidths=np.array([5e6, 0.0]), duration=Seconds(9.0))
    who = Silent(row)
    MethodRun(
        World(choices=choices, trace=stops, recorded=stops, variation=0.0),
        RequestTimes(first=1.0, interval=2.0, end=5.0),
        who,
    ).run()
    assert [event.cut for event in who.events if 1.0 < event.at <= 3.0] == [True]


def test_where_nothing_that_is_sent_is_better_the_first_probe_still_has_its_time() -> None:
    flat = Trace(name="flat", starts=np.arange(9.0), bandwidths=np.full(9, 1e6), duration=Seconds(9.0))
    (only,) = ran(flat, RequestTimes(first=0.5, interval=2.0, end=9.0), deadline=1.0).events
    assert not only.cut and only.seconds == pytest.approx((1000 + 175) * 1.046 * 8 / 1e6)


def test_a_transfer_given_up_is_the_papers_outage_until_the_next_sample() -> None:
    job = _job(request())
    seconds = Seconds(0.1)
    paper = PaperDynamic(job.choices, Algorithm3(job.states, ChangePointDetector(), job.choices.deadline))

    def configuration() -> object:
        return job.choices.table.configurations[paper.choose(0.0)]

    sent = Transfer(direction="up", size=100_000, seconds=seconds, at=seconds)
    paper.observe(sent)
    well = configuration()
    assert well == job.states.look_up(sent.bandwidth((100_000 + 175) * 1.046 * 8), job.choices.deadline)
    paper.observe(Transfer(direction="up", size=100_000, seconds=seconds, at=seconds, cut=True))
    assert configuration() == job.states.look_up(0.0, job.choices.deadline) != well
    paper.observe(sent)
    assert configuration() == well
