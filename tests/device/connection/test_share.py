"""A device's share of a full edge: how refusals and answers change it, and what that means for belief in a queue."""

from __future__ import annotations

import pytest

from device.connection.test_link_follower import reply
from edgent.device.connection.link_follower import LinkFollower


def test_refusals_halve_the_share_of_the_edge_and_answers_give_it_back_by_steps() -> None:
    follower = LinkFollower(bandwidth=1e6)
    for share in (1.0, 0.5, 0.25):
        assert follower.conditions(10.0).share == share
        follower.refused(0.75, 10.0)
    for number in range(20):
        assert follower.conditions(10.0).share == pytest.approx(min(1.0, 0.25 + 0.05 * number))
        follower.observe(reply(0.1, sent=1000))


def test_who_keeps_to_a_share_believes_in_a_queue_for_a_moment_only() -> None:
    for gives_way, believed in ((True, [0.5, 0.0, 0.0]), (False, [0.5, 0.5, 0.0])):
        follower = LinkFollower(bandwidth=1e6, gives_way=gives_way)
        follower.refused(0.5, 10.0)
        assert [follower.conditions(at).queue for at in (10.1, 11.9, 12.1)] == believed
