"""`edgent run --source`, in small: a video, a camera that is none, a folder, a pipe, and the end by a signal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request

import numpy as np
import pytest

from edgent.codec import encode_image
from edgent.telemetry import read_records

pytest.importorskip("av")
from sources.made_video import make_video

WITHIN = 60.0  # seconds: only ever waited for when something is broken
PICTURE = encode_image("jpeg-90", np.zeros((32, 32, 3), np.uint8))


@pytest.fixture
def run(edgent, fast, tmp_path):
    fast.save(tmp_path / "device.json")
    always = ("run", "b-alexnet", "--deadline", "2s", "--profile", tmp_path / "device.json")
    return lambda *more: edgent(*always, *more)


def told(ended):
    """Without the word that this machine's profile is made up."""
    return [line for line in ended.complaints if "warning" not in line]


def test_a_video_is_answered_frame_by_frame_and_counted(run, tmp_path):
    film = make_video(tmp_path / "film.mp4", frames=8, rate=20)
    ended = run("--source", f"yard={film}", "--records", tmp_path / "day.jsonl", "--output", tmp_path / "out")
    assert ended.code == 0
    records = list(read_records(tmp_path / "day.jsonl"))
    (summary,) = told(ended)
    replaced = int(summary.partition("in time; ")[2].split()[0])
    assert len(records) + replaced == 8 and f"yard: {len(records)} frames answered" in summary
    assert len(ended.out.splitlines()) == len(records) == len(list((tmp_path / "out").glob("*.json")))
    assert all(record.input.startswith("yard-") and record.result for record in records)


def test_where_a_part_lies_outside_of_each_picture_none_is_answered_and_the_run_has_failed(run, tmp_path):
    film = make_video(tmp_path / "film.mp4", frames=4, rate=20)
    ended = run("--source", f"yard={film}", "--crop", "10x10+500+500")
    assert ended.code == 1 and not ended.out
    said, summary, failed = told(ended)
    assert "--crop 10x10+500+500: lies outside of a picture of 64 x 48" in said
    assert "0 frames answered" in summary
    assert "yard: none of its frames was answered" in failed


def test_a_source_that_is_none_fails_in_the_end_and_the_others_are_answered(run, tmp_path):
    film = make_video(tmp_path / "film.mp4", frames=4, rate=20)
    (tmp_path / "none.mp4").write_bytes(b"no video")
    ended = run("--source", f"yard={film}", "--source", tmp_path / "none.mp4")
    assert ended.code == 1 and ended.out
    assert [line.split(":")[1].strip() for line in told(ended)] == ["none", "yard", "none"]


BAD = {
    "neither": (),
    "both": ("a.png", "--source", "camera:0"),
    "one document": ("--source", "camera:0", "--json"),
    "no source": ("--source", "nowhere.mp4"),
    "two of a name": ("--source", "a=camera:0", "--source", "a=camera:1"),
    "no frames": ("--source", "camera:0", "--fps", "0"),
    "no number": ("--source", "camera:0", "--fps", "nan"),
    "no part": ("--source", "camera:0", "--crop", "10"),
    "no age": ("--source", "camera:0", "--refine", "soon"),
    "of frames": ("a.png", "--fps", "5"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_usage_is_one_line(run, kind):
    ended = run(*BAD[kind])
    assert ended.code == 2 and not ended.out
    assert len(ended.err.splitlines()) == 1 and "Traceback" not in ended.err


def test_a_sink_that_would_never_be_told_anything_is_refused(run):
    ended = run("a.png", "--sink", "jsonl:events")
    assert ended.code == 2 and ended.err.startswith("edgent: --sink is for what comes: name a --source")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_and_what_came_is_kept(fast, tmp_path, number):
    fast.save(tmp_path / "device.json")
    command = [
        sys.executable,
        "-m",
        "edgent",
        "run",
        "b-alexnet",
        "--deadline",
        "2s",
        "--records",
        tmp_path / "day.jsonl",
    ]
    sources = ["--source", "cam=-", "--source", "camera:99", "--profile", tmp_path / "device.json"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, *sources], **pipes) as run:
        run.stdin.write(PICTURE)
        run.stdin.flush()
        assert b"cam-0: " in run.stdout.readline()
        run.send_signal(number)
        assert run.wait(WITHIN) == 0
        said = run.stderr.read().decode().splitlines()
    assert sum("camera:99" in line for line in said) == 1
    assert any("cam: 1 frames answered" in line for line in said)
    (line,) = (tmp_path / "day.jsonl").read_text().splitlines()
    assert json.loads(line)["input"] == "cam-0"


def test_a_device_without_sources_answers_what_is_posted_and_keeps_it_as_its_frames(fast, tmp_path):
    fast.save(tmp_path / "device.json")
    command = [sys.executable, "-m", "edgent", "run", "b-alexnet", "--deadline", "60s"]
    command += ["--profile", tmp_path / "device.json", "--dashboard", ":0"]
    command += ["--records", tmp_path / "day", "--sink", f"jsonl:{tmp_path}/events"]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "env": environment}
    with subprocess.Popen(list(map(str, command)), **pipes) as process:
        url = next(line for line in process.stderr if "the page is on" in line).strip().rpartition(" ")[2]
        with urllib.request.urlopen(f"{url}predict?name=cat", data=PICTURE, timeout=WITHIN) as answer:
            answered = json.load(answer)
        with urllib.request.urlopen(f"{url}metrics", timeout=WITHIN) as metrics:
            assert b'edgent_frames_total{outcome="in_time",source="predict"} 1.0' in metrics.read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN) == 0
    (record,) = read_records(tmp_path / "day")
    (event,) = map(json.loads, (tmp_path / "events").read_text().splitlines())
    assert record.source == event["source"] == "predict" and record.at is not None
    assert event["record"]["label"] == record.label and record.label in json.dumps(answered)
