from __future__ import annotations

import numpy as np
import pytest

from edgent.device.connection.probe_account import LOOK_SHARE, OWN_SHARE, ProbeAccount
from edgent.device.connection.upkeep import (
    AGAIN,
    ASK,
    BUSY,
    CALM,
    IDLE,
    LEAD,
    RARELY,
    RETRY,
    SEARCH,
    SEARCH_LEAD,
    SELDOM,
    STALE,
    Task,
    Upkeep,
)
from edgent.link.probing import WINDOW
from edgent.units import Seconds


def connected(*, measures=True, account=None) -> Upkeep:
    watch = Upkeep(measures=measures, account=account)
    watch.connected(10.0)
    return watch


def test_a_new_connection_is_made_at_once():
    assert Upkeep(measures=True).next(0.0) is Task.CONNECT


def test_after_a_failure_it_is_tried_again_a_little_later():
    watch = Upkeep(measures=True)
    watch.connect_failed(1.0)
    assert watch.next(1.0) == 1.0 + RETRY
    assert watch.next(1.0 + RETRY) is Task.CONNECT


def test_a_lost_edge_is_looked_for_at_once():
    watch = connected()
    watch.lost(11.0)
    assert watch.next(11.0) is Task.CONNECT


def test_losing_it_twice_does_not_hurry_the_next_try():
    watch = connected()
    watch.lost(11.0)
    watch.connect_failed(11.0)
    watch.lost(11.1)
    assert watch.next(11.1) == 11.0 + RETRY


def test_nothing_is_checked_while_requests_are_answered():
    watch = connected(measures=False)
    watch.heard(10.0 + IDLE)
    assert watch.next(10.0 + IDLE) == 10.0 + 2 * IDLE


def test_an_idle_connection_is_checked():
    assert connected(measures=False).next(10.0 + IDLE) is Task.CHECK


def test_a_late_answer_is_checked_at_once():
    watch = connected()
    watch.suspected()
    assert watch.next(10.0) is Task.CHECK
    watch.checked(10.1, 0.001)
    assert watch.next(10.1) == 10.1 + IDLE


def answer(watch: Upkeep, at: float, *, telling: bool = False) -> None:
    """A request was asked of the edge, and answered at once."""
    watch.began(Seconds(at))
    watch.answered(Seconds(at), telling=telling)


def test_a_request_that_is_answered_is_under_way_no_more():
    watch = connected()
    watch.began(10.0)
    watch.began(10.0)
    watch.answered(12.0)
    assert watch.busy
    watch.answered(12.0)
    assert not watch.busy


def test_a_connection_in_use_is_left_alone():
    watch = connected()
    watch.began(10.0 + 2 * STALE)
    assert not isinstance(watch.next(10.0 + 2 * STALE), Task)
    watch.ended()
    assert watch.next(10.0 + 2 * STALE) is Task.MEASURE


def test_while_nothing_is_heard_an_edge_that_is_asked_is_checked_as_an_idle_one():
    """A request that nobody may overtake waits for ten seconds: a dead edge is to be known before that."""
    watch = connected()
    watch.began(15.0)
    assert watch.next(15.0) == pytest.approx(15.0 + BUSY)
    watch.began(16.0)
    assert watch.next(15.0 + IDLE - 0.01) == pytest.approx(15.0 + IDLE)
    assert watch.next(15.0 + IDLE) is Task.CHECK
    watch.checked(17.1, 0.01)
    assert watch.next(17.1) == pytest.approx(17.1 + BUSY)
    assert watch.next(17.1 + IDLE) is Task.CHECK
    watch.answered(19.2)
    assert watch.next(19.3) == pytest.approx(19.3 + BUSY)
    watch.answered(19.4)
    watch.began(29.0)
    assert watch.next(29.1) == pytest.approx(29.1 + BUSY)


def test_it_is_left_alone_until_the_last_of_several_requests_has_ended():
    watch = connected()
    watch.began(14.9)
    watch.began(14.9)
    watch.ended()
    assert watch.next(15.0) == pytest.approx(15.1)  # asked again in a tenth of a second
    watch.ended()
    assert watch.next(15.1) is Task.MEASURE


def test_an_edge_that_came_back_is_not_suspected_of_what_the_lost_connection_did():
    watch = connected()
    watch.suspected()
    watch.lost(11.0)
    watch.connected(12.0)
    assert watch.next(12.0) == 14.0


