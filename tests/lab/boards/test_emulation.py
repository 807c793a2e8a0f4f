from __future__ import annotations

import math
import statistics
import threading
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.clock import MonotonicClock
from edgent.errors import InputError
from edgent.lab.boards.emulation import (
    DEVICES,
    Emulated,
    EmulatedDevice,
    EmulationReport,
    Throttle,
    emulated_profile,
    find_device,
)
from edgent.latency import Profile
from edgent.latency.profile import BranchProfile, CodecTime, Timing
from edgent.testing import ManualClock
from edgent.units import Seconds

seconds = st.floats(min_value=0, max_value=10)


@dataclass
class VirtualTime(MonotonicClock):
    """A clock that moves when somebody sleeps, a little later than asked, and by a tick at each look."""

    time: float = 0.0
    oversleep: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> Seconds:
        self.time += 1e-6
        return Seconds(self.time)

    def sleep(self, duration: float) -> None:
        assert duration >= 0
        self.slept.append(duration)
        self.time += duration + (self.oversleep if duration else 0)


def emulated(time: VirtualTime) -> Emulated:
    return Emulated("test", clock=time)


@given(stated=seconds, took=seconds)
def test_work_returns_no_earlier_than_the_table_says_and_no_later_than_needed(stated: float, took: float) -> None:
    time = VirtualTime()
    started_at = time.now()
    time.time += took
    finished = time.time
    emulated(time).hold(started_at, stated)
    promised = started_at + stated
    assert time.time >= promised
    assert time.time <= max(promised, finished) + 1e-4


def test_the_time_that_the_work_took_now_does_not_count() -> None:
    ends = []
    for took in (0.001, 0.002, 0.009):
        time = VirtualTime()
        started_at = time.now()
        time.time += took
        emulated(time).hold(started_at, 0.010)
        ends.append(time.time)
    assert max(ends) - min(ends) < 1e-4


def test_a_sleep_that_ends_late_does_not_make_the_work_late() -> None:
    time = VirtualTime(oversleep=0.0005)
    emulated(time).hold(Seconds(0.0), 0.1)
    assert time.time == pytest.approx(0.1, abs=6e-4)


def test_a_host_slower_than_the_promise_is_counted_as_an_overrun() -> None:
    time = VirtualTime()
    pace = emulated(time)
    pace.hold(time.now(), 0.020)
    assert pace.account == EmulationReport(pieces=1)
    started_at = time.now()
    time.time += 0.050
    pace.hold(started_at, 0.020)
    assert (pace.account.pieces, pace.account.overran) == (2, 1)
    assert pace.account.worst == pytest.approx(0.030, abs=1e-3)
    assert "of 2 pieces of work this machine finished 1 later than the device would have, by 30 ms" in repr(pace)


def test_accounts_of_several_runs_add_up_and_the_worst_stays() -> None:
    both = EmulationReport(pieces=3, overran=1, worst=0.002) + EmulationReport(pieces=4, overran=2, worst=0.001)
    assert both == EmulationReport(pieces=7, overran=3, worst=0.002)
    assert str(EmulationReport(pieces=100)).endswith("finished 0 later than the device would have")


def test_the_device_computes_one_thing_at_a_time() -> None:
    time = VirtualTime()
    pace = emulated(time)
    pace.hold(Seconds(0.0), 0.030)
    assert time.time == pytest.approx(0.030, abs=1e-4)
    pace.hold(Seconds(0.010), 0.020)  # began while the other one ran
    assert time.time == pytest.approx(0.050, abs=1e-4)
    pace.hold(Seconds(0.060), 0.020)  # began when nothing did
    assert time.time == pytest.approx(0.080, abs=1e-4)


def test_work_shorter_than_a_time_slice_goes_between_and_delays_what_begins_later() -> None:
    time = VirtualTime()
    pace = emulated(time)
    pace.hold(Seconds(0.0), 0.030)
    pace.hold(Seconds(0.010), 0.002)
    assert time.time == pytest.approx(0.030, abs=1e-4)
    pace.hold(Seconds(0.020), 0.010)
    assert time.time == pytest.approx(0.042, abs=1e-4)


