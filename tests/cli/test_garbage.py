"""Garbage in place of every kind of option: one line, exit code 2, and nothing printed as if it were an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

RUN = ("run", "b-alexnet", "{picture}", "--deadline", "1s")
PLAN = ("plan", "b-alexnet", "--device", "{good}", "--edge", "{good}", "--bandwidth", "5Mbps", "--deadline", "1s")
REPLAY = ("replay", "{trace}", "--model", "b-alexnet", "--device", "{good}", "--edge", "{good}", "--deadline", "1s")

DURATIONS = ("", "0ms", "-1ms", "100", "5y", "abc", "1e999s", "1e300s", "1e-300s", "9" * 400 + "s", "nan s", "\x1b[31m")
RATES = ("0Mbps", "-1Mbps", "5", "1MB/s", "8MBps", "abc", "1e300Mbps", "1e-300bps", "\x1b[31m")
ADDRESSES = ("::1", "http://x:1", "localhost:0", "localhost:70000", "a b:1", "[::1]", ":1", "x" * 300 + ":1", "unix:/x")
NUMBERS = ("-1", "1e999", "nan", "abc", "", "9" * 5000, "1.5", "0x10")
FILES = {
    "missing": None,
    "empty": b"",
    "text": b"hello",
    "bytes": b"\xff\xfe\x00",
    "deep": b"[" * 100_000,
    "twice": b'{"schema": 1, "schema": 1}',
    "half": rb'{"schema": "\ud800"}',
    "nan": b'{"schema": NaN}',
    "huge": b'{"schema": ' + b"9" * 9999 + b"}",
    "other": b'{"schema": 1}',
    "list": b"[1, 2, 3]",
}

CASES = [
    *[(*RUN[:-1], value) for value in DURATIONS],
    *[(*RUN, "--rtt", value) for value in DURATIONS[2:]],
    *[(*RUN, option, value) for option in ("--bandwidth", "--downlink") for value in RATES],
    *[(*RUN, "--edge", value) for value in ADDRESSES],
    *[(*RUN, option, value) for option in ("--exit", "--threads") for value in NUMBERS if value != "-1"],
    *[(*RUN, "--direction", value) for value in ("", "up", "\x1b[31m", "x" * 5000)],
    *[(*RUN, "--throttle", value) for value in ("2", "a@b", "2@-1s", "0@1s", "2@1e300s")],
    *[(*PLAN[:-1], value) for value in DURATIONS],
    *[(*PLAN, "--downlink", value) for value in RATES],
    *[(*REPLAY, "--interval", value) for value in DURATIONS],
    *[("profile", "b-alexnet", "--budget", value) for value in DURATIONS],
    *[("doctor", "--edge", value) for value in ADDRESSES],
    *[("serve", "b-alexnet", "--host", value) for value in ("", "http://x", "256.0.0.1", "a b", "x" * 300, "unix")],
    *[("serve", "b-alexnet", "--port", value) for value in (*NUMBERS, "65536")],
    *[("inspect", "b-alexnet", "--verify", value) for value in ("0", *NUMBERS) if value],
    *[
        ("inspect", "b-alexnet", "--dim", value)
        for value in ("", "a", "=1", "a=", "a=0", "a=-1", "a=1.5", "a=\u00b2", "a=" + "9" * 5000)
    ],
    *[("run", "b-alexnet", "--deadline", "1s", "--profile", f"{{{name}}}", "{picture}") for name in FILES],
    *[
        ("run", "b-alexnet", "--deadline", "1s", "--calibration", f"{{{name}}}", "{picture}")
        for name in ("half", "deep")
    ],
    *[("report", f"{{{name}}}") for name in FILES],
    *[("profile", "--compare", f"{{{name}}}", f"{{{name}}}") for name in FILES],
    *[(*REPLAY[:1], f"{{{name}}}", *REPLAY[2:]) for name in FILES],
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("garbage")
    for name, content in FILES.items():
        if content is not None:
            (folder / name).write_bytes(content)
    (folder / "trace").write_text("s,Mbit/s\n0,1\n1,2\n")
    (folder / "picture").write_bytes(b"hello")
    return {name: folder / name for name in (*FILES, "trace", "picture", "good")}


@pytest.mark.parametrize("verb", sorted({case[0] for case in CASES}))
def test_garbage_is_refused_in_one_line(verb, files, edgent, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for case in CASES:
        if case[0] != verb:
            continue
        ended = edgent(*(part.format(**files) if part[:1] == "{" and part[-1:] == "}" else part for part in case))
        assert ended.code == 2, case
        assert ended.out == "", case
        said = [line for line in ended.err.splitlines() if "Usage:" not in line and "Try " not in line and line.strip()]
        assert len(said) == 1 and "\x1b" not in said[0], (case, said)
    assert not list(tmp_path.iterdir())
