from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import pytest
from rich.console import Console

from demo.cameras import made
from edgent import report
from edgent.demo.cameras.console import Meters, print_result, watching
from edgent.demo.cameras.page import street_page
from edgent.demo.cameras.result import StreetResult, live_standings, priced_standings
from edgent.demo.cameras.setting import StreetOptions
from edgent.demo.cameras.stage import full
from edgent.demo.cameras.words import basis_in_words, lead_in_words, outage_in_words, verdict
from edgent.lab.cameras.plans import CASCADE, ORACLE, OURS, RACED, methods_of
from lab.cameras import made as lab_made


def result(show):
    methods = methods_of(lab_made.facts(), lab_made.machines(), 0.3)
    streets = [lab_made.street(cameras=cameras) for cameras in (5, 10)]
    basis = lab_made.basis()
    return StreetResult(
        cameras=(5, 10),
        standings=(*live_standings(show), *priced_standings(methods, streets)),
        outages=show.outages,
        ended=show.ended,
        full_with=show.full_with,
        words=basis_in_words(basis, StreetOptions(), 0.02),
        seconds=100.0,
    )


@pytest.fixture(scope="module")
def shown():
    return made.show()


@pytest.fixture(scope="module")
def came_to(shown):
    return result(shown)


def printed(came_to):
    page = io.StringIO()
    print_result(came_to, Console(file=page, width=100))
    return page.getvalue()


def test_live_standings_are_the_shares_that_were_right_and_in_time(came_to):
    ours, rival = came_to.of(OURS, live=True), came_to.of(RACED, live=True)
    assert [each.value for each in ours.by_cameras] == [0.75, 0.75]
    assert [each.value for each in rival.by_cameras] == [0.5, 0.5]
    assert ours.lead is None
    assert rival.lead.value == pytest.approx(0.25)
    # In pairs: of four requests one differs, and never the other way.
    assert 0.1 < rival.lead.low < 0.25 < rival.lead.high < 0.4
    assert (ours.kilobytes, ours.edge_ms) == pytest.approx((1.0, 0.5 * 8.0 / 40 * 1e3))


def test_late_answers_are_none_however_right():
    meter = made.meter(OURS, 5, [True] * 4)
    late = replace(
        meter, answers=tuple(replace(answer, in_time=False) for answer in meter.answers[:1]) + meter.answers[1:]
    )
    assert late.good == 0.75


def test_every_method_is_priced_and_the_clairvoyant_comes_last(came_to):
    priced = [standing for standing in came_to.standings if not standing.live]
    assert priced[-1].method == ORACLE
    assert {OURS, RACED, CASCADE, "partitioning", "prefer cloud"} <= {standing.method for standing in priced}
    pooled = [standing.pooled for standing in priced[:-1]]
    assert pooled == sorted(pooled, reverse=True)


def test_which_core_is_full_is_said():
    idle, busy = made.meter(OURS, 5, [True]), made.meter(OURS, 5, [True], edge=0.95)
    rival = made.meter(RACED, 5, [True], edge=1.0)
    assert full([idle, rival]) == ""  # the rival's fills first: that is what is shown
    assert full([busy, rival]) == "the edge core is full"
    assert "carries the cameras" in full([busy, made.meter(RACED, 5, [True], carrier=0.97)])


def test_it_is_said_with_how_many_cameras_the_edge_core_was_full_for_whom(shown):
    meters = [
        made.meter(method, cameras, [True], edge=0.01 * cameras * many)
        for cameras in (10, 20, 40)
        for method, many in ((OURS, 1), (RACED, 5))
    ]
    busy = replace(shown, meters=tuple(meters))
    assert busy.full_with == {RACED: 20}
    text = verdict(replace(result(shown), full_with=busy.full_with))
    assert "The edge core was never full by Edgent, full with 20 by its rival." in text


def test_what_the_terminal_shows_fits_and_says_who_is_ahead(came_to):
    text = printed(came_to)
    assert max(map(len, text.splitlines())) <= 100
    assert "75.0" in text and lead_in_words(came_to.of(RACED, live=True)) in text
    assert "Emulated: the cameras' boards" in text and "the edge core is full" in verdict(came_to)


def test_a_loss_is_red_on_the_terminal_and_on_the_page(shown):
    lost = result(made.show(ours=(1, 0, 0, 0), theirs=(1, 1, 1, 0)))
    screen = Console(file=io.StringIO(), width=100, force_terminal=True, color_system="standard")
    print_result(lost, screen)
    assert re.search(r"\x1b\[31m *-50\.0", screen.file.getvalue())
    assert "<td class=lost>-50.0" in street_page(lost, shown).to_html()


def test_the_page_opens_from_disk_and_loads_nothing(came_to, shown, tmp_path):
    report.write(street_page(came_to, shown), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert text.count("<svg") == 5 and "<script" not in text and "http://" not in text.replace("http://www.w3.org", "")
    assert outage_in_words(shown.outages[0]) in text


def test_the_document_is_json(came_to):
    document = json.loads(json.dumps(came_to.document()))
    assert document["cameras"] == [5, 10]
    assert document["methods"][0]["accuracy_in_time"] == [0.75, 0.75]
    assert document["outages"][0]["accuracy_in_time_during"] == 1.0


def test_an_outage_that_the_edge_does_not_come_back_from_is_told():
    (outage, _) = made.show().outages
    assert "answers again 0.1 s after" in outage_in_words(outage)
    alone = replace(outage.meter, answers=tuple(replace(a, by="device") for a in outage.meter.answers))
    assert "it did not come back" in outage_in_words(replace(outage, meter=alone))


def test_meters_are_shown_where_somebody_can_see_them():
    screen = Console(file=io.StringIO(), width=100, force_terminal=True)
    with watching(screen) as watcher:
        watcher(made.meter(OURS, 5, [True, False]))
    assert "50 %" in screen.file.getvalue()
    quiet = Console(file=io.StringIO(), width=100)
    with watching(quiet) as watcher:
        watcher(made.meter(OURS, 5, [True]))
    assert quiet.file.getvalue() == ""


def test_meters_fit_a_narrow_terminal_and_one_whose_link_is_cut_has_a_row_of_its_own():
    meters, screen = Meters(), Console(file=io.StringIO(), width=80)
    meters.show(made.meter(RACED, 100, [True]))
    meters.show(replace(made.meter(RACED, 100, [True]), unplugged=True))
    screen.print(meters)
    shown = screen.file.getvalue()
    assert shown.count(RACED) == 2 and f"{RACED}, unplugged" in shown and "…" not in shown
    assert shown.count("100 %") == 2
