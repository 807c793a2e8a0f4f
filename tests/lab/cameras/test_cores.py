from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from edgent.lab.cameras.cores import busy_of, computed_by, pin, two_cores

_COUNTS = "import sys\nsum(range(3_000_000))\nprint('done', flush=True)\nsys.stdin.read()"


@pytest.fixture
def process():
    with subprocess.Popen([sys.executable, "-c", _COUNTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        started.stdout.readline()
        yield started
        started.stdin.close()


def test_a_process_is_kept_on_its_core(process):
    core = min(os.sched_getaffinity(0))
    pin(process.pid, core)
    assert os.sched_getaffinity(process.pid) == {core}


def test_without_a_core_of_its_own_it_stays_where_it_was(process):
    before = os.sched_getaffinity(process.pid)
    pin(process.pid, None)
    assert os.sched_getaffinity(process.pid) == before


def test_what_it_computed_is_told(process):
    used = computed_by(process.pid)
    assert 0 < used < 60
    assert computed_by(process.pid) >= used


def test_a_core_was_busy_for_as_long_as_a_thread_on_it_computed():
    usable = os.sched_getaffinity(0)
    core = max(usable)
    os.sched_setaffinity(0, {core})
    try:
        before, own = busy_of(core), resource.getrusage(resource.RUSAGE_THREAD)
        sum(range(10_000_000))
        now = resource.getrusage(resource.RUSAGE_THREAD)
    finally:
        os.sched_setaffinity(0, usable)
    computed = now.ru_utime + now.ru_stime - own.ru_utime - own.ru_stime
    # A host that takes a core away for a while leaves out ticks, and not all of them say so.
    assert busy_of(core) - before >= computed / 2 - 3 / os.sysconf("SC_CLK_TCK")


def test_there_are_two_cores_or_none_of_one_s_own():
    cores = two_cores()
    assert (cores.edge is None) == (cores.cameras is None)
    assert cores.edge is None or cores.edge != cores.cameras
