from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.errors import InputError
from edgent.link.trace import Trace
from edgent.link.trace_files import TraceReading, parse_trace, parse_unit
from edgent.link.trace_files.table import cells_of
from edgent.units import Seconds

UCC = (
    "Timestamp,Longitude,Latitude,Speed,Operatorname,CellID,NetworkMode,RSRP,RSRQ,SNR,CQI,RSSI,DL_bitrate,UL_bitrate,"
    "State,NRxRSRP\n"
    "2019.12.14_10.16.30,-8.39,51.88,1,B,11,5G,-95,-13,4.0,9,-80,1000,20,D,-\n"
    "2019.12.14_10.16.31,-8.39,51.88,1,B,11,5G,-95,-13,-,9,-,2000,30,D,-\n"
    "2019.12.14_10.16.31,-8.39,51.88,1,B,11,5G,-95,-13,4.0,9,-80,4000,10,D,-\n"
    "2019.12.14_10.16.32,-8.39,51.88,1,B,11,5G,-95,-13,4.0,9,-80,-,5,D,-\n"
    "2019.12.14_10.16.33,-8.39,51.88,1,B,11,5G,-95,-13,4.0,9,-80,8000,5,D,-\n"
)
LUMOS = (
    "run_num,seq_num,latitude,longitude,nrStatus,lte_rssi,Throughput\n"
    "1,7,44.9,-93.2,CONNECTED,-60,120\n"
    "1,8,44.9,-93.2,CONNECTED,-61,250\n"
)


def read(text: str, column: str = "", unit: str = "", step: float | None = None) -> Trace:
    """With what the user says."""
    reading = TraceReading(
        column=column, unit=parse_unit(unit) if unit else None, step=None if step is None else Seconds(step)
    )
    return parse_trace(text, "trace", reading)


def levels(found: Trace, *times: float) -> list[float]:
    return [found.at(time) for time in times]


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("s,Mbit/s\n", "5,1\n6,2\n7,3\n"),
        ("time_ms,bandwidth_kbps\n", "0,1000\n1000,2000\n2000,3000\n"),
        ("time (s), bandwidth (bps)\n", "0,1e6\n1,2e6\n2,3e6\n"),
        ("", "0,1000000\n1,2000000\n2,3000000\n"),
        ("\ufeffs,Mbit/s\n", "0,1\n1,2\n2,3\n"),  # as spreadsheets write it
    ],
)
def test_csv_names_its_units(header: str, rows: str) -> None:
    found = parse_trace(header + rows)
    assert [found.at(t) for t in (0.5, 1.5, 2.5)] == [1e6, 2e6, 3e6]
    assert found.duration == 3.0


@pytest.mark.parametrize(
    "text",
    [
        "seconds,bits_per_second\n0,1e6\n1,2e6\n",
        "elapsed_ms\tkilobits per second\n0\t1000\n1000\t2000\n",
        "time (s); throughput (kbit/s)\n0; 1000\n1; 2000\n",
        '"time [s]","bandwidth [Mbit/s]"\n"0","1"\n"1","2"\n',
        "Timestamp,mbps\n2021-05-01 23:59:59,1\n2021-05-02 00:00:00,2\n",
        "date,Mbps\n2021-05-01T10:00:00.250Z,1\n2021-05-01T10:00:01.250Z,2\n",
        "timestamp,Mbps\n1619863200,1\n1619863201,2\n",
        "timestamp,Mbps\n1619863200000,1\n1619863201000,2\n",
        "10:16:30,1000000\n10:16:31,2000000\n",
        "Mbit/s,loss,s\n1,0,0\n2,0,1\n",
        "time_s Mbps\n0 1\n1 2\n",
    ],
)
def test_headers_in_words_times_of_every_kind_and_other_marks_are_read(text: str) -> None:
    found = parse_trace(text)
    assert levels(found, 0.5, 1.5) == [1e6, 2e6]
    assert found.duration == 2.0


def test_a_column_of_a_phones_log_is_chosen_by_its_name_and_known_to_be_in_kbit() -> None:
    found = read(UCC, column="DL_bitrate")
    assert levels(found, 0.5, 1.5, 2.5, 3.5) == [1e6, 3e6, 3e6, 8e6]  # 2 and 4 in one second; one is missing
    assert levels(read(UCC, column="ul_BITRATE"), 0.5) == [20e3]
    assert levels(read(UCC, column="13"), 0.5, 3.5) == [1e6, 8e6]
    assert levels(read(UCC, column="DL_bitrate", unit="Mbit/s"), 0.5) == [1e9]
    with pytest.raises(InputError, match=r"the columns DL_bitrate, UL_bitrate: choose .* --column DL_bitrate"):
        read(UCC)
    with pytest.raises(InputError, match="found no column 'bitrate', expected one of Timestamp, Longitude"):
        read(UCC, column="bitrate")


def test_lumos5gs_throughput_is_known_to_be_in_mbit_a_line_a_second() -> None:
    found = read(LUMOS, column="Throughput")
    assert levels(found, 0.5, 1.5) == [120e6, 250e6]
    with pytest.raises(InputError, match="choose the bandwidth's"):
        read(LUMOS)


