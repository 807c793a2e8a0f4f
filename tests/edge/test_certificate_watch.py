"""When an edge shows another certificate; the waiting is a test's own."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from edgent.edge.certificate_watch import keep_shown
from edgent.identity.certificates import new_key
from edgent.identity.edge_identity import EdgeIdentity

NOW = datetime(2026, 11, 30, tzinfo=UTC)


class Hours:
    """A clock that goes on by a hundred days at each look, and what is done at some of them."""

    def __init__(self, looks, at=None):
        self.now, self._left, self._number, self._at = NOW, looks, 0, at or {}

    def wait(self, seconds):
        assert 1.0 <= seconds <= 3600.0
        self.now += timedelta(days=100)
        if (change := self._at.get(self._number)) is not None:
            change()
        self._number += 1
        return self._number > self._left


@pytest.fixture
def identity(tmp_path):
    return EdgeIdentity.open(tmp_path, NOW, lambda: ["localhost"])


def watched(identity, hours):
    shown = []
    keep_shown(lambda: identity.credentials(hours.now), lambda given: shown.append(given.read()), hours.wait)
    return shown


def test_its_own_is_shown_anew_when_two_thirds_of_its_time_are_over(identity):
    # Good for 397 days and backdated by two: renewed from day 264 on, so at the third look, and at the sixth.
    assert len(watched(identity, Hours(2))) == 0
    shown = watched(identity, Hours(6))
    assert len(shown) == len(set(shown)) == 2
    assert len({authority for authority, _, _ in shown}) == 1


def test_what_somebody_puts_there_is_shown_once_it_is_whole(identity, caplog):
    credentials = identity.credentials(NOW)
    key = new_key()
    other = identity.authority.edge_certificate(key, ["localhost"], NOW)
    hours = Hours(
        5,
        {1: lambda: credentials.certificate.write_bytes(other), 3: lambda: credentials.key.write_bytes(key)},
    )
    shown = []
    with caplog.at_level(logging.WARNING, "edgent.edge"):
        keep_shown(lambda: credentials, lambda given: shown.append(given.read()), hours.wait)
    assert shown == [(identity.authority.certificate, other, key)]
    assert len(caplog.messages) == 1 and "do not belong together" in caplog.messages[0]
