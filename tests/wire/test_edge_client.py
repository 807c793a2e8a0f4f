from __future__ import annotations

import pytest

from edgent.wire import messages as m
from edgent.wire.edge_client import EdgeClient
from edgent.wire.transport import Reply


class Edge:
    """Answers every call at once with the headers that it was given."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers

    def call(self, method: str, message: bytes, timeout: float) -> Reply:
        return Reply(body=b"", headers=self.headers, sent_at=0.0, headers_at=1.0, body_at=2.0, window=None)


def test_an_edge_says_how_long_it_took() -> None:
    found = EdgeClient(Edge({m.TIMES_US: "1000 2000"})).probe(0, 0, 1.0)
    assert (found.queue, found.middle) == pytest.approx((1e-3, 2e-3))


@pytest.mark.parametrize(
    "said", ["", "1000", "1 2 3", "a b", "-1 2", "1.5 2", "\u0663 2", "\u00b2 2", "9" * 5000 + " 1"]
)
def test_what_an_edge_says_that_is_none_counts_as_nothing_said(said: str) -> None:
    found = EdgeClient(Edge({m.TIMES_US: said, m.WINDOW: said})).probe(0, 0, 1.0)
    assert (found.queue, found.middle, found.edge_window) == (0.0, 0.0, None)
