"""`edgent frigate`, as a process that is asked and told to end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from detectors import SIDE, detector
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from frigate_client import FrigateClient
from ports import reserved_port
from shared_fixtures import make_profile

WITHIN = 60.0  # seconds: only ever waited for when something is broken
# On a full machine the usual time may pass before anybody has computed; a detector of these tests is not to give up.
PATIENT = ("--deadline", "20s", "--bind", "tcp://127.0.0.1:*")
COMMAND = (sys.executable, "-m", "edgent", "frigate")


@contextmanager
def started(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command as a process that does not outlive what fails, and its address."""
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().partition(": ")[0]
        finally:
            process.kill()


@pytest.fixture
def model_and_profile(tmp_path: Path) -> tuple[str, str]:
    path = detector(tmp_path / "finder.onnx")
    make_profile(load(str(path))).save(tmp_path / "profile.json")
    return str(path), str(tmp_path / "profile.json")


def test_frigate_is_answered_until_the_command_is_told_to_end(model_and_profile, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    model, profile = model_and_profile
    # The port that nobody listens on is an edge that is not there: the board answers.
    more = ("--profile", profile, "--edge", "127.0.0.1:9", "--sink", f"jsonl:{tmp_path}/events")
    with started(model, *PATIENT, *more) as (process, address):
        client = FrigateClient(address, timeout_ms=20_000)
        chance = np.random.default_rng(0)
        for _ in range(3):
            seen = client.detect(chance.integers(0, 256, (1, SIDE, SIDE, 3), dtype=np.uint8))
            assert seen.rows.any() and not seen.error
        client.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN) == 0
        assert "3 answered" in process.stdout.read()
        assert "no edge at 127.0.0.1:9" in process.stderr.read()
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert [event["number"] for event in events] == [0, 1, 2]
    assert all(event["record"]["result"]["boxes"] for event in events)


def test_a_model_that_is_not_here_is_fetched_from_the_edge(edgent, model_and_profile) -> None:
    path, profile = model_and_profile
    model = load(path)
    with Edge(model, profiles=[make_profile(model)], port=0) as edge:
        named = ("finder", "--edge", edge.address)
        shown = edgent("frigate", *named, "--configuration")
        assert shown.code == 0 and f"width: {SIDE}" in shown.out
        unknown = edgent("frigate", "none", "--edge", edge.address)
        assert unknown.code == 2 and "none" in unknown.err
        with started(*named, "--profile", profile, *PATIENT) as (process, address):
            client = FrigateClient(address, timeout_ms=20_000)
            picture = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), dtype=np.uint8)
            assert client.detect(picture).rows.any()
            client.close()
            process.send_signal(signal.SIGTERM)
            assert process.wait(WITHIN) == 0


def test_one_that_was_fetched_before_is_there_while_the_edge_is_away(edgent, model_and_profile, empty_cache) -> None:
    path, _ = model_and_profile
    with reserved_port() as port:
        with Edge(load(path), port=port) as edge:
            command = ("frigate", "finder", "--edge", edge.address, "--configuration")
            shown = edgent(*command)
        assert edgent(*command)[:2] == (0, shown.out)
        never = edgent("frigate", "none", *command[2:])
    assert never.code == 1 and len(never.complaints) == 1


BROKEN = """
from edgent.cli import main
from edgent.frigate.endpoint import FrigateEndpoint
FrigateEndpoint._run = lambda self: 1 / 0
main()
"""


def test_a_command_whose_socket_broke_ends_as_failed_so_that_it_is_started_again(model_and_profile) -> None:
    model, profile = model_and_profile
    words = ("frigate", model, "--profile", profile, "--bind", "tcp://127.0.0.1:*")
    ended = subprocess.run(
        [sys.executable, "-c", BROKEN, *words], check=False, capture_output=True, text=True, timeout=WITHIN
    )
    assert ended.returncode == 1 and "ZeroDivisionError" in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("edgent: frigate: what moves messages broke")
    assert "Traceback" not in ended.stderr


def test_what_to_write_into_frigates_configuration_is_printed(edgent, model_and_profile) -> None:
    done = edgent("frigate", model_and_profile[0], "--configuration", "--bind", "tcp://192.0.2.7:5555")
    assert done.code == 0 and "endpoint: tcp://192.0.2.7:5555" in done.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("{model}", "--bind", "nonsense"), "--bind"),
        (("{model}", "--deadline", "0ms"), "deadline"),
        (("{model}", "--edge", "http://x"), "--edge"),
        (("{model}", "--sink", "nonsense"), "--sink"),
        (("{model}", "--profile", "{model}"), "no text"),
        (("{model}", "--gates", "{model}"), "no text"),
        (("b-alexnet",), "finds no boxes"),
        (("{folder}/none.onnx",), "no such file"),
    ],
)
def test_bad_input_is_one_line(edgent, model_and_profile, tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    done = edgent("frigate", *(word.format(model=model_and_profile[0], folder=tmp_path) for word in words))
    assert done.code == 2 and says in done.err
    assert len(done.err.strip().splitlines()) == 1, done.err
