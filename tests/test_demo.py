from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest
from rich.console import Console

from edgent import report
from edgent.codec import decode_pixels
from edgent.demo import METHODS, DemoOptions, DemoResult, run_demo
from edgent.demo.console import print_result
from edgent.demo.figures import figures, is_borderline, overall, wilson
from edgent.demo.live import repeats
from edgent.demo.methods import Methods
from edgent.demo.run import test_images as shipped_images
from edgent.demo.values import Chosen, Figures, Host, Measured, Point, Request, Setup, Unplugged
from edgent.errors import InputError
from edgent.planning.candidates import Candidates
from edgent.planning.costs import BranchCosts, Crossing
from edgent.planning.plan import Configuration

LAST = Configuration(exit=1, upload_cut=2, download_cut=2)
EARLY = Configuration(exit=0, upload_cut=1, download_cut=1)


def chosen(configuration=LAST, accuracy=0.8, bandwidth=None):
    return Chosen(setup=Setup(configuration=configuration, bandwidth=bandwidth), accuracy=accuracy, predicted=0.1)


def plane(n, value):
    return np.full((n + 1, n + 1), value)


def crossing(codec, n, size, encode=0.0, accuracy=None):
    return Crossing(
        codec=codec,
        size=plane(n, size),
        encode=plane(n, encode),
        decode=plane(n, 0.0),
        accuracy=None if accuracy is None else plane(n, accuracy),
    )


def branch(exit, seconds, accuracy):
    """Layers a hundred times faster on the edge; raw tensors of 10 kB, or a tenth of that at a little loss."""
    n = len(seconds)
    up = (crossing("float32", n, 10_000.0), crossing("uint8", n, 1_000.0, accuracy=accuracy - 0.01))
    return BranchCosts(
        exit=exit,
        accuracy=accuracy,
        device=np.array(seconds),
        edge=np.array(seconds) / 100,
        up=up,
        down=(crossing("float32", n, 40.0),),
    )


METHODS_OF_TWO = Methods.of(Candidates.of([branch(0, [0.05], 0.7), branch(1, [0.05, 0.05], 0.9)]))


def test_methods_stay_within_what_they_allow_themselves():
    for bandwidth in (1e4, 1e6, 1e8):
        for deadline in (0.02, 0.06, 0.2):
            made = {name: c.setup.configuration for name, c in METHODS_OF_TWO.choose(bandwidth, deadline, 0.01).items()}
            assert set(made) == set(METHODS) - {"rival"}
            assert made["device-only"] == LAST
            assert (made["edge-only"].upload_cut, made["edge-only"].download_cut) == (0, 2)
            assert made["partitioning"].exit == 1
            assert made["right-sizing"].device_only


def test_what_uses_no_link_has_no_link_state_so_that_its_runs_are_shared():
    slow = METHODS_OF_TWO.choose(1e4, 0.2, 0.01)["device-only"]
    fast = METHODS_OF_TWO.choose(1e8, 0.2, 0.01)["edgent"]
    assert slow.setup.bandwidth is None
    assert fast.setup.configuration.device_only or fast.setup.bandwidth == 1e8


def test_edgent_never_promises_less_than_another_method():
    for bandwidth in (1e4, 1e5, 1e6, 1e7, 1e8):
        for deadline in (0.02, 0.06, 0.09, 0.2):
            made = METHODS_OF_TWO.choose(bandwidth, deadline, 0.01)
            worth = {name: c.accuracy * (c.predicted <= deadline) for name, c in made.items()}
            assert worth["edgent"] >= max(worth.values()) - 0.002


def test_knobs_are_needed_where_only_they_help():
    assert METHODS_OF_TWO.needed(1e3, 0.06, 0.01) == {"exit"}  # no link to speak of: the early exit alone is in time
    assert "codec" in METHODS_OF_TWO.needed(1e6, 0.045, 0.01)  # 85 ms for the raw tensor, 13 ms for the small one
    assert METHODS_OF_TWO.needed(1e3, 0.2, 0.01) == frozenset()


def test_accuracy_in_time_is_the_share_in_time_times_the_accuracy():
    made = figures(chosen(), Measured(totals=(0.05, 0.05, 0.15, math.inf)), 0.1)
    assert made.deadlines_met == 0.5
    assert made.accuracy_in_time == pytest.approx(0.4)
    assert made.low < 0.4 < made.high
    assert made.high_latency == math.inf


def test_wilsons_interval_holds_the_share_and_shrinks_with_trials():
    widths = []
    for trials in (10, 100, 1000):
        low, high = wilson(trials // 2, trials)
        assert 0 <= low < 0.5 < high <= 1
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    assert wilson(10, 10)[1] == pytest.approx(1) and wilson(0, 10)[0] == pytest.approx(0)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)  # a published table's


def test_a_median_within_five_percent_of_the_deadline_is_borderline():
    assert is_borderline([0.5, 0.0951], 0.1) and is_borderline([0.1049], 0.1)
    assert not is_borderline([0.094, 0.106, math.inf], 0.1)


def test_methods_that_choose_the_same_never_differ():
    measured = {chosen().setup: Measured(totals=(0.05, 0.12, 0.07, 0.2))}
    cells = [(0.1, {"a": chosen(), "b": chosen()}), (0.15, {"a": chosen(), "b": chosen()})]
    first = overall(cells, measured, "a")
    assert first == overall(cells, measured, "b")
    assert first.deadlines_met == pytest.approx((0.5 + 0.75) / 2)
    assert first.low <= first.accuracy_in_time <= first.high


