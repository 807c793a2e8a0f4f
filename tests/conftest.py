"""No test reads what another one wrote, and none but those listed in README.md needs real time."""

from __future__ import annotations

import os

# As `edgent` does it, before numpy is imported: its threads in four workers would wait for each other's cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import real_time
from edgent.clock import MonotonicClock
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.units import parse_duration
from slowed import slowed

pytest_plugins = ["shared_fixtures"]

real_time.watch()

# How long an example takes is this machine's matter: a limit of 0.2 s for each is none that a busy one keeps.
settings.register_profile("any machine", deadline=None, suppress_health_check=(HealthCheck.too_slow,))
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """A slow machine, put on."""
    told = "delays every run that a Device or an Edge makes: 20ms"
    parser.addoption("--engine-delay", metavar="TIME", type=parse_duration, help=told)


@pytest.fixture(autouse=True, scope="session")
def _engine_delay(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where the option is given, Devices and Edges of this process compute on a slow engine."""
    with pytest.MonkeyPatch.context() as patch:
        if seconds := request.config.getoption("--engine-delay"):
            for kind in (Device, Edge):
                patch.setattr(kind, "__init__", slowed(kind.__init__, seconds))
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that are listed as needing real time."""
    rows = real_time.listed()
    for item in items:
        node = f"{item.path.relative_to(real_time.HERE).as_posix()}::{item.nodeid.partition('::')[2]}"
        if real_time.reason(node, rows):
            item.add_marker(pytest.mark.real_time)


@pytest.fixture(autouse=True)
def _no_real_time(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test that is not listed reads no real clock, never sleeps, and starts nothing outside of this process."""
    if request.node.get_closest_marker("real_time") is not None:
        yield
        return
    reading = real_time.noting("read the machine's clock", MonotonicClock.now)
    monkeypatch.setattr(MonotonicClock, "now", staticmethod(reading))
    monkeypatch.setattr(time, "sleep", real_time.noting("slept", time.sleep))
    real_time.begin()
    yield
    if done := sorted(set(real_time.noted)):
        pytest.fail(
            f"this test {', '.join(done)}: give it a ManualClock (edgent.testing), or list it in tests/README.md "
            "with the reason",
            pytrace=False,
        )


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """As they were: a command that is run in this process takes them over."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True, scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of this test alone, which is not there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "edgent"


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"
