from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.errors import InputError
from edgent.link.generator import varied
from edgent.link.trace import Trace
from edgent.link.trace_files import load_traces, parse_trace
from edgent.units import Seconds

SHARED = Path(__file__).resolve().parents[4] / "shared" / "traces"  # beside the repository
OBOE = "15.0 3000\n474.0 3000\n514.0 1000\n905.0 1000\n1016.0 2000\n1911.0 2000\n"
LOG = "1453121790686 0 51.03 3.72 125000 1000\n1453121791686 1000 51.03 3.72 250000 500\n"
SABRE = '[{"duration_ms": 1000, "bandwidth_kbps": 1000, "lat": 2}, {"duration_ms": 500, "bandwidth_kbps": 4000}]'


def iperf3(*bandwidths: float, omitted: int = 0) -> str:
    """As iperf3 3.9 prints it, with keys that no reader needs left in."""
    sums = [
        {
            "start": float(at),
            "end": at + 1.0,
            "seconds": 1.0,
            "bytes": int(bandwidth / 8),
            "bits_per_second": bandwidth,
            "omitted": at < omitted,
            "sender": True,
        }
        for at, bandwidth in enumerate(bandwidths)
    ]
    intervals = [{"streams": [{"socket": 5, **each}], "sum": each} for each in sums]
    return json.dumps({"start": {"version": "iperf 3.9"}, "intervals": intervals, "end": {"cpu": {}}}, indent=4)


def test_oboes_chunks_hold_and_gaps_lie_between() -> None:
    found = parse_trace(OBOE)
    assert found.duration == pytest.approx(1.896)
    assert found.at(0.1) == 3e6
    assert found.at(0.48) == 2e6  # the gap between 3 and 1 Mbit/s
    assert found.at(0.6) == 1e6
    assert found.at(99.0) == 2e6


@pytest.mark.parametrize("text", [LOG, SABRE])
def test_logs_and_sabre_tell_the_same(text: str) -> None:
    found = parse_trace(text)
    assert found.duration == pytest.approx(1.5)
    assert (found.at(0.5), found.at(1.2)) == (1e6, 4e6)


def test_mahimahi_counts_packets() -> None:
    lines = [*range(10, 501, 10), *range(505, 1001, 5)]  # a packet each 10 ms, then each 5
    found = parse_trace("\n".join(map(str, lines)))
    assert found.at(0.2) == pytest.approx(1500 * 8 / 0.010)
    assert found.at(0.7) == pytest.approx(1500 * 8 / 0.005)


@pytest.mark.parametrize(
    ("lines", "duration", "mean"),
    [
        (range(1, 1001), 1.0, 12e6),  # a packet of 12,000 bits each millisecond
        (range(1, 5001), 5.0, 12e6),
        (range(1, 60_001), 60.0, 12e6),
        (range(100, 1001, 100), 1.0, 0.12e6),
        (range(1, 1338), 1.337, 12e6),  # ends inside a half second
        (range(1, 1003), 1.002, 12e6),  # just begun one
        (range(1, 13), 0.012, 12e6),
        ([1], 0.001, 12e6),
        ([7, 7, 7], 0.007, 3 * 12e3 / 0.007),
        ([0, 500, 1000, 1400], 1.4, 4 * 12e3 / 1.4),
        ([59_999, 60_000], 60.0, 2 * 12e3 / 60),  # an hour-glass: all at the end
    ],
)
def test_a_mahimahi_trace_lasts_until_its_last_line_and_carries_a_packet_a_line(
    lines: list[int], duration: float, mean: float
) -> None:
    found = parse_trace("\r\n".join(map(str, lines)))
    assert found.duration == pytest.approx(duration)
    assert found.mean == pytest.approx(mean)
    if mean == 12e6:
        assert found.bandwidths == pytest.approx([12e6] * found.bandwidths.size)


