"""What is said of a result, beside numbers that are counted by hand."""

from __future__ import annotations

import math

import pytest

from demo.paper.made import LAST, cell, measured, request, result, unplugged
from edgent.demo.paper.paired import Comparison
from edgent.demo.paper.words import (
    ahead_in_words,
    cell_in_words,
    chosen_in_words,
    emulated_in_words,
    knobs,
    other_device,
    unplugged_in_words,
    verdict,
)
from edgent.planning.plan import Configuration


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        (LAST, "exit 1 on the device"),
        (Configuration(exit=2, upload_cut=3, download_cut=19, codec="uint8+zstd"), "exit 2, cuts 3..19, uint8+zstd"),
        (
            Configuration(exit=0, upload_cut=0, download_cut=4, codec="float16", download_codec="uint8"),
            "exit 0, cuts 0..4, float16, back uint8",
        ),
    ],
)
def test_a_choice_says_who_computes_and_what_crosses(configuration: Configuration, words: str) -> None:
    assert chosen_in_words(configuration) == words


def test_a_lead_has_its_sign_and_its_interval_and_nothing_is_said_of_edgent_beside_itself() -> None:
    assert ahead_in_words(Comparison(ahead=0.0123, low=-0.004, high=0.03)) == "+1.2 (-0.4 .. +3.0)"
    assert ahead_in_words(Comparison(ahead=-0.0001, low=-0.02, high=0.0)) == "+0.0 (-2.0 .. +0.0)"
    assert ahead_in_words(None) == ""


def test_cells_are_named_by_their_bandwidth_and_deadline() -> None:
    (point,) = result(cell(deadline=0.2, bandwidth=1e6)).points
    assert cell_in_words(point) == "1 Mbit/s, 200 ms"


def test_a_verdict_counts_the_cells_and_those_that_are_left_out() -> None:
    # Edgent's median of 0.05 s is far from a deadline of 0.1 s, and within 5 % of one of 0.052 s.
    cells = [cell(deadline=0.1), cell(deadline=0.2), cell(deadline=0.3), cell(deadline=0.052)]
    said = verdict(result(*cells, runs=measured(ours=(0.05, 0.05), rival=(0.05, 0.05))))
    assert said.startswith("In 3 of 3 cells Edgent is not worse than any other method")
    assert "1 of 4 cells are borderline" in said
    assert "at most a quarter may be" in said and "Worse at" not in said


def test_too_many_borderline_cells_are_no_evidence_and_it_is_said_loudly() -> None:
    cells = [cell(deadline=0.1), cell(deadline=0.052)]
    said = verdict(result(*cells, runs=measured(ours=(0.05, 0.05), rival=(0.05, 0.05))))
    assert "1 of 2 cells are borderline" in said
    assert "no evidence" in said


def test_the_share_of_each_knob_is_that_of_the_cells() -> None:
    cells = [cell(deadline=0.1, needed={"exit"}), cell(deadline=0.2, needed={"exit", "cut"}), cell(deadline=0.3)]
    said = knobs(result(*cells))
    assert "exit 67 %" in said and "cut 33 %" in said and "codec 0 %" in said


def test_of_one_device_alone_nothing_is_said_of_another() -> None:
    assert other_device(result()) == ""


def test_what_is_emulated_is_said_with_how_well_the_machine_kept_its_pace() -> None:
    said = emulated_in_words(result())
    assert said.startswith("Emulated: the link, and the device, slow.")
    assert "of 10 pieces of work this machine finished 1 later than the device would have" in said


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (request(2.25, "edge", total=0.05), "the edge answered again 0.30 s after its return"),
        (request(2.25, "device"), "the edge did not answer again"),
    ],
)
def test_an_outage_is_told_by_who_answered_and_when_the_edge_came_back(after, words: str) -> None:
    run = unplugged(request(0.5, "edge"), request(1.2, "device"), request(1.5, "device", total=0.3), after)
    said = unplugged_in_words(run)
    assert "the link was cut for 1 s" in said
    assert "the device answered 2 of 2 requests by itself, 1 in time" in said
    assert said.endswith(f"{words}.")


def test_a_method_of_unknown_accuracy_is_neither_ahead_nor_behind() -> None:
    unknown = Comparison(ahead=math.nan, low=math.nan, high=math.nan)
    assert not unknown.worse and not unknown.lower
