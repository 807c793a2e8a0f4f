"""What `edgent doctor` measures of a link is what the link is, in time that does not really pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgent.doctor.link import PAUSE, check_link
from edgent.errors import EdgeError, RefusedError
from edgent.testing import FakeLink
from edgent.wire import messages as m
from edgent.wire.edge_client import EdgeClient
from edgent.wire.errors import BrokenError
from edgent.wire.transport import Unary


@pytest.mark.parametrize("round_trip", [0.0, 0.04])
@pytest.mark.parametrize("rate", [1e6, 2e6, 2e7])
def test_rates_and_round_trip_are_those_of_the_link_and_nothing_is_said_of_pauses(link, clock, rate, round_trip):
    link.bandwidth, link.round_trip = rate, round_trip
    check = check_link(EdgeClient(link), clock)
    wire = 1.046  # for the headers of packets, which this link has not
    assert check.uplink == pytest.approx(rate * wire, rel=0.07)
    assert check.downlink == pytest.approx(rate * wire, rel=0.07)
    assert check.round_trip == pytest.approx(round_trip, abs=0.001)
    assert (check.up.cost, check.down.cost) == (0.0, 0.0)


@pytest.mark.parametrize(("drowsy", "costs"), [(0.5, 0.5), (0.004, 0.0)])
def test_what_a_pause_costs_is_found_if_it_is_more_than_times_vary_by(link, clock, drowsy, costs):
    class Link(FakeLink):
        rested_at = 0.0

        def call(self, method, message, timeout):
            began_at = clock.now()
            reply = super().call(method, message, timeout)
            if began_at - self.rested_at >= PAUSE:
                clock.sleep(drowsy)
            self.rested_at = clock.now()
            late = self.rested_at - reply.body_at
            return replace(reply, notes_at=reply.notes_at + late, body_at=self.rested_at)

    sleepy = Link(link.methods, clock=clock, bandwidth=2e7, round_trip=0.01)
    check = check_link(EdgeClient(sleepy), clock)
    assert (check.up.cost, check.down.cost) == pytest.approx((costs, costs), abs=1e-6)


def test_a_server_without_our_extension_cannot_be_measured(link, clock):
    bare = m.ServerMetadataResponse(name="other").SerializeToString()
    link.methods = {**link.methods, m.SERVER_METADATA: Unary(answer=lambda message, call: bare)}
    with pytest.raises(RefusedError, match="cannot be probed"):
        check_link(EdgeClient(link), clock)
    assert m.PROBE not in link.calls


def test_where_nobody_answers_the_reason_is_asked_for(link, clock):
    class Silent(FakeLink):
        def first_words(self, timeout):
            raise BrokenError("does it speak TLS?")

    for kind, words in ((Silent, "does it speak TLS"), (FakeLink, "the link is cut")):
        (cut := kind(link.methods, clock=clock)).cut()
        with pytest.raises(EdgeError, match=words):
            check_link(EdgeClient(cut), clock)
