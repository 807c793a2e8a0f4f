"""Which configuration a request runs, without a device around it: what is ready, what has failed, what is known."""

from __future__ import annotations

import logging
import math

import pytest

from device.background import Background, Noting
from edgent.device.choosers.chooser import Static
from edgent.device.connection.handshake import EdgeFacts
from edgent.device.connection.sight import EdgeState, Sight
from edgent.device.division import Divisions
from edgent.device.drift import AS_PROFILED, Factors
from edgent.device.failures import Reason
from edgent.device.plan_source import PlanSource
from edgent.device.settings import DeviceSettings
from edgent.device.source_sizes import ENOUGH
from edgent.device.warm_sessions import Warmed
from edgent.errors import EdgentError, InputError, ModelError, RefusedError
from edgent.link import TransferModel
from edgent.link.transfer import Transfer
from edgent.planning import Conditions, Configuration

LAYER = 0.022
ENDS = (12, 16, 19, 20, 22)  # layers of each exit's branch
USUAL = 0.6
EDGE_ONLY = Configuration(exit=4, upload_cut=0, download_cut=22)


@pytest.fixture
def background():
    return Background()


@pytest.fixture
def choosers():
    """Those that were made, in order."""
    return []


@pytest.fixture
def source(model, slow, background, choosers):
    def make(scope):
        choosers.append(Noting(scope))
        return choosers[-1]

    def build(*, margin=0.01, **settings) -> PlanSource:
        told = DeviceSettings(**({"deadline": USUAL, "device_profile": slow, "environment": make} | settings))
        return PlanSource(
            model,
            told,
            divisions=Divisions(model, told.device_profile, told.host),
            warmer=background,
            machines=lambda: AS_PROFILED,
            edge_took=lambda measured, profiled: measured / profiled,
            margin=lambda deadline: margin,
        )

    return build


def up(*transfers, at=0.0, bandwidth=1e8) -> Sight:
    way = TransferModel(bandwidth=bandwidth, round_trip=0.001)
    conditions = Conditions(uplink=way, downlink=way)
    return Sight(at=at, state=EdgeState.UP, conditions=conditions, transfers=transfers)


def without(state=EdgeState.NO_EDGE, detail="") -> Sight:
    return Sight(at=0.0, state=state, detail=detail)


def crossed(number) -> Transfer:
    return Transfer(direction="up", size=1000.0 + number, seconds=0.01, at=float(number))


@pytest.fixture
def facts(fast):
    return EdgeFacts(profile=fast)


@pytest.fixture
def planning(source, facts, background):
    """A source that has an edge, and whose background has done its work."""

    def build(**settings) -> PlanSource:
        built = source(**settings)
        built.edge_up(facts, up())
        background.work()
        return built

    return build


