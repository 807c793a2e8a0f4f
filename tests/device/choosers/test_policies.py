"""Choosers of a device whose candidates have gates: by configuration, for that is what is ready or in a map."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgent.device.choosers.candidate_sets import Restriction, together
from edgent.device.choosers.chooser import Scope, Static
from edgent.device.choosers.dynamic import Dynamic
from edgent.device.choosers.mapped import Mapped
from edgent.link import TransferModel
from edgent.link.transfer import Transfer
from edgent.planning.conditions import Conditions
from edgent.planning.paper.algorithm2 import MapSettings, build_map
from edgent.planning.plan import Configuration
from edgent.planning.policy import with_policies
from edgent.units import BitsPerSecond, Seconds
from networks.policies import gate, gates, table
from shared_fixtures import make_profile

DEADLINE, NOW = Seconds(0.3), Seconds(100.0)
ASKED = Configuration(exit=1, upload_cut=0, download_cut=1, codec="source")


@pytest.fixture(scope="module")
def scope(slow, fast) -> Scope:
    both = with_policies(table(), gates(gate()))
    return Scope(candidates=both, device=slow, edge=fast, deadline=DEADLINE, race=True, margin=lambda _: Seconds(0.009))


def link(bandwidth: float) -> Conditions:
    model = TransferModel(bandwidth=BitsPerSecond(bandwidth))
    return Conditions(uplink=model, downlink=model)


@pytest.mark.parametrize("make", [Static, Dynamic])
def test_what_is_ready_is_ready_with_its_gate(scope, make) -> None:
    chooser = make(scope)
    chooser.observe([Transfer(direction=way, size=1e6, seconds=0.08, at=NOW) for way in ("up", "down")])
    assert chooser.choose(NOW, link(1e8), DEADLINE).gate == gate()
    assert chooser.choose(NOW, link(1e8), DEADLINE, [ASKED]).gate == gate()
    assert chooser.choose(NOW, link(1e8), DEADLINE, []).configuration.device_only


def test_a_map_holds_no_gates_and_one_is_put_before_what_it_says(scope, slow, fast) -> None:
    settings = MapSettings(bandwidths=[1e5, 1e8], deadlines=[DEADLINE])
    states = build_map(scope.candidates, "bundle", slow, fast, settings)
    assert states == build_map(table(), "bundle", slow, fast, settings)
    chooser = Mapped(states, scope)
    chooser.observe([Transfer(direction="up", size=1e6, seconds=0.08, at=NOW)] * 20)
    plan = chooser.choose(NOW, link(1e8), DEADLINE)
    assert (plan.configuration, plan.gate) == (ASKED, gate())


def test_gates_are_for_requests_that_bring_a_picture(model, slow, fast) -> None:
    entry = replace(gates(gate(later=4)), model=model.name, digest=model.digest)
    restriction = Restriction(gates=entry)
    by_kind = {
        kind: together(model, slow, fast, None, source=kind, source_bytes=9_000.0, restriction=restriction)
        for kind in ("image", "array")
    }
    assert (by_kind["image"].allowed.gate >= 0).any()
    assert by_kind["image"].everything.gates is None  # a configuration that is given has none
    assert by_kind["array"].allowed.gates is None


def test_what_has_failed_is_left_out_with_its_gate(model, slow) -> None:
    offer = together(
        model,
        slow,
        make_profile(model),
        None,
        source="image",
        source_bytes=9_000.0,
        restriction=Restriction(gates=replace(gates(gate(later=4)), model=model.name, digest=model.digest)),
    )
    whole = Configuration(exit=4, upload_cut=0, download_cut=22, codec="source")
    assert len(offer.allowed.rows[whole]) == 2
    assert whole not in offer.without([whole]).allowed.rows
