from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgent.errors import InputError
from edgent.link.generator import generated, varied
from edgent.link.trace import Trace
from edgent.link.transfer import Transfer
from edgent.planning.candidates import Candidates
from edgent.planning.costs import BranchCosts
from edgent.replay import replay
from edgent.replay.choices import Choices, outcomes
from edgent.replay.method_run import MethodRun, RequestTimes
from edgent.replay.methods import METHODS, Ours, World
from edgent.replay.predictors import Bandit, Method, ewma, harmonic_mean, last_sample, static
from edgent.replay.report import _job
from edgent.replay.trace import TraceSettings
from edgent.units import Seconds
from replay.machines import LAYERS, branch, candidates, request

LINKS = tuple(generated(seed, seconds=60, mean=1.2e6) for seed in range(4))


def flat(bandwidth: float, seconds: int = 40) -> Trace:
    return Trace(
        name="flat",
        starts=np.arange(seconds, dtype=np.float64),
        bandwidths=np.full(seconds, bandwidth),
        duration=Seconds(float(seconds)),
    )


def choices(deadline: float = 0.080, race: bool = False) -> Choices:
    return Choices.of(candidates(), Seconds(deadline), race=race)


def requests(job: TraceSettings, trace: Trace) -> RequestTimes:
    return RequestTimes(first=0.1, interval=job.interval, end=trace.duration)


def test_the_same_request_gives_the_same_report_to_the_bit() -> None:
    first, second = (replay(request(variation=0.2, seed=3), LINKS).document() for _ in range(2))
    assert json.dumps(first) == json.dumps(second)
    assert json.dumps(replay(request(variation=0.2, seed=4), LINKS).document()) != json.dumps(first)


def test_several_processes_give_what_one_gives() -> None:
    links = tuple(generated(seed, seconds=10) for seed in range(8))
    alone, together = (replay(request(variation=0.2), links, processes=n).document() for n in (1, 2))
    assert alone == together


def test_the_document_has_exactly_the_promised_names() -> None:
    document = replay(request(), LINKS[:1]).document()
    assert list(document) == ["deadline_ms", "traces", "contested", "gap_closed", "methods"]
    assert document["deadline_ms"] == 80.0 and document["traces"] == 1
    assert set(document["methods"]) == {  # type: ignore[call-overload]
        *("clairvoyant", "regime", "fixed", "static", "last-sample", "ewma", "harmonic-mean", "bandit"),
        *("paper-dynamic", "edgent-no-change-points", "edgent"),
    }
    for each in document["methods"].values():  # type: ignore[attr-defined]
        assert list(each) == ["accuracy_in_time", "miss_rate", "reward_mean", "throughput_mean", "switches"]


@pytest.mark.parametrize("race", [True, False])
@pytest.mark.parametrize("interval", [2.0, 0.5])
def test_nobody_beats_the_clairvoyant(race: bool, interval: float) -> None:
    report = replay(request(race=race, interval=interval, variation=0.2), LINKS)
    best = report.mean("clairvoyant", "accuracy")
    assert all(report.mean(name, "accuracy") <= best + 1e-12 for name in METHODS)


def test_on_a_link_that_never_changes_everyone_who_plans_does_as_well_as_the_oracle() -> None:
    report = replay(request(deadline=0.060), [flat(3e6)])
    found = {name: report.mean(name, "accuracy") for name in METHODS}
    best = found.pop("clairvoyant")
    found.pop("bandit")  # it has to learn first
    found.pop("paper-dynamic")  # its map has few states
    assert found == pytest.approx(dict.fromkeys(found, best))
    assert report.contested == 0


def test_with_a_race_nobody_gives_less_and_a_late_edge_is_rescued() -> None:
    without, racing = (replay(request(race=race, variation=0.2), LINKS) for race in (False, True))
    for name in METHODS:
        assert racing.mean(name, "accuracy") >= without.mean(name, "accuracy") - 1e-12
    assert racing.mean("static", "missed") < without.mean("static", "missed")


