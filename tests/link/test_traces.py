from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.errors import InputError
from edgent.link.generator import generated, varied
from edgent.link.trace import Trace
from edgent.link.trace_files import TraceFiles, load_trace, load_traces, parse_trace, trace_files
from edgent.units import Seconds

SHARED = Path(__file__).resolve().parents[3] / "shared" / "traces"  # beside the repository
OBOE = "15.0 3000\n474.0 3000\n514.0 1000\n905.0 1000\n1016.0 2000\n1911.0 2000\n"
LOG = "1453121790686 0 51.03 3.72 125000 1000\n1453121791686 1000 51.03 3.72 250000 500\n"
SABRE = '[{"duration_ms": 1000, "bandwidth_kbps": 1000, "lat": 2}, {"duration_ms": 500, "bandwidth_kbps": 4000}]'


def trace(bandwidths: list[float], each: float = 1.0) -> Trace:
    starts = each * np.arange(len(bandwidths))
    duration = Seconds(each * len(bandwidths))
    return Trace(name="made", starts=starts, bandwidths=np.array(bandwidths, dtype=np.float64), duration=duration)


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


def test_an_outage_at_the_end_of_a_loop_goes_on_at_its_beginning() -> None:
    assert trace([0.0, 1e6, 0.0]).outage == 1.0
    assert replace(trace([0.0, 1e6, 0.0]), loops=True).outage == 2.0


def test_what_is_made_of_a_looping_trace_loops() -> None:
    found = parse_trace("1")
    assert found.scaled(2.0).loops and varied(found, 7).loops
    assert not parse_trace(OBOE).loops


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
    ("text", "message"),
    [
        ("", "found nothing"),
        ("\n \n", "found nothing"),
        ("s,Mbit/s\n", "found 0 samples"),
        ("s,Mbit/s\n0,1\n", "found 1 samples"),
        ('[{"duration_ms": 1000, "bandwidth_kbps": 5}]', "found 1 samples"),
        ("s,Mbit/s\n0,1\n2,1\n1,1\n", "sample 3: found 1 after 2"),
        ("0 1000\n400 1000\n300 900\n500 900\n", "found 300 after 400"),
        ("s,Mbit/s\n0,1\n1,-2\n", "line 3: found a negative bandwidth"),
        (
            '[{"duration_ms": 9, "bandwidth_kbps": 5}, {"duration_ms": 9, "bandwidth_kbps": -5}]',
            "sample 2: found a neg",
        ),
        ('[{"duration_ms": 9, "bandwidth_kbps": "fast"}]', "sample 1: found bandwidth_kbps 'fast'"),
        ('[{"duration_ms": -9, "bandwidth_kbps": 5}, {"duration_ms": 9, "bandwidth_kbps": 5}]', "negative duration"),
        ("s,Mbit/s\n0,1\n1,nan\n", "line 3: found '1 nan', expected 2 numbers"),
        ("s,Mbit/s\n0,1\n1,fast\n", "line 3"),
        ("s,Mbit/s\n0,1\n1,inf\n", "line 3"),
        ("s,Mbit/s\n0,1\n1,1e300\n2,1\n", "line 3: found '1 1e300', expected 2 numbers within 1e-30 .. 1e+30"),
        ("s,Mbit/s\n0,1\n1e308,1\n", "line 3: found '1e308 1'"),
        ("s,Mbit/s\n0,1\n1,1e-320\n", "line 3: found '1 1e-320'"),
        (f'[{{"duration_ms": 9, "bandwidth_kbps": 1{"0" * 400}}}]', "sample 1: found bandwidth_kbps 1000"),
        ('[{"duration_ms": 9, "bandwidth_kbps": 1e999}]', "sample 1: found bandwidth_kbps inf"),
        ('{"input": "cat.jpg"}\n{"input": "dog.jpg"}\n', "records are for edgent replay"),
        ("s;Mbit/s\n0;1\n1;1\n", "found 's;Mbit/s', expected numbers in 1 (mahimahi)"),
        ("time,bandwidth\n0,1\n1,1\n", "found a column 'time', expected its unit"),
        ("s,bandwidth\n0,1\n1,1\n", "found a column 'bandwidth', expected its unit"),
        ("1 2 3\n", "expected numbers in 1 (mahimahi), 2 (oboe) or 6"),
        ("0 1000\n500 900\n", "not Oboe's"),
        ("s,Mbit/s\n0,0\n1,0\n", "nothing ever gets through"),
        ("[1, 2]", "found other JSON"),
        ("[", "no complete JSON"),
        ("100\n50\n", "found 0.05 after 0.1"),
        ("-5\n3\n", "found times -5 .. 3, expected milliseconds"),
        ("0\n1453121790686\n", "expected milliseconds from the trace's begin"),
    ],
)
def test_bad_traces_are_refused_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.txt"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        load_trace(file)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{file}: ") and "\n" not in str(caught.value)


def test_missing_files_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_trace(tmp_path / "none")
    with pytest.raises(InputError, match="found no trace in this folder"):
        load_traces([tmp_path])
    with pytest.raises(InputError, match="found no trace"):
        load_traces([])