def test_how_long_is_waited_in_seconds():
    """An edge that is back is found within half a second; what is looked at costs little of an idle link."""
    watch = Upkeep(measures=True)
    watch.connect_failed(100.0)
    assert watch.next(100.0) == pytest.approx(100.4)
    watch.connected(100.0)
    assert watch.next(100.0) == 102.0  # checked
    watch.heard(102.0)
    assert watch.next(102.0) == 102.5  # measured
    watch.declined(102.5)
    watch.heard(102.5)
    assert watch.next(102.5) == 103.5  # asked again whether it matters
    watch.measured(103.5, 0.0)
    for second in range(103, 134):
        answer(watch, float(second))
    assert watch.next(133.0) == 133.5  # measured though all requests are answered


def test_an_old_estimate_is_measured_again_unless_the_bandwidth_was_told():
    assert connected().next(10.0 + STALE) is Task.MEASURE
    assert connected(measures=False).next(10.0 + STALE) is Task.CHECK


def test_where_nobody_plans_by_it_the_link_is_not_measured_and_that_is_asked_again_soon():
    watch = connected()
    watch.heard(10.0 + STALE)
    watch.declined(10.0 + STALE)
    assert watch.next(10.0 + STALE) == pytest.approx(10.0 + STALE + ASK)
    assert watch.next(10.0 + STALE + ASK) is Task.MEASURE


def test_answers_that_tell_the_bandwidth_spare_the_measuring():
    watch = connected()
    watch.heard(14.0, telling=True)
    assert watch.next(14.0 + IDLE) is Task.CHECK
    assert watch.next(14.0 + STALE) is Task.MEASURE


def test_checks_that_take_long_are_made_rarely():
    watch = connected(measures=False)
    watch.checked(12.0, 0.5)
    assert watch.next(12.0 + IDLE) == 22.0


def test_while_requests_are_answered_the_link_is_measured_rarely_and_soon_after_they_end():
    watch = connected()
    measured_at = []
    for tenth in range(int(10 * 3 * RARELY)):
        at = 10.0 + tenth / 10
        if at < 10.0 + 1.5 * RARELY:
            answer(watch, at)
        watch.heard(at)
        if watch.next(at) is Task.MEASURE:
            measured_at.append(at)
            watch.measured(at, 0.0)
    busy = [at for at in measured_at if at < 10.0 + 1.5 * RARELY]
    assert busy == [pytest.approx(10.0 + RARELY)]
    assert measured_at[1] == pytest.approx(10.0 + 1.5 * RARELY + STALE, abs=0.2)
    assert len(measured_at) > 10


def rhythmic(*, period: float = 2.0, requests: int = 5) -> Upkeep:
    """The last request came at 20 s and was answered by the edge, and nothing else happened since."""
    watch = connected()
    for turn in range(requests):
        watch.requested(20.0 - period * (requests - 1 - turn))
    answer(watch, 20.0, telling=True)
    return watch


def test_just_before_a_request_that_is_expected_the_link_is_looked_at():
    watch = rhythmic()
    assert watch.next(21.0) == pytest.approx(22.0 - LEAD)
    assert watch.next(22.0 - LEAD) is Task.LOOK


def test_who_wakes_too_late_for_a_look_waits_for_the_next_request():
    watch = rhythmic()
    watch.heard(21.99)
    assert watch.next(21.99) == pytest.approx(24.0 - LEAD)
    watch.heard(24.0 - LEAD)
    assert watch.next(24.0 - LEAD) is Task.LOOK


def test_who_wakes_late_by_less_than_half_the_lead_still_looks():
    for late, looks in ((0.4, True), (0.6, False)):
        watch, at = rhythmic(), 22.0 - LEAD + late * LEAD
        watch.heard(at)
        assert (watch.next(at) is Task.LOOK) == looks


def test_a_look_that_nobody_would_plan_by_is_offered_before_the_next_request_again():
    watch = rhythmic()
    watch.declined(22.0 - LEAD)
    watch.heard(22.0 - LEAD)
    assert watch.next(22.0 - LEAD) == pytest.approx(24.0 - LEAD)  # and not at once
    watch.requested(22.0)
    answer(watch, 22.0)
    assert watch.next(22.0) == pytest.approx(24.0 - LEAD)


def test_requests_in_quick_succession_leave_no_time_for_looks():
    watch = rhythmic(period=0.15)
    watch.heard(20.0)
    assert watch.next(20.0) == 20.0 + IDLE


def test_requests_a_quarter_of_a_second_apart_leave_time_for_looks():
    watch = rhythmic(period=0.25)
    assert watch.next(20.0) == pytest.approx(20.25 - LEAD)


def test_looks_one_way_do_not_spare_the_rare_measuring_of_both():
    watch = rhythmic()
    measured = []
    for tenth in range(200, 1000):
        at = tenth / 10
        watch.heard(at)
        if tenth % 20 == 0:
            watch.requested(at)
            answer(watch, at)
        if (task := watch.next(at)) is Task.LOOK:
            watch.looked(at, 0.0)
        elif task is Task.MEASURE:
            measured.append(at)
            watch.measured(at, 0.0)
    assert len(measured) == 2
    assert RARELY <= np.diff(measured)[0] <= RARELY + WINDOW