def test_back_to_back_faster_plans_answer_more() -> None:
    report = replay(request(interval=None), [flat(20e6, 4)])
    counted = {name: report.per_trace[0][name].requests for name in METHODS}
    assert counted["clairvoyant"] > 4 / 0.080
    assert report.mean("clairvoyant", "throughput") > 12


def test_an_outage_of_the_whole_trace_but_its_end_is_survived() -> None:
    dead = Trace(name="dead", starts=np.array([0.0, 3000.0]), bandwidths=np.array([0.0, 1e4]), duration=Seconds(3600.0))
    report = replay(request(interval=20.0), [dead])
    assert report.mean("edgent", "accuracy") == pytest.approx(0.7, abs=0.01)  # exit 1 on the device takes 70 ms


def test_after_an_outage_the_link_is_found_again() -> None:
    bandwidths = np.where((np.arange(120) > 30) & (np.arange(120) < 60), 0.0, 20e6)
    broken = Trace(name="broken", starts=np.arange(120.0), bandwidths=bandwidths, duration=Seconds(120.0))
    report = replay(request(interval=0.5), [broken])
    assert report.mean("edgent", "accuracy") == pytest.approx(report.mean("clairvoyant", "accuracy"), abs=0.01)


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), at=st.floats(0, 50), row=st.integers(0, 100))
def test_an_outcome_is_what_the_trace_gives_piece_by_piece(seed: int, at: float, row: int) -> None:
    every, trace = choices(), varied(LINKS[seed % 4], seed)
    row %= every.remote.size
    found = outcomes(every, np.array(row), trace, np.array(at))

    def carried(begin: float, bits: float) -> float:
        edges = [begin, *trace.starts[trace.starts > begin].tolist(), math.inf]
        for start, end in itertools.pairwise(edges):
            rate = trace.at(start)
            if bits <= rate * (end - start):
                return start + (bits / rate if bits else 0.0)
            bits -= rate * (end - start)
        return math.inf

    uploaded = carried(at + every.before[row], every.bits_up[row])
    ended = carried(uploaded + every.between[row], every.bits_down[row]) + every.after[row]
    assert float(found.edge) == pytest.approx(ended - at, abs=1e-6)
    assert bool(found.in_time) == (float(found.edge) <= 0.080 + 1e-9)


@given(bandwidth=st.floats(1e4, 1e8))
def test_the_need_of_a_choice_is_where_its_latency_meets_the_deadline(bandwidth: float) -> None:
    every = choices()
    in_time = every.latency(bandwidth) <= every.deadline
    clear = np.abs(every.need - bandwidth) > 1e-6 * bandwidth
    assert (in_time == (every.need <= bandwidth))[clear].all()


def seen(bandwidth: float, at: float, cut: bool = False) -> Transfer:
    bits = (2000 + 175) * 1.046 * 8
    return Transfer(direction="up", size=2000, seconds=bits / bandwidth, at=Seconds(at), cut=cut)


def test_predictors_predict_what_their_names_say() -> None:
    every = choices()
    after_two = 1e6 + 0.3 * (2e6 - 1e6)
    makers = {
        static: 1e6,
        last_sample: 4e6,
        ewma: after_two + 0.3 * (4e6 - after_two),
        harmonic_mean: 3 / (1 + 0.5 + 0.25) * 1e6,
    }
    for maker, expected in makers.items():
        predictor = maker(every)
        for k, bandwidth in enumerate((1e6, 2e6, 4e6)):
            predictor.observe(seen(bandwidth, float(k)))
        assert predictor.choose(3.0) == every.planned(expected)
        assert predictor._bandwidth == pytest.approx(expected)


def test_a_transfer_cut_short_lowers_a_prediction_and_never_raises_it() -> None:
    predictor = last_sample(choices())
    predictor.observe(seen(1e6, 0.0))
    predictor.observe(seen(4e6, 1.0, cut=True))
    assert predictor._bandwidth == pytest.approx(1e6)
    predictor.observe(seen(4e5, 2.0, cut=True))
    assert predictor._bandwidth == pytest.approx(2e5)


