from __future__ import annotations

import pytest

from edgent.errors import InputError
from edgent.link.trace_files.units import Unit, is_time, parse_unit, seconds_of_title, unit_of_title


@pytest.mark.parametrize(
    ("title", "bits"),
    [
        ("bits_per_second", 1.0),
        ("bandwidth (bps)", 1.0),
        ("bit/s", 1.0),
        ("kbit/s", 1e3),
        ("bandwidth_kbps", 1e3),
        ("Kbps", 1e3),
        ("throughput [Mbits/sec]", 1e6),
        ("megabits per second", 1e6),
        ("DL Mbps", 1e6),
        ("Gbit/s", 1e9),
        ("kB/s", 8e3),
        ("MBps", 8e6),
        ("bytes_per_second", 8.0),
        ("KiB/s", 8192.0),
        ("MiB/s", 8 * 1024.0**2),
        ("DL_bitrate", 1e3),
    ],
)
def test_a_title_ends_in_its_unit_of_bandwidth(title: str, bits: float) -> None:
    found = unit_of_title(title)
    assert found is not None and found.bits == pytest.approx(bits) and not found.amount
    assert found.by_case == ("B" in title)


@pytest.mark.parametrize(("title", "bits"), [("bytes", 8.0), ("received_kB", 8e3), ("size (MB)", 8e6), ("kbit", 1e3)])
def test_or_in_one_of_an_amount(title: str, bits: float) -> None:
    assert unit_of_title(title) == Unit(bits=bits, amount=True)


@pytest.mark.parametrize(
    "title", ["", "b", "rate", "MBPS", "KBPS", "Speed", "RSRP", "m/s", "km/h", "s", "bitrate", "CellID"]
)
def test_or_in_none(title: str) -> None:
    assert unit_of_title(title) is None


@pytest.mark.parametrize(
    ("title", "seconds"),
    [("s", 1.0), ("seconds", 1.0), ("time (ms)", 1e-3), ("elapsed_us", 1e-6), ("t_min", 60.0), ("seq_num", 1.0)],
)
def test_units_of_time_are_found_at_the_end_as_well(title: str, seconds: float) -> None:
    assert seconds_of_title(title) == seconds


def test_a_time_is_known_by_its_title() -> None:
    assert all(map(is_time, ("time", "Timestamp", "date", "epoch_ms", "t", "s", "seconds", "elapsed time")))
    assert not any(map(is_time, ("tower", "latency_ms", "Throughput", "bitrate")))


@pytest.mark.parametrize("text", ["", "fast", "MBPS", "m/s", "x" * 500, "\x1b[31m", "5 Mbit/s"])
def test_a_unit_that_is_none_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(InputError, match="expected one of a rate") as caught:
        parse_unit(text)
    assert len(str(caught.value)) < 220
