from __future__ import annotations

import os
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


def test_for_how_long_a_core_was_busy_only_grows():
    core = min(os.sched_getaffinity(0))
    before = busy_of(core)
    assert 0 < before <= busy_of(core)


def test_there_are_two_cores_or_none_of_one_s_own():
    cores = two_cores()
    assert (cores.edge is None) == (cores.cameras is None)
    assert cores.edge is None or cores.edge != cores.cameras
