"""What an edge notes beside an answer, as headers of a call; numbers that are none are passed over."""

from __future__ import annotations

import math

import pytest

from edgent.link.slow_start import UNLIMITED, Window
from edgent.wire import messages as m
from edgent.wire.exchange.messages import notes_from, window_from
from edgent.wire.headers import headers_of, notes_of
from edgent.wire.notes import NOTHING, Notes

WINDOW = Window(size=43_440.0, threshold=100_000.0, patience=0.25, least=14_480.0)


@pytest.mark.parametrize(
    "notes",
    [
        Notes(queue=0.001, middle=0.002),
        Notes(middle=1e-6, window=WINDOW),
        Notes(load=0.25),
        Notes(window=Window(size=512.0, threshold=UNLIMITED, patience=math.inf, least=512.0), newest="0123456789ab"),
    ],
)
def test_what_is_noted_is_read_as_it_was(notes):
    assert notes_of(headers_of(notes)) == notes


def test_times_are_whole_microseconds_and_what_is_not_said_takes_no_header():
    assert headers_of(Notes(queue=1.4e-6, middle=2e-3)) == {m.TIMES_US: "1 2000"}


def test_a_server_without_our_extension_has_noted_nothing():
    assert notes_of({"server": "another"}) == NOTHING


@pytest.mark.parametrize(
    "said", ["", "1000", "1 2 3", "a b", "-1 2", "1.5 2", "\u0663 2", "\u00b2 2", "9" * 5000 + " 1"]
)
def test_times_that_are_none_count_as_nothing_said(said):
    assert notes_of({m.TIMES_US: said, m.WINDOW: said}) == NOTHING


@pytest.mark.parametrize("said", ["many", "1 2 3", "1 2 3 4 5", "-1 0 0 1", "0 0 200000 1", "1 0 0 0", "1e4 0 0 1"])
def test_a_window_that_nobody_understands_does_not_spoil_the_times(said):
    notes = notes_of({m.TIMES_US: "1 2", m.WINDOW: said})
    assert notes.window is None
    assert (notes.queue, notes.middle) == (1e-6, 2e-6)


def test_nought_stands_for_no_threshold_and_for_a_window_that_is_kept():
    window = notes_of({m.WINDOW: "43440 0 0 14480"}).window
    assert window == Window(size=43_440.0, threshold=UNLIMITED, patience=math.inf, least=14_480.0)


@pytest.mark.parametrize("times", [f"{10**17} 5", f"5 {10**17}", "1 3600000000", "nan 1", "-5 1", "1e9 1"])
def test_a_time_that_nobody_waits_for_is_passed_over(times):
    notes = notes_of({m.TIMES_US: times})
    assert (notes.queue, notes.middle) == (0, 0)


@pytest.mark.parametrize("newest", ["x" * 12, "0" * 13, "0" * 11, "../../etc/pw", "0" * 100_000, "ABCDEF012345"])
def test_a_newest_version_that_is_none_is_passed_over(newest):
    assert notes_of({m.NEWEST: newest}).newest == ""
    assert notes_from(times_us=(1, 2), load_us=0, window=(), newest=newest) == Notes(queue=1e-6, middle=2e-6)


@pytest.mark.parametrize("load", ["", "many", "-1", "1.5", "9" * 17, "3600000001", "nan"])
def test_a_load_that_nobody_waits_for_is_passed_over(load):
    assert notes_of({m.TIMES_US: "1 2", m.LOAD_US: load}) == Notes(queue=1e-6, middle=2e-6)


@pytest.mark.parametrize("window", [(2**60, 0, 0, 1), (1, 2**63, 0, 1), (1, 0, 2**64 - 1, 1), (1, 2, 3), (0,) * 4])
def test_a_window_that_no_tcp_has_is_passed_over(window):
    assert window_from(window) is None
