"""What an edge has served, by model: the oracle is arithmetic."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgent.edge.counters import Counters


def test_times_and_requests_add_up_by_model(model):
    other = replace(model, digest="f" * 64)
    counters = Counters([model, other])
    for waited in (0.25, 0.5):
        counters.answered(model, waited, 2.0)
    counters.turned_away(other)
    asked, refused = counters.accounts
    assert (asked.name, asked.version, asked.answered, asked.turned_away) == (model.name, model.version, 2, 0)
    assert (asked.queue, asked.middle) == pytest.approx((0.75, 4.0))
    assert (refused.version, refused.answered, refused.turned_away) == ("f" * 12, 0, 1)


def test_what_was_told_stays_as_it_was_told(model):
    counters = Counters([model])
    (before,) = counters.accounts
    counters.answered(model, 0.0, 1.0)
    assert before.answered == 0 and counters.accounts[0].answered == 1
