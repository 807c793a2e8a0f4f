"""A log that no caller can fill."""

from __future__ import annotations

import logging

from edgent.wire.serving.sparing_log import SparingLog


def written(caplog, times, level=logging.ERROR):
    times = list(times)
    clock = iter([times[0], *times])
    log = SparingLog(logging.getLogger("edgent.edge"), most=3, seconds=10.0, now=lambda: next(clock))
    with caplog.at_level(logging.INFO, "edgent.edge"):
        for number in range(len(times)):
            log.log(level, f"line {number}")
    return [record.getMessage() for record in caplog.records]


def test_of_many_lines_in_a_short_time_the_first_ones_are_written(caplog):
    assert written(caplog, [0.0] * 1000) == ["line 0", "line 1", "line 2"]


def test_the_next_line_says_how_many_were_left_out_and_the_one_after_that_no_more(caplog):
    assert written(caplog, [0.0] * 5 + [10.0, 11.0])[3:] == ["(2 more were left out) line 5", "line 6"]


def test_lines_that_come_now_and_then_are_all_written(caplog):
    assert len(written(caplog, [4.0 * number for number in range(50)])) == 50


def test_a_line_below_the_log_s_level_counts_for_nothing(caplog):
    assert written(caplog, [0.0] * 20, logging.DEBUG) == []


def test_a_line_need_not_be_put_together_that_nobody_wants(caplog):
    log = SparingLog(logging.getLogger("edgent.edge"))
    with caplog.at_level(logging.INFO, "edgent.edge"):
        assert log.shows(logging.ERROR) and not log.shows(logging.DEBUG)
