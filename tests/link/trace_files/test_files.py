from __future__ import annotations

from pathlib import Path

import pytest

from edgent.errors import InputError
from edgent.link.trace_files import TraceFiles, load_trace, load_traces, trace_files

OBOE = "15.0 3000\n474.0 3000\n514.0 1000\n905.0 1000\n1016.0 2000\n1911.0 2000\n"


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
        ("s|Mbit/s\n0|1\n1|1\n", "found 's|Mbit/s', expected numbers in 1 (mahimahi)"),
        ("time,Mbit/s\n0,1\n1,1\n", "found a column 'time', expected its unit"),
        ("s,bandwidth\n0,1\n1,1\n", "found a column 'bandwidth', expected its unit"),
        ("1 2 3\n", "expected numbers in 1 (mahimahi), 2 (oboe) or 6"),
        ("0 1000\n500 900\n", "not Oboe's"),
        ("s,Mbit/s\n0,0\n1,0\n", "nothing ever gets through"),
        ("[1, 2]", "found other JSON"),
        ("[", "no complete JSON"),
        ("100\n50\n", "goes up and down, expected mahimahi's"),
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


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 1000,
        b"\xff\xfe\x00s,Mbit/s",
        b"\x1f\x8b\x08\x00" + bytes(range(256)) * 20,
        b"s,Mbit/s\n0,1\n1," + b"9" * 100_000,
        b"9" * 3_000_000,
        b",\n,\n",
        b'"s,Mbit/s\n0,1\n1,1\n',
        b"s,Mbit/s\n" + b"0,1," * 50_000,
        b"[" * 100_000,
        b'{"intervals": ' + b"[" * 100_000,
        b"s,Mbit/s\n0,1\n1e999,1\n",
        "s,Mbit/s\n0,\u0661\n\u0662,x\n".encode(),
        b"2019.13.45_99.99.99,Mbit/s\n",
        b"Timestamp,Mbit/s\n2019.13.45_25.61.61,1\n2019.13.45_25.61.62,1\n",
    ],
)
def test_hostile_files_are_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "hostile.csv"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_trace(file)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
