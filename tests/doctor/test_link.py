"""`edgent doctor` over links that are known: what it measures is what was set."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from edgent.lab.links.link import ShapedLink
from edgent.lab.links.namespaces import FAR
from edgent.lab.links.tun import TunLink, obstacle
from edgent.lab.processes.server_process import ServerProcess
from edgent.units import BitsPerSecond, Seconds
from real_time import until


def doctor(*arguments: str, prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    command = [*prefix, sys.executable, "-m", "edgent", "doctor", "--insecure", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


@pytest.fixture(scope="module")
def edge() -> Iterator[str]:
    with ServerProcess.unprofiled_edge() as process:
        yield process.address


def measured(address: str, prefix: Sequence[str] = ()) -> dict[str, Any]:
    done = doctor("--edge", address, "--json", prefix=prefix)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_rates_and_round_trip_are_those_of_the_link_in_between(edge: str) -> None:
    """No faster than that, for a busy machine makes them slower; `tests/doctor/test_link_check.py` has them exactly."""
    settings = {"uplink": BitsPerSecond(2e6), "downlink": BitsPerSecond(2e7), "round_trip": Seconds(0.04)}
    with ShapedLink(edge, **settings) as link:
        documents = []

        def is_as_far() -> bool:
            documents.append(measured(link.address))
            return documents[-1]["link"]["round_trip_ms"] > 20  # an estimate: what its own bytes took is taken off

        assert until(is_as_far)
    document = documents[-1]
    assert [(counts["answered"], counts["queue_ms"]) for counts in document["served"]] == [(0, None)]
    link_document = document["link"]
    assert 0 < link_document["uplink_bps"] < 8e6
    assert 0 < link_document["downlink_bps"] < 80e6


@contextlib.contextmanager
def far_edge(round_trip: float) -> Iterator[tuple[TunLink, str]]:
    link = TunLink(uplink=BitsPerSecond(2e7), round_trip=Seconds(round_trip))
    with link, ServerProcess.unprofiled_edge(host=FAR, prefix=link.far) as process:
        yield link, process.address


def undisturbed(measure: Callable[[], dict[str, Any]], right: Callable[[list[float], float], bool]) -> dict[str, Any]:
    """A measurement in which the costs of both pauses are right, by the round trip: on a busy machine not the first."""
    documents = []

    def is_right() -> bool:
        documents.append(measure())
        link = documents[-1]["link"]
        return right([link[way]["costs_ms"] for way in ("pause_up", "pause_down")], link["round_trip_ms"])

    assert until(is_right), documents[-1]
    return documents[-1]


@pytest.fixture
def _root() -> None:
    if reason := obstacle():
        pytest.skip(reason)


@pytest.mark.root
@pytest.mark.usefixtures("_root")
def test_what_slow_start_costs_after_a_pause_is_found_with_the_command_that_mends_it() -> None:
    with far_edge(0.04) as (link, address):
        document = undisturbed(lambda: measured(address, link.near), lambda costs, trip: min(costs) > trip / 2 > 10)
    mends = [one["mend"] for one in document["findings"] if "after 1 s" in one["what"]]
    assert [mend.partition(":")[0] for mend in mends] == ["on this machine", "on the edge"]
    assert all("tcp_slow_start_after_idle=0" in mend for mend in mends)


@pytest.mark.root
@pytest.mark.usefixtures("_root")
def test_the_command_mends_it() -> None:
    with far_edge(0.04) as (link, address):
        mended = ["sysctl", "-w", "net.ipv4.tcp_slow_start_after_idle=0"]
        for end in (link.near, link.far):
            subprocess.run([*end, *mended], check=True, capture_output=True)
        undisturbed(lambda: measured(address, link.near), lambda costs, trip: max(costs) < trip / 2)


def test_without_an_edge_only_this_machine_is_looked_at() -> None:
    done = doctor("--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["edge"], document["link"]) == (0, None, None)
    assert "tcp_slow_start_after_idle" in [one["what"] for one in document["findings"]]


@pytest.mark.parametrize("wrong", ["here", "host:", ":8001", "host:port", "host:0", "host:99999"])
def test_an_address_that_is_none_is_one_line_and_exit_code_2(wrong: str) -> None:
    done = doctor("--edge", wrong)
    assert done.returncode == 2
    assert "expected HOST:PORT" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_edge_that_is_not_there_is_one_line_and_exit_code_1() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        done = doctor("--edge", f"127.0.0.1:{taken.getsockname()[1]}")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