def without(*, requests: int = 1, gap: float = 0.37) -> Upkeep:
    """Requests that came without the edge, the last one at 20 s; the edge was sought then."""
    watch = connected()
    for turn in range(requests):
        watch.requested(20.0 - gap * (requests - 1 - turn))
    watch.sought(20.0, 0.0)
    return watch


def test_an_edge_that_a_request_went_without_is_sought_at_once_but_not_while_it_may_still_be_asked():
    watch = connected()
    watch.requested(20.0)
    assert watch.next(20.0) == pytest.approx(20.1)
    assert watch.next(20.1) is Task.SEEK


def test_an_edge_that_answers_is_not_sought():
    watch = connected()
    for second in range(20, 40):
        watch.requested(float(second))
        answer(watch, second + 0.03)
        assert watch.next(second + 0.2) is not Task.SEEK


def test_how_often_it_is_sought_is_a_matter_of_what_that_costs_and_never_of_how_long_it_took():
    for occupied, after in ((0.0, AGAIN), (0.01, 0.5), (0.032, SELDOM), (5.0, SELDOM)):
        watch = without()
        watch.sought(20.0, occupied)
        assert watch.next(20.2) == pytest.approx(20.0 + after)
        assert watch.next(20.0 + after) is Task.SEEK


def test_whatever_a_search_costs_the_next_one_comes_within_two_seconds():
    assert SELDOM + SEARCH_LEAD < 2.0
    assert pytest.approx(0.02 * SELDOM) == SEARCH  # so even the longest search fits into its share


def test_requests_that_come_by_chance_are_not_waited_for_and_regular_ones_are_just_before_them():
    assert without().next(20.2) == pytest.approx(20.25)
    watch = without(requests=5, gap=1.2)
    assert watch.next(20.2) == pytest.approx(21.2 - SEARCH_LEAD)
    assert watch.next(21.2 - SEARCH_LEAD) is Task.SEEK
    watch = without(requests=5, gap=2.0)  # too far away to be waited for
    assert watch.next(20.2) == pytest.approx(20.25)


def test_where_requests_are_rare_it_is_sought_calmly():
    watch = without()
    watch.sought(30.0, 0.0)
    assert watch.next(30.2) == pytest.approx(30.0 + CALM)


def test_a_new_connection_has_the_edge_sought_at_once_where_requests_went_without_it():
    watch = without()
    watch.lost(20.05)
    watch.connected(20.1)
    assert watch.next(20.1) is Task.SEEK


def test_it_says_whether_it_is_suspected_and_asked():
    watch = connected()
    assert not (watch.is_suspected or watch.busy)
    watch.suspected()
    watch.began(10.0)
    assert watch.is_suspected
    assert watch.busy
    watch.heard(20.0)
    watch.ended()
    assert not (watch.is_suspected or watch.busy)


def test_its_repr_says_what_it_is():
    watch = Upkeep(measures=True)
    assert repr(watch) == "<Upkeep down, 0 under way>"
    watch.connected(0.0)
    watch.began(10.0)
    assert repr(watch) == "<Upkeep up, 1 under way>"


@pytest.mark.parametrize("bits", [5_000, 20_000, 50_000, 500_000])
@pytest.mark.parametrize("gap", [0.3, 1.0, 2.0])
def test_looks_and_measurements_together_take_their_share_of_any_ten_seconds(bits, gap):
    """The oracle adds up what was begun in each window, whatever it was; who has more to send makes it fit."""
    account, sent, due = ProbeAccount(), [], 10.0
    account.carries(1e6, 0.0)
    watch = connected(account=account)
    for hundredth in range(1_000, 10_000):
        at = hundredth / 100
        if at >= due and hundredth < 6_000:  # and then there are none
            watch.requested(at)
            answer(watch, at)
            due += gap
        if (task := watch.next(at)) in (Task.LOOK, Task.MEASURE):
            share = LOOK_SHARE if task is Task.LOOK else OWN_SHARE
            sent.append((at, min(bits, account.room(at, share))))
            account.sent(sent[-1][1], at)
            (watch.looked if task is Task.LOOK else watch.measured)(at + 0.04, bits)
    shares = [sum(bits for at, bits in sent if begin <= at < begin + WINDOW) / WINDOW / 1e6 for begin, _ in sent]
    assert len(sent) >= 3
    assert sum(bits == 0 for _, bits in sent) <= 1  # once there was one of each, nobody begins who finds no room
    assert max(shares) <= LOOK_SHARE + 1e-9