def test_folders_give_what_ends_like_a_trace_in_order_and_count_the_rest(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / ".git").mkdir()
    for name in ("b.txt", "a.CSV", "deeper/c.log", ".hidden.txt", ".git/d.txt", "README.md", "deeper/LICENSE"):
        (tmp_path / name).write_text(OBOE)
    assert [found.name for found in load_traces([tmp_path])] == ["a.CSV", "b.txt", "c.log"]
    assert trace_files([tmp_path]).ignored == 2


def test_a_file_that_is_named_is_read_whatever_its_name(tmp_path: Path) -> None:
    (file := tmp_path / "README").write_text(OBOE)
    assert trace_files([file, file]) == TraceFiles(files=(file, file), ignored=0)
    assert [found.name for found in load_traces([file])] == ["README"]


@pytest.mark.parametrize("factor", [1000, 0.001])
def test_values_a_thousand_times_too_large_or_too_small_are_doubted(factor: float) -> None:
    plausible = trace([3e6, 5e6, 0.0])
    assert plausible.doubts == ()
    (doubt,) = plausible.scaled(factor).doubts
    assert f"--scale {1 / factor:g} " in doubt and "\n" not in doubt


def test_hours_of_outage_are_doubted_and_can_be_used() -> None:
    found = trace([1e6, 0.0, 0.0, 1e6], each=3600.0)
    assert found.outage == 7200
    assert "nothing gets through" in found.doubts[0]
    assert found.arrival(3500.0, 200e6) == pytest.approx(3 * 3600 + 100)


def test_what_begins_in_an_outage_without_end_never_arrives() -> None:
    assert trace([1e6, 0.0]).arrival(1.5, 1.0) == math.inf


@given(
    bandwidths=st.lists(st.sampled_from([0.0, 1e5, 1e6, 3e6]), min_size=2, max_size=12).filter(any),
    begin=st.floats(0, 15),
    bits=st.floats(1, 1e7),
)
def test_a_transfer_integrates_the_trace_while_it_lasts(bandwidths: list[float], begin: float, bits: float) -> None:
    found = trace(bandwidths)
    end = found.arrival(begin, bits)
    times = np.linspace(begin, begin + 40, 40_001)
    pieces = np.floor((times[:-1] + times[1:]) / 2).astype(np.intp)  # of a second each
    rates = found.bandwidths[np.minimum(pieces, len(bandwidths) - 1)]
    carried = np.concatenate([[0.0], np.cumsum(rates * np.diff(times))])
    if end == math.inf or end > begin + 39:
        assert carried[-2000] <= bits * (1 + 1e-6)
    else:
        assert np.interp(end, times, carried) == pytest.approx(bits, abs=3.1e6 * 0.002)


def test_scaling_is_explicit_and_must_be_possible() -> None:
    assert trace([1e6, 3e6]).scaled(0.1).mean == pytest.approx(2e5)
    for factor in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(InputError, match="scale"):
            trace([1e6, 3e6]).scaled(factor)


def test_generated_traces_are_seeded_and_have_outages_fades_and_regimes() -> None:
    assert generated(3).bandwidths.tolist() == generated(3).bandwidths.tolist()
    several = [generated(seed, seconds=600) for seed in range(20)]
    assert sum(found.outage > 0 for found in several) > 5
    assert np.median([found.mean for found in several]) == pytest.approx(3e6, rel=0.4)
    assert all(found.bandwidths.max() > 3 * np.quantile(found.bandwidths, 0.05) for found in several)


def test_the_variation_has_its_coefficient_and_keeps_the_mean() -> None:
    flat = trace([2e6] * 2000)
    found = varied(flat, 7)
    assert found.bandwidths.std() / found.bandwidths.mean() == pytest.approx(0.2, abs=0.01)
    assert found.mean == pytest.approx(2e6, rel=0.01)
    assert varied(flat, 7).bandwidths.tolist() == found.bandwidths.tolist()
    assert varied(flat, 8).bandwidths.tolist() != found.bandwidths.tolist()
    assert varied(flat, 7, variation=0.0) is flat


@pytest.mark.skipif(not SHARED.exists(), reason="the published traces are not here; they have no licence to be shipped")
def test_the_published_traces_have_their_published_figures() -> None:
    oboe, belgium = load_traces([SHARED / "oboe" / "traces"]), load_traces([SHARED / "belgium-4g" / "json"])
    assert (len(oboe), len(belgium)) == (428, 40)
    assert not any(found.doubts for found in (*oboe, *belgium))
    assert sum(found.duration for found in belgium) == pytest.approx(5.0 * 3600, rel=0.01)
    weighted = sum(found.mean * found.duration for found in belgium) / sum(found.duration for found in belgium)
    assert weighted == pytest.approx(30.2e6, rel=0.01)
    assert min(found.mean for found in oboe) > 0.3e6 and max(found.mean for found in oboe) < 6e6


def test_a_trace_says_what_it_is() -> None:
    assert repr(parse_trace(json.dumps(json.loads(SABRE)), "log")) == "<Trace log: 1.5 s, 2 Mbit/s on average>"