def test_the_bandit_learns_that_the_link_is_good() -> None:
    every = choices(deadline=0.060)
    bandit = Bandit(every)
    for _ in range(60):
        row = bandit.choose(0.0)
        bandit.learn(row, float(every.latency(20e6)[row] - every.before[row] - every.after[row]))
    assert bandit.choose(0.0) == every.planned(20e6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"deadline": 0.0},
        {"deadline": math.nan},
        {"interval": 0.0},
        {"interval": -1.0},
        {"variation": -0.1},
        {"seed": -1},
        {"call_time": -0.001},
        {"call_time": math.inf},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="expected"):
        request(**wrong)


def test_no_trace_is_refused() -> None:
    with pytest.raises(InputError, match="no trace"):
        replay(request(), [])


@pytest.mark.parametrize("interval", [2.0, None])
def test_a_trace_of_years_is_refused(interval: float | None) -> None:
    forever = Trace(name="years", starts=np.array([0.0, 1e9]), bandwidths=np.array([1e6, 1e6]), duration=Seconds(2e9))
    with pytest.raises(InputError, match=r"years: lasts .* s, expected at most 200000 requests"):
        replay(request(interval=interval), [forever])


class Alone(Method):
    """Stays on the device and remembers what it saw."""

    def __init__(self, row: int) -> None:
        super().__init__(row)
        self.events: list[Transfer] = []

    def observe(self, event: Transfer) -> None:
        self.events.append(event)


@pytest.mark.parametrize("bandwidth", [2e4, 3e5, 5e6])
def test_who_sends_nothing_probes_for_two_per_cent_of_the_time_at_most(bandwidth: float) -> None:
    trace = flat(bandwidth, 400)
    job = _job(request(interval=0.5))
    world = World(choices=job.choices, trace=trace, recorded=trace, variation=0.0)
    who = Alone(int(np.flatnonzero(~job.choices.remote)[0]))
    MethodRun(world, requests(job, trace), who).run()
    assert len(who.events) > 40
    ends = np.array([event.at for event in who.events[1:]])
    took = np.array([event.seconds for event in who.events[1:]])
    assert max(took[(ends > at) & (ends - took < at + 10)].sum() for at in np.arange(0, 390, 0.1)) <= 0.2 + took.max()
    assert all(event.cut == (bandwidth < job.choices.useful / 1.2) for event in who.events[1:])


class Wavering(Alone):
    """Runs what crosses, and says between requests that it would not."""

    def __init__(self, row: int, between: int) -> None:
        super().__init__(row)
        self._between = between

    def plan(self, chosen: int, at: float) -> int:
        return self._between


def test_probes_are_sent_only_while_the_plan_sends_nothing_and_just_before_the_next_request() -> None:
    trace, job = flat(5e6, 60), _job(request(interval=2.0))
    world = World(choices=job.choices, trace=trace, recorded=trace, variation=0.0)
    crossing, alone = (int(np.flatnonzero(job.choices.remote == remote)[0]) for remote in (True, False))
    probes = {}
    for between in (crossing, alone):
        who = Wavering(crossing, between)
        MethodRun(world, requests(job, trace), who).run()
        # A request is told of by both ways' bits, and is far larger than any probe.
        sent = float(job.choices.bits_up[crossing] + job.choices.bits_down[crossing]) / 8 / 1.046 - 175
        probes[between] = [event for event in who.events[1:] if event.size != pytest.approx(sent)]
    assert not probes[crossing]
    assert len(probes[alone]) > 25
    assert all(2.0 - (event.at - 0.1) % 2.0 < 0.02 for event in probes[alone])


def test_what_ours_claims_is_reported_beside_what_came_of_it() -> None:
    claims = replay(request(variation=0.2, race=False), LINKS).claims
    assert claims.shape[1] == 2 and len(claims) > 20
    assert ((claims >= 0) & (claims <= 1)).all()
    sure = claims[claims[:, 0] > 0.9]
    assert sure[:, 1].mean() == pytest.approx(sure[:, 0].mean(), abs=0.1)


