from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.errors import InputError
from edgent.link.trace_files import parse_trace
from edgent.units import (
    format_bandwidth,
    format_moment,
    parse_bandwidth,
    parse_count,
    parse_delay,
    parse_duration,
    parse_moment,
    rate_of,
    seconds_of,
)


@pytest.mark.parametrize(
    "text", ["5Mbps", "5 Mbit/s", "5mbps", "5000kbit/s", "5000Kbps", "5e6 bit/s", "0.005Gbps", "5MBIT/S"]
)
def test_a_bandwidth_is_in_bits_however_it_is_spelled(text: str) -> None:
    assert parse_bandwidth(text) == pytest.approx(5e6)


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("1MB/s", "8 Mbit/s"),
        ("5MBps", "8 Mbit/s"),
        ("5 MBPS", "8 Mbit/s"),
        ("400KB/s", "8 kbit/s"),
        ("400kBps", "8 kbit/s"),
        ("2GB/s", "8 Gbit/s"),
        ("2 MiB/s", "8.389 Mbit/s"),
        ("2 KiBps", "8.192 kbit/s"),
        ("7B/s", "8 bit/s"),
        ("7Bps", "8 bit/s"),
        ("3 Mbytes/s", "8 Mbit/s"),
        ("5MB", "8 Mbit/s"),
    ],
)
def test_bytes_are_refused_and_told_in_bits(text: str, one: str) -> None:
    with pytest.raises(InputError, match="is in bytes") as caught:
        parse_bandwidth(text)
    assert f" is {one};" in str(caught.value)


@given(prefix=st.sampled_from("kKMmGg"), number=st.integers(1, 999))
def test_what_is_in_bytes_is_never_read_as_bits(prefix: str, number: int) -> None:
    for unit in ("B/s", "Bps", "iB/s", "Byte/s"):
        with pytest.raises(InputError, match="in bytes"):
            parse_bandwidth(f"{number}{prefix}{unit}")
    assert parse_bandwidth(f"{number}{prefix}bps") == parse_bandwidth(f"{number} {prefix}bit/s")


@pytest.mark.parametrize(
    "text",
    ["5", "5M", "5 M", "5Mb", "5Mb/", "M", "", " ", "5 Mbit/s up", "5,5Mbit/s", "0Mbit/s", "-1Mbit/s", "infMbit/s"],
)
def test_what_is_no_bandwidth_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="write it like 5Mbit/s"):
        parse_bandwidth(text)


@pytest.mark.parametrize("text", ["100", "100m", "1y", "ms", "1w", "1 s s", "-5ms", "nan s", "1e999s", "0ms"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="write it like 100ms"):
        parse_duration(text)


def test_hours_and_days_are_durations_too() -> None:
    assert (parse_duration("1.5h"), parse_duration("7d")) == (5400.0, 604_800.0)


def test_both_spellings_of_the_micro_sign_are_read() -> None:
    assert parse_duration("5\u00b5s") == parse_duration("5\u03bcs") == parse_delay("5us") == pytest.approx(5e-6)


def test_messages_hold_the_beginning_of_long_texts_only() -> None:
    for parse in (parse_bandwidth, parse_duration):
        with pytest.raises(InputError) as caught:
            parse("9" * 100_000 + "x")
        assert len(str(caught.value)) < 250


@pytest.mark.parametrize("unit", ["MB/s", "kBps", "MiB/s"])
def test_a_table_of_bytes_is_not_read_as_one_of_bits(unit: str) -> None:
    with pytest.raises(InputError, match="in bytes"):
        parse_trace(f"time_s,bandwidth_{unit}\n0,1\n1,2\n")


def test_a_hint_can_be_read_back() -> None:
    assert parse_bandwidth(format_bandwidth(8e6)) == 8e6


def test_a_count_is_a_whole_number_within_bounds() -> None:
    assert [parse_count(text, 100) for text in ("1", "007", "100")] == [1, 7, 100]
    for text in ("0", "101", "-1", "+1", "1.0", "1_0", " 1", "", "a", "\u0663", "\u00b2", "9" * 5000):
        assert parse_count(text, 100) is None


@pytest.mark.parametrize("value", [1, 0.1, 1e-9, np.float32(0.5), np.float64(2.0), Fraction(1, 4)])
def test_any_real_number_is_taken_where_seconds_or_rates_are_meant(value) -> None:
    assert seconds_of(value, "deadline") == rate_of(value, "bandwidth") == float(value)
    assert type(seconds_of(value, "deadline")) is float


@pytest.mark.parametrize(
    "value", [0, -1, -0.0, math.nan, math.inf, -math.inf, 10**400, "0.1", "100ms", None, [1.0], 1j]
)
def test_what_is_no_positive_finite_number_of_seconds_is_refused_in_one_line(value) -> None:
    with pytest.raises(InputError, match=r"^deadline .* is not a positive, finite number of seconds$") as caught:
        seconds_of(value, "deadline")
    assert len(str(caught.value)) < 120


def test_a_rate_that_is_not_given_stays_so_and_one_that_is_none_is_refused() -> None:
    assert rate_of(None, "bandwidth") is None
    with pytest.raises(InputError, match=r"bandwidth 0 is not a positive, finite number of bits per second"):
        rate_of(0, "bandwidth")


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(8999, 12, 31)))
def test_a_moment_is_read_as_it_is_printed(moment: datetime) -> None:
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC).timestamp()
    assert parse_moment(format_moment(whole)) == pytest.approx(whole, abs=1.1e-3)


def test_a_moment_without_a_zone_is_in_the_one_that_is_asked_for() -> None:
    east = timezone(timedelta(hours=2))
    assert parse_moment("2026-11-30T08:15", zone=east) == datetime(2026, 11, 30, 6, 15, tzinfo=UTC).timestamp()
    assert parse_moment("2026-11-30T08:15Z", zone=east) == datetime(2026, 11, 30, 8, 15, tzinfo=UTC).timestamp()
    assert parse_moment("2026-11-30") == datetime(2026, 11, 30, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text", ["", "noon", "25:00", "2026-13-01", "1969-12-31", "9999-12-31T23:59-12:00", "0001-01-01"]
)
def test_what_is_no_moment_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match=r"--from .* write it like 2026-11-30"):
        parse_moment(text, "--from")
