from __future__ import annotations

from demo.paper.made import LAST, branch, conditions
from edgent.demo.paper import METHODS
from edgent.demo.paper.live import repeats
from edgent.demo.paper.methods import Methods
from edgent.planning.candidates import Candidates
from edgent.planning.knobs import Kinds

KINDS = Kinds(last=frozenset({1}))
OF_TWO = Methods.of(Candidates.of([branch(0, [0.05], 0.7), branch(1, [0.05, 0.05], 0.9)]), KINDS)
WITH_FILES = Methods.of(Candidates.of([branch(1, [0.05, 0.05], 0.9, source=500.0)]), KINDS)


def cell(methods, bandwidth, deadline):
    return methods.cell(bandwidth, deadline, conditions(bandwidth))


def test_methods_stay_within_what_they_allow_themselves():
    for bandwidth in (1e4, 1e6, 1e8):
        for deadline in (0.02, 0.06, 0.2):
            chosen = cell(OF_TWO, bandwidth, deadline).chosen
            configurations = {name: choice.setup.configuration for name, choice in chosen.items()}
            assert set(configurations) == set(METHODS) - {"rival"}
            assert configurations["device-only"] == LAST
            assert (configurations["edge-only"].upload_cut, configurations["edge-only"].download_cut) == (0, 2)
            assert configurations["partitioning"].exit == 1
            assert configurations["right-sizing"].device_only


def test_what_uses_no_link_has_no_link_state_so_that_its_runs_are_shared():
    slow = cell(OF_TWO, 1e4, 0.2).chosen["device-only"]
    fast = cell(OF_TWO, 1e8, 0.2).chosen["edgent"]
    assert slow.setup.bandwidth is None
    assert not fast.setup.configuration.device_only and fast.setup.bandwidth == 1e8


def test_edgent_never_promises_less_than_another_method():
    for bandwidth in (1e4, 1e5, 1e6, 1e7, 1e8):
        for deadline in (0.02, 0.06, 0.09, 0.2):
            configurations = cell(OF_TWO, bandwidth, deadline).chosen
            worth = {name: c.accuracy * (c.predicted <= deadline) for name, c in configurations.items()}
            assert worth["edgent"] >= max(worth.values()) - 0.002


def test_knobs_are_needed_where_only_they_help():
    assert cell(OF_TWO, 1e3, 0.06).needed == {"exit"}  # no link to speak of: the early exit alone is in time
    assert "codec" in cell(OF_TWO, 1e6, 0.045).needed  # 85 ms for the raw tensor, 13 ms for the small one
    assert cell(OF_TWO, 1e3, 0.2).needed == frozenset()


def test_the_file_as_it_came_is_a_knob_of_its_own_beside_the_codecs():
    assert cell(WITH_FILES, 1e6, 0.045).needed == {"source"}  # 18 ms; the encoded tensor is in time too, a point worse
    assert cell(WITH_FILES, 1e8, 0.045).needed == frozenset()  # raw tensors pass as well


def test_requests_fill_the_time_within_bounds():
    assert repeats([0.125, 0.25], 7.5, 12) == 20
    assert repeats([2.0], 6.0, 12) == 12
    assert repeats([0.001], 6.0, 12) == 40
    assert repeats([], 6.0, 12) == 40
