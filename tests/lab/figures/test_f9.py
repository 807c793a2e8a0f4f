from __future__ import annotations

import pytest

from edgent.lab.figures import f9
from lab.figures import made

ALONE, SENT, EARLY = made.plan(up=22), made.plan(), made.plan(exit=0, up=12, down=12)


def tried(**totals):
    plans = {"alone": (ALONE, 0.89), "sent": (SENT, 0.89), "early": (EARLY, 0.86)}
    return {
        plan: f9.Tried(configuration=plan, accuracy=accuracy, totals=totals[name])
        for name, (plan, accuracy) in plans.items()
    }


RUN = tried(alone=(2.2,) * 10, sent=(0.28,) * 10, early=(0.15,) * 10)


def cells(ours, run=RUN, setting="a device, float32"):
    return [
        f9.cell(setting, deadline, {"device-only": ALONE, "edge-only": SENT, "right-sizing": EARLY, f9.OURS: ours}, run)
        for deadline in f9.DEADLINES
    ]


def target(value):
    (table, *_) = f9.result(value, ()).tables
    return dict(zip((column.key for column in table.columns), table.rows[0], strict=True))


def test_accuracy_in_time_is_the_share_in_time_times_the_accuracy():
    half = f9.Tried(configuration=SENT, accuracy=0.8, totals=(0.1, 0.3))
    assert half.in_time(0.2) == pytest.approx(0.4)
    assert half.borderline(0.2)  # its median
    assert not half.borderline(0.3)


def test_a_method_without_a_plan_misses():
    assert f9.cell("s", 0.5, {"edgent": None, f9.OURS: SENT}, RUN).values["edgent"] == 0


def test_the_oracle_takes_the_best_of_all_that_was_run():
    by_deadline = {cell.deadline: cell for cell in cells(SENT)}
    assert by_deadline[0.1].values[f9.ORACLE] == 0
    assert by_deadline[0.2].best == EARLY
    assert by_deadline[0.3].best == SENT


def test_a_planner_that_misses_what_another_method_answers_misses_its_target():
    value = target(cells(SENT))
    assert value["met"] is False
    assert value["behind_another"] == pytest.approx(0.86)


def test_a_planner_as_good_as_the_oracle_meets_its_target():
    best = [
        f9.cell("s, float32", d, {"edge-only": SENT, f9.OURS: EARLY if d < 0.3 else SENT}, RUN) for d in f9.DEADLINES
    ]
    assert target(best)["met"] is True


def test_deadlines_that_chance_decides_are_counted_and_left_out():
    near = tried(alone=(2.2,) * 10, sent=(0.295,) * 10, early=(0.15,) * 10)
    value = cells(EARLY, near)
    assert [cell.deadline for cell in value if cell.borderline] == [0.3]
    assert target(value)["borderline"] == 1


@pytest.mark.parametrize(("early", "reproduced"), [((0.15,) * 10, True), ((0.05,) * 10, False), ((1.3,) * 10, False)])
def test_the_paper_wants_all_to_fail_at_100_ms_and_edgent_alone_to_answer_at_200_and_300(early, reproduced):
    run = tried(alone=(2.2,) * 10, sent=(0.35,) * 10, early=early)
    (ordering,) = f9.result(cells(EARLY, run), ()).orderings
    assert ordering.reproduced is reproduced


def test_only_what_may_win_is_tried():
    setting = made.setting("paper-pi3-resident")
    value = f9.worth_trying(setting.candidates, made.conditions(400e3))
    assert made.plan(up=22) in value
    assert made.plan() not in value  # the device alone undercuts it by far, as accurate
    assert len(value) < 12


def test_every_method_keeps_to_what_it_is_allowed(tmp_path):
    setting = made.setting("paper-pi3")
    planners = f9._planners(setting.candidates, edge_first=True)
    chosen = {name: planner.plan(made.conditions(400e3), 0.5).configuration for name, planner in planners.items()}
    assert chosen["device-only"] == ALONE
    assert chosen["edge-only"] == chosen["partition-only"] == SENT
    assert chosen["right-sizing"].device_only
