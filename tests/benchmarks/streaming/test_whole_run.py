"""What the whole run counts: by hand, of a few events."""

from __future__ import annotations

from collections import Counter

import whole_run


def event(number, kind="answer", **record):
    return {"id": f"e{number}{kind}", "kind": kind, "record": {"deadline_met": True, "by": "edge"} | record}


EVENTS = [
    event(0),
    event(1, deadline_met=False, by="device"),
    event(1, "refined"),
    event(2, "replaced"),
    event(3, "failed"),
    event(4, by="device"),
]


def test_frames_are_counted_by_what_became_of_them_and_better_answers_beside_them():
    row = whole_run.counted(EVENTS, Counter(one["id"] for one in EVENTS), Counter(in_time=2, late=1, replaced=1))
    assert (row.frames, row.in_time, row.late, row.replaced, row.failed, row.refined) == (5, 2, 1, 1, 1, 1)
    assert (row.by_edge, row.lost, row.twice) == (1, 0, 0)
    assert (row.page_in_time, row.page_late, row.page_replaced) == (2, 1, 1)


def test_what_the_broker_never_had_is_lost_and_what_it_had_again_came_twice():
    row = whole_run.counted(EVENTS, Counter(e0answer=2, e2replaced=3, e3failed=1), Counter())
    assert (row.lost, row.twice) == (3, 2)


def test_frames_by_outcome_are_read_from_the_page():
    said = 'edgent_frames_total{source="a",outcome="late"} 3.0\nother{outcome="late"} 9\n# edgent_frames_total\n'
    assert whole_run.outcomes_in(said) == Counter(late=3)