@pytest.mark.parametrize("text", ["1\n2.5\n0.5\n", "1,\n2.5,\n0.5,\n", "Mbps\n1\n2.5\n0.5\n"])
def test_one_number_a_line_is_a_log_of_levels_where_step_and_unit_are_said(text: str) -> None:
    found = read(text, column="1" if "," in text else "", unit="Mbit/s", step=0.5)
    assert levels(found, 0.1, 0.6, 1.1) == [1e6, 2.5e6, 0.5e6] and found.duration == 1.5


def test_without_them_it_is_told_what_to_say() -> None:
    for text, said, message in (
        ("1\n2.5\n0.5\n", {}, r"goes up and down, .*--step 1s --unit Mbit/s"),
        ("1\n2.5\n0.5\n", {"unit": "Mbit/s"}, r"say so: --step 1s"),
        ("1\n2.5\n0.5\n", {"step": 1.0}, r"say its unit, as --unit Mbit/s"),
        ("Mbit/s\n1\n2\n", {}, r"expected numbers in 1"),
        ("lat,lon,Mbit/s\n1,2,3\n1,2,3\n", {}, r"no time among the columns lat, lon, Mbit/s.*--step 1s"),
        ("s,rate\n1,2\n2,3\n", {}, r"found a column 'rate', expected its unit .* --unit kbit/s"),
        ("s,MBPS\n1,2\n2,3\n", {}, r"found a column 'MBPS', expected its unit"),
        ("0 2\n1 3\n", {}, r"not Oboe's .* --unit Mbit/s, or --unit bytes"),
        ("0,1,2\n1,2,3\n", {}, r"found 3 columns without titles: .* --column 3"),
        ("0,1,2\n1,2,3\n", {"column": "9"}, r"found no column '9', expected one of column 1, column 2, column 3"),
        ("[1]", {"step": 1.0}, r"found JSON, which names its columns"),
        ("s,Mbit/s\n0,1\n1\n", {}, r"line 3: found '1', expected"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            read(text, **said)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)


def test_pairs_of_time_and_bytes_are_what_has_passed_since_the_line_before() -> None:
    for text, unit in (("10 500\n11 125000\n13 500000\n", "bytes"), ("time_s,bytes\n10,9\n11,125000\n13,500000\n", "")):
        found = read(text, unit=unit)
        assert levels(found, 0.5, 1.5, 2.5) == [1e6, 2e6, 2e6] and found.duration == 3.0


def test_without_titles_a_unit_may_be_said_and_is_bits_otherwise() -> None:
    assert levels(read("0,3\n1,4\n", unit="Mbit/s"), 0.5, 1.5) == [3e6, 4e6]
    assert levels(read("0 3\n1 4\n", unit="Mbit/s"), 0.5, 1.5) == [3e6, 4e6]
    assert levels(read("0,7,4\n1,7,5\n", column="3", unit="kB/s"), 0.5, 1.5) == [32e3, 40e3]
    (doubt,) = read("0,3\n1,4\n").doubts
    assert "--scale 1e+06 makes it 3 Mbit/s" in doubt


def test_a_rate_in_bytes_by_the_case_of_a_letter_is_read_where_it_is_said_to_be_meant() -> None:
    text = "s,bandwidth_MB/s\n0,1\n1,2\n"
    with pytest.raises(InputError, match=r"in bytes, where 1 is 8 Mbit/s: .* --unit MB/s or --unit Mbit/s"):
        read(text)
    assert levels(read(text, unit="MB/s"), 0.5) == [8e6]
    assert levels(read(text, unit="Mbit/s"), 0.5) == [1e6]
    assert levels(read("s,bytes_per_second\n0,1e6\n1,2e6\n"), 0.5) == [8e6]


def test_several_runs_in_one_file_are_refused() -> None:
    with pytest.raises(InputError, match=r"sample 3: found 7 after 8, expected times that rise: .* cut it up"):
        read(LUMOS + "2,7,44.9,-93.2,CONNECTED,-60,120\n", column="Throughput")


@given(at=st.datetimes(datetime(1980, 1, 1), datetime(2090, 1, 1)), seconds=st.integers(1, 10**6))
def test_timestamps_are_as_far_apart_as_the_calendar_says(at: datetime, seconds: int) -> None:
    at = at.replace(microsecond=0, tzinfo=UTC)
    later = datetime.fromtimestamp(at.timestamp() + seconds, UTC)
    found = parse_trace(f"time,Mbit/s\n{at:%Y-%m-%d %H:%M:%S},1\n{later:%Y.%m.%d_%H.%M.%S},2\n")
    assert found.starts[1] == seconds


def test_more_lines_than_may_be_are_refused() -> None:
    lines = [(number, "1 2") for number in range(6)]
    assert len(list(cells_of(lines, None, most=6))) == 6
    with pytest.raises(InputError, match="found more than 5 lines, expected at most as many: cut the file up"):
        list(cells_of(lines, None, most=5))