def test_short_runs_are_repeated_more_often_and_none_less_than_asked():
    assert repeats([0.01, 0.1, 2.0], 6.0, 12) == [40, 20, 12]
    assert repeats([], 6.0, 12) == []


def test_edgent_is_worse_only_beyond_half_a_point_and_the_intervals():
    def figure(value, low, high):
        return Figures(deadlines_met=value, accuracy_in_time=value, low=low, high=high, median=0.1, high_latency=0.1)

    def point(ours, theirs):
        made = dict.fromkeys(METHODS, ours) | {"rival": theirs}
        names = dict.fromkeys(METHODS, chosen())
        return Point(bandwidth=1e6, deadline=0.1, borderline=False, chosen=names, figures=made, needed=frozenset())

    assert point(figure(0.5, 0.4, 0.6), figure(0.9, 0.8, 0.95)).worse_than == ("rival",)
    within = point(figure(0.5, 0.4, 0.6), figure(0.55, 0.45, 0.65))
    assert within.worse_than == () and within.lower_than == ("rival",)
    assert point(figure(0.5, 0.4999, 0.5001), figure(0.504, 0.503, 0.505)).worse_than == ()


def request(at, by, total=0.05):
    return Request(at=at, total=total, by=by, exit=1, deadline_met=total <= 0.1, why="")


def unplugged(*requests):
    return Unplugged(bandwidth=1e6, deadline=0.1, cut_at=1.0, restored_at=2.0, requests=requests)


def test_an_outage_has_three_phases_and_the_return_is_timed():
    run = unplugged(request(0.5, "edge"), request(1.5, "device", 0.09), request(2.1, "device"), request(2.5, "edge"))
    assert [len(run.phase(name)) for name in ("before", "during", "after")] == [1, 1, 2]
    assert run.back_after == pytest.approx(0.55)
    assert unplugged(request(1.5, "device")).back_after is None


def result(**changes):
    measured = {chosen().setup: Measured(totals=(0.05, 0.12))}
    names = dict.fromkeys(METHODS, chosen())
    made = {name: figures(each, measured[each.setup], 0.1) for name, each in names.items()}
    point = Point(bandwidth=5e4, deadline=0.1, borderline=True, chosen=names, figures=made, needed=frozenset({"exit"}))
    host = Host(
        machine="m", engine="e", device="slow", pieces=10, overruns=1, worst_overrun=0.001, commands=("edgent",)
    )
    return DemoResult(
        **{
            "options": DemoOptions(),
            "model": "b",
            "digest": "0" * 64,
            "data": "CIFAR-10 test",
            "host": host,
            "points": (point,),
            "overall": made,
            "measured": measured,
            "unplugged": unplugged(request(0.5, "edge"), request(1.5, "device"), request(2.5, "edge")),
        }
        | changes
    )


def test_the_json_form_is_the_contract():
    made = json.loads(json.dumps(result().to_json()))
    keys = {"deadlines_met", "accuracy_in_time", "p50_ms", "p95_ms"}
    assert set(made) == {"methods", "points"}
    assert list(made["methods"]) == ["device-only", "edge-only", "partitioning", "right-sizing", "edgent", "rival"]
    assert all(set(figures) == keys for figures in made["methods"].values())
    (point,) = made["points"]
    assert set(point) == {"bandwidth_bps", "deadline_ms", "borderline", "methods"}
    assert (point["bandwidth_bps"], point["deadline_ms"], point["borderline"]) == (5e4, 100.0, True)
    assert list(point["methods"]) == list(made["methods"]) and all(set(f) == keys for f in point["methods"].values())


def test_the_report_says_what_is_emulated_and_shows_plots(tmp_path):
    report.write(result(), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    for words in ("Emulated device", "Emulated link", "Overruns: 1 of 10", "Unplugged", "knob", "accuracy in time, %"):
        assert words in text
    assert text.count("<svg") >= 3


def test_the_tables_fit_a_hundred_columns():
    written = io.StringIO()
    print_result(result(), Console(file=written, width=100))
    lines = written.getvalue().splitlines()
    assert max(map(len, lines)) <= 100
    assert any("rival" in line for line in lines)


def test_the_images_are_the_shipped_ones():
    images = shipped_images()
    assert len(images) == 256
    assert decode_pixels(images[0]).shape == (32, 32, 3)


def test_a_demo_of_nothing_is_refused():
    with pytest.raises(InputError):
        DemoOptions(deadlines=())


@pytest.mark.timeout(200)
def test_the_whole_demo_with_its_processes_in_small(tmp_path):
    told: list[tuple[str, int, int]] = []
    options = DemoOptions(bandwidths=(5e6,), deadlines=(0.05, 0.5), samples=3, live_seconds=1.0)
    made = run_demo(options, progress=lambda *news: told.append(news))
    assert len(made.points) == 2 and told
    assert all(len(each.totals) >= 3 for each in made.measured.values())
    wide = made.points[1].figures
    assert all(each.deadlines_met == 1 for each in wide.values())
    assert all(0 < each.accuracy_in_time <= 1 for each in wide.values())
    assert made.host.pieces > 0
    report.write(made, tmp_path / "report.html")
    assert "<svg" in (tmp_path / "report.html").read_text()
