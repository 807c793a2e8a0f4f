"""A clock on which no test waits, and a sink with its outbox."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgent.sinks.delivery import SinkDelivery
from edgent.sinks.outbox import Outbox
from edgent.sinks.sink import Sink
from edgent.testing import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def delivery_of(clock: ManualClock, tmp_path: Path) -> Callable[[Sink], SinkDelivery]:
    """The delivery to a sink, whose outbox is the same file each time."""
    return lambda sink: SinkDelivery(sink, Outbox(tmp_path / "outbox"), clock)
