"""What keeps the suite green on any machine: real time is for the few that are listed, and slow engines are tried."""

from __future__ import annotations

import ast
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import real_time
from beside_load import busy
from edgent.clock import MonotonicClock
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.planning.plan import Configuration
from edgent.testing import FakeEngine, FakeLink, ManualClock
from real_time import HERE, listed, reason, until
from slowed import Slowed, slowed

TESTS = [path for path in sorted(HERE.rglob("test_*.py")) if "training" not in path.parts]


def name(path):
    return path.relative_to(HERE).as_posix()


def test_every_row_of_the_list_is_of_a_test_that_there_is_with_a_reason():
    for row, why in listed().items():
        file, _, test = row.partition("::")
        assert (HERE / file).is_file(), row
        functions = {node.name for node in ast.walk(ast.parse((HERE / file).read_text())) if hasattr(node, "name")}
        assert not test or test in functions, row
        assert len(why.split()) >= 4, row


def test_most_tests_are_not_listed():
    assert len({row.partition("::")[0] for row in listed()}) < len(TESTS) / 3


def test_no_other_file_knows_the_real_time():
    for path in TESTS:
        imported = {
            alias.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        rows = [row for row in listed() if row.partition("::")[0] == name(path)]
        assert rows or "time" not in imported, f"{name(path)} imports time, and is not listed"


def test_an_example_of_hypothesis_may_take_any_time():
    assert settings().deadline is None and HealthCheck.too_slow in settings().suppress_health_check


def test_a_row_is_of_one_test_with_all_its_parameters_or_of_a_file():
    rows = {"a/test_a.py": "all of it", "b/test_b.py::test_one": "this one"}
    assert reason("a/test_a.py::test_one[1]", rows) == "all of it"
    assert reason("b/test_b.py::test_one[x::y]", rows) == "this one"
    assert reason("b/test_b.py::test_one_more", rows) is None


@pytest.mark.parametrize(
    "do",
    [
        lambda: MonotonicClock().now(),
        lambda: time.sleep(0),
        lambda: MonotonicClock().sleep(0),
        lambda: subprocess.run([sys.executable, "-c", ""], check=True),
    ],
    ids=["clock", "sleep", "clock's sleep", "process"],
)
def test_what_takes_real_time_is_noted(do):
    real_time.noted.clear()
    do()
    assert real_time.noted
    real_time.noted.clear()


def test_what_a_thread_does_that_an_earlier_test_has_left_is_not_this_ones():
    go_on = threading.Event()

    def late():
        go_on.wait()
        time.sleep(0)

    left, own = threading.Thread(target=late), threading.Thread(target=lambda: time.sleep(0))
    left.start()
    real_time.begin()  # as the next test does
    go_on.set()
    left.join()
    assert not real_time.noted
    own.start()
    own.join()
    assert real_time.noted == ["slept"]
    real_time.noted.clear()


class Engine:
    threads = 2

    def session(self, *arguments):
        return Session(arguments)


class Session:
    def __init__(self, arguments):
        self.arguments = arguments

    def run(self, feeds):
        return feeds


def test_a_slowed_engine_is_the_engine_but_for_the_time_of_each_run():
    slept = []
    session = Slowed(Engine(), 0.02, slept.append).session("model", "given", "asked")
    assert not slept
    assert [session.run({"x": number}) for number in range(3)] == [{"x": 0}, {"x": 1}, {"x": 2}]
    assert slept == [0.02] * 3
    assert session.arguments == ("model", "given", "asked")
    assert Slowed(Engine(), 0.02).threads == 2


def test_who_is_given_an_engine_or_none_gets_a_slow_one():
    class Edge:
        def __init__(self, model, *, engine=None, port=1):
            self.model, self.engine, self.port = model, engine, port

    Edge.__init__ = slowed(Edge.__init__, 0.5)
    own = Engine()
    given, none = Edge("m", engine=own, port=2), Edge("m")
    assert (given.model, given.port, given.engine.session().arguments) == ("m", 2, ())
    assert isinstance(given.engine, Slowed) and isinstance(none.engine, Slowed)


def test_a_device_and_an_edge_are_as_slow_as_the_option_says(pytestconfig):
    """Without the option that is no test; `make delays` has it."""
    model, clock = load("b-alexnet"), ManualClock()
    whole = Configuration(exit=4, upload_cut=0, download_cut=22)
    halves = Configuration(exit=4, upload_cut=4, download_cut=22)
    picture = np.zeros(model.inputs[0].shape, np.float32)
    link = FakeLink(Edge(model, engine=FakeEngine(), clock=clock).service.methods(), clock=clock)
    with Device(model, channel=link, clock=clock, deadline=10.0, bandwidth=1e8, engine=FakeEngine()) as device:
        device.wait_ready()
        for configuration, runs in ((whole, 1), (halves, 2)):
            device.warm(configuration)
            began_at = time.perf_counter()
            assert device.infer(picture, configuration=configuration, race=False).record.by == "edge"
            assert time.perf_counter() - began_at >= runs * (pytestconfig.getoption("--engine-delay") or 0.0)


def test_busy_processes_end_with_their_owner_and_by_themselves():
    with busy(2) as processes:
        assert [process.poll() for process in processes] == [None, None]
    assert [process.returncode for process in processes] == [-9, -9]
    with busy(1, longest=0.0) as (process,):
        assert until(lambda: process.poll() == 0)