def test_ours_predicts_what_a_request_takes_on_a_link_that_never_changes() -> None:
    job, trace = _job(request(interval=0.5, race=False)), flat(2e6, 60)
    world = World(choices=job.choices, trace=trace, recorded=trace, variation=0.0)
    who = Ours(job.choices, race=False)
    MethodRun(world, requests(job, trace), who).run()
    plan = who._controller.plan
    assert plan is not None and plan.configuration == job.choices.table.configurations[who.choose(60.0)]
    assert plan.stages.total == pytest.approx(job.choices.latency(2e6)[who.choose(60.0)], abs=5e-4)


def test_what_a_call_takes_is_the_users_to_tell() -> None:
    usual, slow = (Choices.of(candidates(), Seconds(0.1), race=False, call_time=Seconds(t)) for t in (0.002, 0.012))
    crossing = usual.remote & (usual.bits_up > 0)
    same = [slow.table.configurations[row] == usual.table.configurations[row] for row in range(len(slow.table))]
    assert all(same) and crossing.any()
    later = slow.latency(2e6) - usual.latency(2e6)
    assert later == pytest.approx(np.where(usual.remote, 0.010, 0.0))


@pytest.mark.parametrize("downlink", [20.0, 0.05])
def test_where_the_way_down_is_of_another_speed_its_bits_take_so_much_longer(downlink: float) -> None:
    plain = Choices.of(candidates(), Seconds(0.08), race=False, apart=True)
    other, bandwidth = plain.over(downlink), 2e6
    way = np.where(plain.remote, plain.bits_up / bandwidth + plain.bits_down / (downlink * bandwidth), 0.0)
    assert other.latency(bandwidth) == pytest.approx(plain.before + plain.between + plain.after + way)
    found = outcomes(other, np.arange(other.remote.size), flat(bandwidth), np.array(1.0))
    assert found.edge == pytest.approx(other.latency(bandwidth))
    assert (other.latency(bandwidth) <= 0.08) == pytest.approx(other.need <= bandwidth)
    assert other.over(1.0).bits_down == pytest.approx(plain.bits_down)


def lopsided(exit: int, up: float, down: float) -> BranchCosts:
    """A branch as good and as quick as any other one, that sends so much up and down."""
    made = branch(exit, 0.8, 0.1)
    flat_size = np.ones((LAYERS + 1, LAYERS + 1))
    return replace(
        made, up=(replace(made.up[0], size=up * flat_size),), down=(replace(made.down[0], size=down * flat_size),)
    )


def test_what_is_best_where_the_way_down_is_quick_is_kept_only_where_directions_may_differ() -> None:
    every = Candidates.of([lopsided(0, 1000.0, 10_000.0), lopsided(1, 9000.0, 1000.0)])
    alike, apart = (Choices.of(every, Seconds(0.08), race=False, apart=apart) for apart in (False, True))

    def kept(choices: Choices) -> set[int]:
        rows = np.flatnonzero(choices.remote)
        return {choices.table.configurations[row].exit for row in rows}

    assert kept(alike) == {1} and kept(apart) == {0, 1}
    quick = apart.over(20.0)
    assert quick.table.configurations[quick.planned(3e5)].exit == 0


def test_on_links_whose_directions_differ_who_plans_does_as_well_as_the_oracle() -> None:
    report = replay(request(deadline=0.060), [replace(flat(3e6), downlink=20.0), replace(flat(6e6), downlink=0.2)])
    assert report.mean("edgent", "accuracy") == pytest.approx(report.mean("clairvoyant", "accuracy"), abs=0.01)


@pytest.mark.parametrize("downlink", [20.0, 0.05])
def test_ours_knows_how_much_faster_the_way_down_is(downlink: float) -> None:
    job, trace = _job(request(interval=0.5, race=False, deadline=0.095)), flat(2e6, 60)
    other = job.choices.over(downlink)
    who = Ours(other, race=False)
    MethodRun(World(choices=other, trace=trace, recorded=trace, variation=0.0), requests(job, trace), who).run()
    row, plan = who.choose(60.0), who._controller.plan
    assert plan is not None and other.remote[row]
    assert plan.stages.total == pytest.approx(other.latency(2e6)[row], abs=5e-4)
