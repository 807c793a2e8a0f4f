"""A certificate is renewed in time while a device runs, whatever the edge does meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edgent.errors import EdgeError, EdgentError, RefusedError
from edgent.identity.joined import Joined
from edgent.identity.renewal import keep_renewed

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = 86_400.0


class Board:
    """A device that runs for so many days, whose edge may be away for some of them."""

    def __init__(self, days: float, away: tuple[float, float] = (0.0, 0.0), error: EdgentError | None = None) -> None:
        self.at, self.end = NOW, NOW + timedelta(days=days)
        self.away = tuple(NOW + timedelta(days=day) for day in away)
        self.error = error or EdgeError("away")
        self.joined = Joined(name="porch", edge="e:1", joins_at="e:2", renew_at=0.0, ends_at=0.0)
        self.looks = 0
        self._made(NOW)

    def _made(self, at: datetime) -> None:
        ends_at = at.timestamp() + 90 * DAY
        self.joined = replace(self.joined, ends_at=ends_at, renew_at=ends_at - 30 * DAY)

    def renew(self, folder: Path, now: datetime) -> Joined:
        self.looks += 1
        assert now.timestamp() < self.joined.ends_at, "it has ended"
        if now.timestamp() >= self.joined.renew_at:
            if self.away[0] <= now < self.away[1]:
                raise self.error
            self._made(now)
        return self.joined

    def wait(self, seconds: float) -> bool:
        self.at += timedelta(seconds=seconds)
        return self.at >= self.end

    def run(self) -> None:
        keep_renewed(Path("folder"), self.renew, lambda: self.at, self.wait)
        assert self.joined.ends_at > self.end.timestamp()


def test_a_certificate_never_ends_while_a_device_runs_for_years() -> None:
    board = Board(days=2000)
    board.run()
    assert board.looks < 3 * 2000


@pytest.mark.parametrize("error", [EdgeError("away"), RefusedError("removed")])
def test_an_edge_that_is_away_for_weeks_is_asked_again(error: EdgentError, caplog: pytest.LogCaptureFixture) -> None:
    board = Board(days=200, away=(55.0, 85.0), error=error)
    board.run()
    assert "was not renewed" in caplog.text


def test_it_ends_when_the_device_does() -> None:
    board = Board(days=0.0)
    board.run()
    assert board.looks == 0
