"""By how much a machine was late between two moments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import real_time
from edgent.lab.chaos.heartbeat import Heartbeat, MachineLateness

beats = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=12)


def seconds_late(all_of, since, until):
    """Second by second, the slow way."""
    late = {second for due, by in all_of for second in range(due, due + by)}
    return len(late & set(range(since, until)))


@given(noted=beats, others=beats, since=st.integers(0, 80), takes=st.integers(0, 80))
def test_it_is_late_for_as_many_seconds_as_lie_in_any_late_beat(noted, others, since, takes):
    lateness = MachineLateness(noted).among(others)
    assert lateness.between(since, since + takes) == seconds_late([*noted, *others], since, since + takes)


def test_a_machine_that_was_never_late_excuses_nothing():
    lateness = MachineLateness([])
    assert (lateness.between(0.0, 1e9), lateness.worst) == (0.0, 0.0)
    assert "0 late beats" in repr(lateness)


def test_a_heart_notes_when_its_process_was_stopped():
    import os
    import signal
    import time

    with Heartbeat() as heartbeat:
        pid = heartbeat._child.pid
        heartbeat.lateness()  # it beats
        since = time.perf_counter()
        os.kill(pid, signal.SIGSTOP)
        real_time.until(lambda: time.perf_counter() - since > 0.3)
        os.kill(pid, signal.SIGCONT)
        until = time.perf_counter()
        assert real_time.until(lambda: heartbeat.lateness().between(since, until + 1.0) >= 0.25)
        lateness = heartbeat.lateness()
    assert lateness.between(since - 100.0, since - 50.0) == pytest.approx(0.0)
    assert np.isfinite(lateness.worst)
