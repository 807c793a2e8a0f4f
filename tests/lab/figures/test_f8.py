from __future__ import annotations

import pytest

from edgent.lab.figures import f8, f8a, f8b, f8c
from edgent.lab.figures.choosing import NOTHING, MethodChoice
from edgent.lab.reproduction.figure import Table
from lab.figures import made

SETTING = "paper-pi3, float32"
NO_CUTS = Table(title="none", columns=(), rows=())


def points(exits, *, method="edge-first", deadlines=None, predicted=0.5, latency=0.5):
    choices = []
    for number, exit in enumerate(exits):
        choice = NOTHING
        if exit is not None:
            choice = MethodChoice(configuration=made.plan(exit=exit, down=22), predicted=predicted, layers=22)
        choices.append(
            f8.ChosenPoint(
                setting=SETTING,
                method=method,
                bandwidth=f8.BANDWIDTHS[number] if deadlines is None else 500e3,
                deadline=1.0 if deadlines is None else deadlines[number],
                choice=choice,
                latency=None if exit is None else latency,
            )
        )
    return choices


@pytest.mark.parametrize(
    ("exits", "reproduced"),
    [
        ((2, 2, 4, 4), True),
        ((4, 4, 4, 4), False),
        ((None, None, 4, 4), False),
        ((2, 4, 2, 4), False),
        ((0, 1, 2, 2), False),
    ],
)
def test_f8a_wants_a_plan_everywhere_and_exits_that_rise_to_the_last(exits, reproduced):
    (ordering,) = f8a.result(points(exits), [1.0, 1.3], NO_CUTS, ()).orderings
    assert ordering.reproduced is reproduced


def test_f8a_says_where_only_a_wrong_prediction_makes_the_ordering():
    (ordering,) = f8a.result(points((0, 4), predicted=0.7, latency=0.1), [], NO_CUTS, ()).orderings
    assert ordering.reproduced
    assert "700 ms where 100" in ordering.why


def test_no_inner_cut_of_the_edge_first_direction_is_ever_the_best_where_the_edge_is_faster():
    edge_first, device_first = f8a.best_cuts(made.setting())
    assert edge_first[:4] == (SETTING, "edge-first", edge_first[2], 0)
    assert edge_first[2] > 0
    assert edge_first[4] > 0  # the device where the link is slow, the edge where it is fast
    assert sum(edge_first[2:]) == sum(device_first[2:])


def test_f8a_computes_which_devices_would_show_it():
    choices = f8a.showing(made.setting())
    assert choices
    assert min(choices) > 1.0  # the whole network must not fit, ...
    assert max(choices) < 2.2  # ... and some exit must: the paper's own device is too slow


@pytest.mark.parametrize(
    ("exits", "deadlines", "reproduced"),
    [((0, 2, 4), (0.1, 0.5, 1.0), True), ((0, 4, 4, 4), (0.05, 0.1, 0.5, 1.0), False), ((None, 4), (0.1, 1.0), False)],
)
def test_f8c_wants_exits_that_rise_within_the_paper_s_deadlines(exits, deadlines, reproduced):
    (ordering,) = f8c.result(points(exits, deadlines=deadlines), ()).orderings
    assert ordering.reproduced is reproduced
    if exits == (0, 4, 4, 4):
        assert "below 100 ms" in ordering.why


def test_what_has_no_plan_is_a_dash_in_the_table_and_minus_one_in_the_plot():
    result = f8a.result(points((None, 4)), [], NO_CUTS, ())
    assert result.tables[1].texts()[0][4:] == ["-"] * 6
    (exits, *_) = (panel.marks[0].y for panel in result.panels if panel.title == "float32: exit")
    assert list(exits) == [-1, 4]


def test_choices_that_divide_the_work_are_counted():
    inside = MethodChoice(configuration=made.plan(up=5, down=22), predicted=0.1, layers=22)
    whole, alone = points((4,)), points((4,))
    alone[0] = f8.ChosenPoint(
        setting=SETTING, method="m", bandwidth=1e6, deadline=1.0, latency=0.1,
        choice=MethodChoice(configuration=made.plan(up=22, down=22), predicted=0.1, layers=22),
    )  # fmt: skip
    divided = f8.ChosenPoint(setting=SETTING, method="m", bandwidth=1e6, deadline=1.0, choice=inside, latency=0.1)
    assert f8.interior([*whole, *alone, divided]) == 1


def test_f8b_judges_each_predictor_by_what_was_measured_live():
    (point,) = points((4,), latency=0.5)
    prices = {name: 0.5 * factor for name, factor in zip(f8b.PREDICTORS, (2.0, 1.05, 1.0), strict=True)}
    choices = [f8b.Predicted(point=point, predicted=prices)]
    wholes = [f8b.Whole(network="net", exit=0, predicted=prices, measured=0.5)]
    result = f8b.result(choices, wholes, ())
    assert [ordering.reproduced for ordering in result.orderings] == [False, True, True]
    assert "100.0% off" in result.orderings[0].ours
    assert len(result.panels[0].marks) == 1 + len(f8b.PREDICTORS)
