"""Every test has a cache folder of its own, so that none reads what another wrote; and a clock of its own, not ours."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

import real_time
from edgent.runtime.clock import MonotonicClock
from edgent.units import Seconds

real_time.watch()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that are listed as needing real time."""
    rows = real_time.listed()
    for item in items:
        node = f"{item.path.relative_to(real_time.HERE).as_posix()}::{item.nodeid.partition('::')[2]}"
        if real_time.reason(node, rows):
            item.add_marker(pytest.mark.real_time)


@pytest.fixture(autouse=True)
def _no_real_time(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test that is not listed reads no real clock, sleeps never and starts nothing outside of its process."""
    now = MonotonicClock.now

    @functools.wraps(now)
    def noting(clock: MonotonicClock) -> Seconds:
        real_time.noted.append("read the machine's clock")
        return now(clock)

    if request.node.get_closest_marker("real_time") is not None:
        yield
        return
    monkeypatch.setattr(MonotonicClock, "now", noting)
    real_time.noted.clear()
    yield
    assert not real_time.noted, (
        f"found that this test {', '.join(sorted(set(real_time.noted)))}: give it a ManualClock (edgent.testing), "
        "or list it in tests/README.md with the reason"
    )


@pytest.fixture(autouse=True, scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"