def test_threads_that_compute_at_once_end_one_after_another() -> None:
    clock, ends = ManualClock(), []
    pace = Emulated("test", clock=clock)
    threads = [
        clock.thread(lambda: (pace.hold(Seconds(0.0), 0.010), ends.append(clock.now())), "test") for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == pytest.approx([0.010, 0.020, 0.030], abs=1e-5)


def test_work_that_takes_no_time_by_the_profile_is_not_counted() -> None:
    time = VirtualTime()
    pace = emulated(time)
    pace.hold(time.now(), 0.0)
    assert (pace.account, time.slept) == (EmulationReport(), [])


def test_threads_lose_no_count() -> None:
    pace = Emulated("test", clock=ManualClock(at=1.0))
    threads = [threading.Thread(target=lambda: [pace.hold(Seconds(0.0), 1e-9) for _ in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pace.account.pieces == 800


def profile() -> Profile:
    timing = Timing(median=1e-3, spread=0.1, samples=9)
    branches = tuple(
        BranchProfile(exit=number, whole=Timing(median=sum(layers), spread=0.1, samples=9), layers=layers, unassigned=0)
        for number, layers in enumerate([(0.0002, 0.0003), (0.0005, 0.0006)])
    )
    return Profile(
        model="m",
        digest="0" * 64,
        machine="host",
        engine="onnxruntime 1",
        threads=1,
        branches=branches,
        codecs=(
            CodecTime(codec="float32", encode_base=0, encode_per_byte=1e-9, decode_base=1e-6, decode_per_byte=1e-9),
        ),
        decode_source=timing,
        fit=timing,
        normalise=timing,
    )


def test_on_the_papers_pi_the_last_exits_whole_branch_takes_110_ms() -> None:
    scaled = emulated_profile(profile(), find_device("paper-pi3-resident"))
    assert scaled.branches[-1].whole.median == pytest.approx(0.110)
    assert scaled.branches[0].whole.median == pytest.approx(0.050)  # all by one factor
    assert scaled.emulated == "paper-pi3-resident"


def test_a_board_slows_everything_by_its_factor() -> None:
    scaled = emulated_profile(profile(), find_device("pi-3b+"))
    assert scaled.decode_source.median == pytest.approx(13e-3)
    assert scaled.codec("float32").decode(1000) == pytest.approx(13 * 2e-6)


def test_an_emulated_profile_is_not_emulated_again() -> None:
    once = emulated_profile(profile(), find_device("pi-4"))
    with pytest.raises(InputError, match="already stands for pi-4"):
        emulated_profile(once, find_device("pi-5"))


def test_every_named_device_says_that_it_is_emulated_and_what_range_it_has() -> None:
    assert [device.name for device in DEVICES] == [
        "paper-pi3",
        "paper-pi3-resident",
        "pi-3b+",
        "pi-4",
        "pi-5",
    ]
    for device in DEVICES:
        assert "(emulated)" in str(device) and "range" in str(device)
        if device.factor is not None:
            assert device.low is not None and device.high is not None
            assert device.low < device.factor < device.high


def test_an_unknown_device_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"paper-pi3-resident, pi-3b\+"):
        find_device("pi-9")


def test_a_device_is_stated_by_a_factor_or_by_a_time() -> None:
    with pytest.raises(InputError, match="expected one of"):
        EmulatedDevice(name="x", description="")
    with pytest.raises(InputError, match="expected one of"):
        EmulatedDevice(name="x", description="", factor=1.0, whole=Seconds(1.0))
    assert EmulatedDevice(name="host", description="", factor=1.0).factor_on(profile()) == 1.0


def test_on_the_papers_first_figure_the_device_alone_needs_more_than_two_seconds_and_its_edge_7_5_ms() -> None:
    device = find_device("paper-pi3")
    assert emulated_profile(profile(), device).branches[-1].whole.median > 2
    assert device.edge_profile(profile()).branches[-1].whole.median == pytest.approx(0.0075)
    assert find_device("pi-4").edge_profile(profile()) == profile()


def held(pace: Emulated, time: VirtualTime, stated: float, count: int) -> list[float]:
    durations = []
    for _ in range(count):
        started_at = time.now()
        pace.hold(started_at, stated)
        durations.append(time.time - started_at)
    return durations


def test_jitter_is_as_wide_as_told_around_the_promise_and_the_same_for_the_same_seed() -> None:
    runs = []
    for seed in (1, 1, 2):
        time = VirtualTime()
        pace = Emulated("test", jitter=0.05, seed=seed, clock=time)
        runs.append(held(pace, time, 0.1, 400))
    logs = [math.log(seconds / 0.1) for seconds in runs[0]]
    assert statistics.fmean(logs) == pytest.approx(0, abs=0.01)
    assert statistics.pstdev(logs) == pytest.approx(0.05, rel=0.15)
    assert runs[0] == pytest.approx(runs[1], abs=1e-4)
    assert runs[0] != pytest.approx(runs[2], abs=1e-4)


def test_a_hot_device_slows_down_after_so_much_computing_and_stays_so() -> None:
    time = VirtualTime()
    throttle = Throttle(after=Seconds(1.0), factor=1.5)
    pace = Emulated("test", throttle=throttle, clock=time)
    durations = held(pace, time, 0.1, 20)
    assert durations[:10] == pytest.approx([0.1] * 10, abs=1e-3)
    assert durations[11:] == pytest.approx([0.15] * 9, abs=1e-3)


@pytest.mark.parametrize("wrong", [{"after": Seconds(-1.0), "factor": 2.0}, {"after": Seconds(1.0), "factor": 0.0}])
def test_throttling_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="throttling"):
        Throttle(**wrong)  # type: ignore[arg-type]


def test_a_jitter_that_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="jitter"):
        Emulated("test", jitter=-0.1)