@given(lines=st.lists(st.integers(0, 20_000), min_size=1, max_size=12).filter(any).map(sorted))
def test_a_mahimahi_trace_has_in_each_half_second_the_packets_of_its_lines(lines: list[int]) -> None:
    found = parse_trace("\n".join(map(str, lines)))
    bins = max(round(lines[-1] / 500), 1)
    for place in range(bins):
        begin, end = 0.5 * place, 0.5 * (place + 1) if place < bins - 1 else lines[-1] / 1e3
        packets = sum(place == min(max(-(-line // 500) - 1, 0), bins - 1) for line in lines)
        assert found.at((begin + end) / 2) * (end - begin) == pytest.approx(packets * 12e3)


def test_a_few_lines_make_a_few_pieces_however_long_the_trace_is() -> None:
    found = parse_trace("1\n5\n5\n2147483648")
    assert found.bandwidths.size <= 2 * 4
    assert found.duration == pytest.approx(2147483.648)
    assert found.mean == pytest.approx(4 * 12e3 / 2147483.648)


@pytest.mark.parametrize(
    "text", ["0", "0\n0\n", "1.5\n1\n", "# of a phone\n1\n2\n", "1\n2 # packets\n", "1e400", "1\n\n-"]
)
def test_what_is_no_mahimahi_trace_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_trace(text)


@given(
    lines=st.lists(st.integers(0, 4000), min_size=1, max_size=40).filter(any).map(sorted),
    begin=st.integers(0, 20_000).map(lambda ms: ms / 1e3),
    packets=st.integers(1, 200),
)
def test_a_mahimahi_trace_begins_again_after_its_last_line(lines: list[int], begin: float, packets: int) -> None:
    found = parse_trace("\n".join(map(str, lines)))
    again = 20 + math.ceil(20_000 / lines[-1]) + 200 // len(lines)  # laps until every such transfer is over
    unrolled = Trace(
        name="unrolled",
        starts=np.concatenate([found.starts + lap * found.duration for lap in range(again)]),
        bandwidths=np.tile(found.bandwidths, again),
        duration=Seconds(again * found.duration),
    )
    bits = packets * 12e3 - 1  # not just at an end, where an outage may begin
    assert found.arrival(begin, bits) == pytest.approx(unrolled.arrival(begin, bits), rel=1e-6)
    several = found.arrivals(np.array([[begin], [math.inf]]), np.array([bits, 2 * bits]))
    assert several[0, 0] == found.arrival(begin, bits) and np.isinf(several[1]).all()
    middle = found.starts + np.diff(found.starts, append=found.duration) / 2
    assert [found.at(time + 3 * found.duration) for time in middle] == found.bandwidths.tolist()


def test_what_is_made_of_a_looping_trace_loops() -> None:
    found = parse_trace("1")
    assert found.scaled(2.0).loops and varied(found, 7).loops
    assert not parse_trace(OBOE).loops


@pytest.mark.skipif(not SHARED.exists(), reason="the published traces are not here; they have no licence to be shipped")
def test_the_published_traces_have_their_published_figures() -> None:
    oboe, belgium = load_traces([SHARED / "oboe" / "traces"]), load_traces([SHARED / "belgium-4g" / "json"])
    assert (len(oboe), len(belgium)) == (428, 40)
    assert not any(found.doubts for found in (*oboe, *belgium))
    norway = load_traces([SHARED / "norway-3g"])
    assert len(norway) == 86
    assert sum(bool(found.doubts) for found in norway) == 2  # that stood in a tunnel for longer than ten minutes
    assert not any("traffic" in doubt for found in norway for doubt in found.doubts)
    assert sum(found.duration for found in belgium) == pytest.approx(5.0 * 3600, rel=0.01)
    weighted = sum(found.mean * found.duration for found in belgium) / sum(found.duration for found in belgium)
    assert weighted == pytest.approx(30.2e6, rel=0.01)
    assert min(found.mean for found in oboe) > 0.3e6 and max(found.mean for found in oboe) < 6e6


def test_a_trace_says_what_it_is() -> None:
    assert repr(parse_trace(json.dumps(json.loads(SABRE)), "log")) == "<Trace log: 1.5 s, 2 Mbit/s on average>"


def test_iperf3s_intervals_are_read_and_what_it_omits_is_left_out() -> None:
    found = parse_trace(iperf3(9e6, 1e6, 4e6, omitted=1))
    assert found.duration == 2.0
    assert (found.at(0.5), found.at(1.5)) == (1e6, 4e6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"intervals": 3}', "found other JSON, expected"),
        ('{"intervals": [3]}', "found other JSON, expected"),
        ('{"intervals": [{"streams": []}]}', "an interval without its sum"),
        ('{"intervals": []}', "found no sample that lasts"),
        ('{"intervals": [{"sum": {"seconds": 1, "bits_per_second": -1}}]}', "sample 1: found a negative bandwidth"),
        ('{"intervals": [{"sum": {"seconds": 1, "bits_per_second": "1"}}]}', "found bits_per_second '1'"),
        ('{"intervals": [{"sum": {"seconds": 1}}]}', "found bits_per_second None"),
        ('{"intervals": [', "no complete JSON"),
    ],
)
def test_what_iperf3_does_not_print_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("[", r"\[")):
        parse_trace(text)