@pytest.mark.parametrize("margin", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("deadline", [0.28, 0.36, 0.43, 0.45, 0.5, 2.0])
def test_alone_the_best_exit_in_time_answers_margin_kept(source, model, deadline, margin):
    choice = source(margin=margin).choose("array", without(), deadline)
    fitting = [exit for exit, layers in enumerate(ENDS) if layers * LAYER <= deadline - margin] or [0]
    best = max(model.branch(exit).accuracy for exit in fitting)
    equal = [exit for exit in fitting if model.branch(exit).accuracy >= best - 0.002 - 1e-9]
    assert choice.configuration == Configuration(exit=equal[0], upload_cut=ENDS[equal[0]], download_cut=ENDS[equal[0]])
    assert choice.plan.stages.total == pytest.approx(ENDS[equal[0]] * LAYER)
    assert (choice.why, choice.detail) == (Reason.NONE, "")


def test_a_picture_takes_the_time_to_prepare_it_and_an_array_does_not(source):
    plans = {kind: source().choose(kind, without(), USUAL).plan for kind in ("image", "array")}
    assert plans["image"].stages.total - plans["array"].stages.total == pytest.approx(3e-4)


@pytest.mark.parametrize("factors", [Factors(device=1.5), Factors(backlog=0.2)])
def test_a_slow_or_busy_device_answers_at_an_earlier_exit(source, factors):
    built = source()
    usual, slowed = (built.choose("array", without(), 0.5, now).configuration.exit for now in (AS_PROFILED, factors))
    assert slowed < usual


def test_alone_of_a_kind_is_what_the_usual_deadline_allows(source):
    assert source(deadline=0.3).alone("array").exit == 0
    assert source(deadline=0.45).alone("array").exit == 2


def test_without_a_profile_nobody_plans_but_a_configuration_of_ones_own_is_run(source):
    built = source(device_profile=None)
    for ask in (lambda: built.choose("array", without(), USUAL), lambda: built.alone("array")):
        with pytest.raises(InputError, match="without a profile cannot plan"):
            ask()
    own = Configuration(exit=1, upload_cut=16, download_cut=16)
    choice = built.choose("array", without(), USUAL, configuration=own)
    assert (choice.configuration, choice.plan, choice.why) == (own, None, Reason.NONE)


@pytest.mark.parametrize("state", [state for state in EdgeState if state.reason])
def test_while_the_edge_is_away_the_device_plans_alone_and_the_reason_is_that_of_the_state(planning, state):
    choice = planning().choose("image", without(state, "as it was said"), USUAL)
    assert choice.configuration.device_only
    assert (choice.why, choice.detail) == (state.reason, "as it was said")


def test_when_the_edge_comes_the_first_plan_is_readied_before_a_request_asks(source, facts, background, choosers):
    built = source()
    built.edge_up(facts, up())
    assert background.forgotten == 1 and len(choosers) == 1
    (wanted,) = background.wanted
    assert not wanted.device_only
    background.work()
    choice = built.choose("image", up(), USUAL)
    assert (choice.configuration, choice.why) == (wanted, Reason.NONE)


def test_what_was_ready_at_an_edge_is_readied_again_when_it_is_back_though_the_link_seems_slow(
    source, facts, background
):
    built = source()
    built.edge_up(facts, up())
    background.work()
    built.edge_up(facts, up(bandwidth=1e3))
    assert background.wanted == [background.wanted[0]] * 2
    built.edge_up(EdgeFacts(profile=None, calibration=None, segments=("another",)), up(bandwidth=1e3))
    assert len(background.wanted) == 2  # of another edge nobody knows what it can run


def test_until_a_plan_is_ready_the_best_that_is_answers_and_the_plan_is_asked_for(source, facts, background):
    built = source()
    built.edge_up(facts, up())
    choice = built.choose("image", up(), USUAL)
    assert choice.configuration.device_only and choice.plan is not None and choice.why is Reason.NONE
    assert set(background.wanted) == {background.wanted[0]} and not background.wanted[0].device_only


def test_a_plan_of_the_device_alone_needs_nothing_to_be_ready(planning, background):
    built = planning()
    background.wanted.clear()
    background.warmed = Warmed()
    choice = built.choose("image", up(bandwidth=1e3), USUAL)
    assert choice.configuration.device_only and background.wanted == []


def test_a_kind_of_input_that_came_for_the_first_time_is_priced_beside_the_request(planning, background, choosers):
    built = planning()
    choice = built.choose("array", up(), USUAL)
    assert (choice.configuration.device_only, choice.why) == (True, Reason.NOT_PLANNED)
    assert len(choosers) == 1
    background.work()
    assert len(choosers) == 2
    assert built.choose("array", up(), USUAL).why is Reason.NONE
    background.work()
    assert not built.choose("array", up(), USUAL).configuration.device_only


def test_a_configuration_that_failed_is_left_out_by_a_new_chooser(planning, background, choosers):
    built = planning()
    failed = built.choose("image", up(), USUAL).configuration
    background.fail(failed)
    meanwhile = built.choose("image", up(), USUAL)
    assert meanwhile.configuration != failed and len(choosers) == 1
    built.choose("image", up(), USUAL)
    assert len(background.jobs) == 1  # asked for once
    background.work()
    assert len(choosers) == 2
    kept = choosers[1].scope.candidates
    assert failed not in [kept.configurations[row] for row in range(len(kept))]
    assert built.choose("image", up(), USUAL).configuration != failed


def test_that_a_plan_fails_is_logged_once_and_the_warmer_gives_it_up(planning, background, caplog):
    built = planning()
    with caplog.at_level(logging.WARNING, "edgent.device"):
        built.failed(EDGE_ONLY, EdgentError("its kernel failed"))
        background.fail(EDGE_ONLY)
        built.failed(EDGE_ONLY, EdgentError("its kernel failed"))
    (said,) = caplog.messages
    assert "is not chosen again: its kernel failed" in said
    assert background.given_up == [EDGE_ONLY, EDGE_ONLY]


def test_a_named_configuration_is_run_and_priced_if_it_has_a_price(planning):
    built = planning()
    choice = built.choose("image", up(), USUAL, configuration=EDGE_ONLY)
    assert choice.configuration == EDGE_ONLY and choice.plan.configuration == EDGE_ONLY
    unpriced = Configuration(exit=4, upload_cut=4, download_cut=22, codec="uint8")  # lossy, and never measured
    choice = built.choose("image", up(), USUAL, configuration=unpriced)
    assert (choice.configuration, choice.plan, choice.why) == (unpriced, None, Reason.NONE)


def test_a_named_configuration_of_the_device_is_priced_for_a_busy_device(source):
    own = Configuration(exit=1, upload_cut=16, download_cut=16)
    choice = source().choose("array", without(), USUAL, Factors(device=2.0, backlog=0.1), own)
    assert choice.plan.stages.total == pytest.approx(2 * 16 * LAYER + 0.1)


def test_a_named_configuration_for_an_edge_where_there_is_none_is_refused(source):
    with pytest.raises(InputError, match="needs an edge; this device has none"):
        source().choose("array", without(), USUAL, configuration=EDGE_ONLY)


def test_a_named_configuration_whose_edge_is_lost_leaves_the_device_with_its_own(source):
    choice = source().choose("array", without(EdgeState.LOST, "gone"), USUAL, configuration=EDGE_ONLY)
    assert choice.configuration.device_only and choice.plan is not None
    assert (choice.why, choice.detail) == (Reason.LOST, "gone")
    choice = source(device_profile=None).choose("array", without(EdgeState.LOST), USUAL, configuration=EDGE_ONLY)
    assert choice.configuration == Configuration(exit=4, upload_cut=22, download_cut=22)
    assert (choice.plan, choice.why) == (None, Reason.LOST)


def test_files_of_other_sizes_are_priced_once_there_are_enough(planning, background, choosers):
    built, sizes = planning(), []
    for size in [2_000, *[50_000] * (2 * ENOUGH)]:  # the first is of about nothing that was known
        built.choose("image", up(), USUAL, source_bytes=size)
        background.work()
        sizes.append(len(choosers))
    assert sizes == [2] * ENOUGH + [3] * (ENOUGH + 1)


def test_the_size_of_one_file_among_others_prices_nothing(planning, background, choosers):
    built = planning()
    for size in [2_000, *[2_000, 2_400, 1_800, 3_000] * 8]:
        built.choose("image", up(), USUAL, source_bytes=size)
        background.work()
    assert len(choosers) == 2


def test_exits_that_may_not_answer_are_not_chosen(source):
    assert source(exits=[1, 2]).choose("array", without(), 10.0).configuration.exit == 2


def test_what_plans_may_be_reaches_the_chooser(planning, choosers):
    planning(direction="edge-first", exits=[3, 4], codecs=["float32"], race=False)
    scope = choosers[0].scope
    rows = [scope.candidates.configurations[row] for row in range(len(scope.candidates))]
    assert {one.exit for one in rows} == {3, 4} and {one.codec for one in rows} == {"float32"}
    assert all(one.upload_cut == 0 or one.device_only for one in rows)
    assert (scope.race, scope.deadline, scope.margin(1.0)) == (False, USUAL, 0.01)


def test_a_codec_that_nobody_has_priced_is_named_once(source, facts, caplog):
    planning = source(codecs=["float32", "webp-7"])
    with caplog.at_level(logging.WARNING, "edgent.device"):
        planning.edge_up(facts, up())
        planning.edge_up(EdgeFacts(profile=facts.profile.scaled(2, "slower")), up())
    (said,) = [one.getMessage() for one in caplog.records]
    assert "nobody knows what webp-7 would bring" in said and "edgent evaluate" in said


def test_of_codecs_that_have_a_price_nothing_is_said(source, facts, caplog):
    with caplog.at_level(logging.WARNING, "edgent.device"):
        source(codecs=["float32"]).edge_up(facts, up())
    assert not caplog.records


@pytest.mark.parametrize("wrong", [{"exits": [9]}, {"codecs": ["zip"]}])
def test_an_exit_or_codec_that_does_not_exist_is_refused_when_the_source_is_built(source, wrong):
    with pytest.raises((InputError, ModelError)):
        source(**wrong)


def test_transfers_reach_every_chooser_and_the_latest_of_them_one_made_later(planning, background, choosers):
    built = planning()
    built.choose("image", up(*map(crossed, range(70))), USUAL)
    assert choosers[0].seen == [crossed(number) for number in range(70)]
    built.choose("array", up(crossed(70)), USUAL)
    background.work()
    assert choosers[1].seen == [crossed(number) for number in range(7, 71)]
    built.choose("image", up(crossed(71)), USUAL)
    assert choosers[0].seen[-1] == choosers[1].seen[-1] == crossed(71)


def test_transfers_are_taken_in_while_the_edge_is_away(planning, choosers):
    planning().choose("image", Sight(at=0.0, state=EdgeState.LOST, transfers=(crossed(1),)), USUAL)
    assert choosers[0].seen == [crossed(1)]


def test_the_bandwidth_that_decides_is_the_highest_any_chooser_asks_for(planning, background, choosers):
    built = planning()
    built.choose("array", up(), 0.123)
    background.work()
    choosers[0].bandwidth, choosers[1].bandwidth = 2e6, 5e6
    assert built.decisive(up(crossed(1))) == 5e6
    assert choosers[0].asked == choosers[1].asked == [0.123]  # the deadline of the latest request
    assert choosers[0].seen[-1] == crossed(1)
    choosers[0].bandwidth = choosers[1].bandwidth = None
    assert built.decisive(up()) is None


def test_where_nothing_is_known_every_bandwidth_decides(source, planning):
    assert source().decisive(up()) == math.inf
    assert planning().decisive(without(EdgeState.LOST)) == math.inf


def test_the_same_edge_again_is_not_priced_again_and_another_is(planning, facts, slow, background, choosers):
    built = planning()
    built.edge_up(facts, up())
    assert len(choosers) == 1 and background.forgotten == 2
    built.edge_up(EdgeFacts(profile=slow), up())
    assert len(choosers) == 2 and choosers[1].scope.edge is slow


def test_candidates_priced_for_an_edge_that_has_gone_meanwhile_are_thrown_away(source, facts, slow, background):
    other, made = EdgeFacts(profile=slow), []

    def make(scope):
        made.append(chooser := Noting(scope))
        if len(made) == 1:
            built.edge_up(other, up())  # while the first is still being made
        return chooser

    built = source(environment=make)
    built.edge_up(facts, up())
    built.choose("image", up(crossed(1)), USUAL)
    assert [chooser.scope.edge for chooser in made] == [facts.profile, slow]
    assert (made[0].seen, made[1].seen) == ([], [crossed(1)])


def test_an_edge_without_a_profile_is_taken_for_the_one_it_was_told_or_for_this_machine(source, slow, fast, caplog):
    made = []

    def make(scope):
        made.append(scope.edge)
        return Static(scope)

    for settings in ({"edge_profile": fast}, {"host_profile": fast}, {}):
        source(environment=make, **settings).edge_up(EdgeFacts(), up())
    assert made == [fast, fast, slow]
    assert sum("has no profile" in line for line in caplog.messages) == 3


def test_towards_a_foreign_server_only_its_segments_are_candidates(source, model, fast, choosers):
    source().edge_up(EdgeFacts(profile=fast, segments=frozenset({f"{model.name}.x4.u0.d22"})), up())
    kept = choosers[0].scope.candidates
    rows = [kept.configurations[row] for row in range(len(kept))]
    assert [one for one in rows if not one.device_only] == [EDGE_ONLY]


def test_an_edge_that_nobody_can_plan_with_is_logged_and_one_that_is_refused_is_refused(source, facts, caplog):
    def make(error):
        def fail(scope):
            raise error

        return fail

    built = source(environment=make(InputError("no calibration fits")))
    built.edge_up(facts, up())
    assert any("cannot plan with this edge: no calibration fits" in line for line in caplog.messages)
    assert built.choose("image", up(), USUAL).why is Reason.NOT_PLANNED
    with pytest.raises(RefusedError, match="another map"):
        source(environment=make(RefusedError("another map"))).edge_up(facts, up())


def test_without_a_profile_an_edge_is_noted_and_nothing_planned(source, facts, background, choosers):
    source(device_profile=None).edge_up(facts, up())
    assert (choosers, background.wanted, background.forgotten) == ([], [], 1)


def test_an_edge_whose_link_is_not_known_yet_is_priced_and_nothing_is_asked_for(source, facts, background, choosers):
    source().edge_up(facts, without(EdgeState.CONNECTING))
    assert len(choosers) == 1 and background.wanted == []
