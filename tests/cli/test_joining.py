"""An owner and a device, as they are typed: serve, join, run; who was removed or never joined is told so."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path

import pytest
from PIL import Image

from edgent.identity.certificates import Authority, new_key, request_for
from real_time import until


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def png(tmp_path: Path) -> Path:
    Image.new("RGB", (32, 32), (90, 120, 200)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[dict]:
    """An edge in a process of its own, that knows its devices."""
    command = [sys.executable, "-m", "edgent", "serve", "b-alexnet", "--port", "0", "--join-port", "0", "--json"]
    command += ["--identity", str(tmp_path / "edge")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = "".join(takewhile(lambda line: line != "}\n", process.stdout)) + "}"
            yield json.loads(said) | {"identity": str(tmp_path / "edge")}
        finally:
            process.terminate()


def token(edgent: Callable, edge: dict, *options: str) -> str:
    return str(json.loads(edgent("token", "create", "--identity", edge["identity"], "--json", *options).out)["token"])


def run(edgent: Callable, edge: dict, picture: Path):
    return edgent(
        "run", "b-alexnet", picture, "--edge", edge["address"], "--deadline", "30s", "--require-edge", "--json"
    )


def test_a_device_joins_runs_and_is_removed(edgent: Callable, edge: dict, png: Path) -> None:
    assert run(edgent, edge, png).code == 1  # nobody is answered who has not joined
    ended = edgent("join", edge["joining"], "--token", token(edgent, edge), "--name", "porch")
    assert ended.code == 0 and "joined as porch" in ended.out and edge["address"] in ended.out
    ended = run(edgent, edge, png)
    assert ended.code == 0, ended.err
    listed = json.loads(edgent("devices", "list", "--identity", edge["identity"], "--json").out)
    assert [(device["name"], device["may_fetch"]) for device in listed] == [("porch", True)]
    assert edgent("devices", "remove", "porch", "--identity", edge["identity"]).code == 0
    assert until(lambda: run(edgent, edge, png).code != 0)
    assert "join again" in run(edgent, edge, png).err


def test_a_token_need_not_be_typed(edgent: Callable, edge: dict, tmp_path: Path, monkeypatch) -> None:
    shelf = token(edgent, edge, "--uses", "2", "--ttl", "15min")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{shelf}\nanother line\n"))
    assert edgent("join", edge["joining"], "--token", "-", "--name", "a", "--out", tmp_path / "a").code == 0
    monkeypatch.setenv("EDGENT_TOKEN", shelf)
    assert edgent("join", edge["joining"], "--name", "b", "--out", tmp_path / "b").code == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("x" * 10_000))
    ended = edgent("join", edge["joining"], "--token", "-", "--name", "c", "--out", tmp_path / "c")
    assert ended.code == 2 and "found no token (1000 characters)" in ended.err


def test_a_shelf_of_boards_joins_by_one_token_and_the_next_is_refused(
    edgent: Callable, edge: dict, tmp_path: Path
) -> None:
    shelf = token(edgent, edge, "--uses", "2", "--ttl", "15min")
    for name in ("a", "b"):
        assert edgent("join", edge["joining"], "--token", shelf, "--name", name, "--out", tmp_path / name).code == 0
        assert {path.name for path in (tmp_path / name).iterdir()} >= {"authority.pem", "device.pem", "device.key"}
    ended = edgent("join", edge["joining"], "--token", shelf, "--name", "c", "--out", tmp_path / "c")
    assert ended.code == 2 and "used up" in ended.err and not (tmp_path / "c").exists()


def test_certificates_of_one_s_own_are_named_once_on_either_side(edgent: Callable, tmp_path: Path, png: Path) -> None:
    now, keys = datetime.now(UTC), [new_key(), new_key()]
    authority = Authority.create(now)
    files = {
        "authority.pem": authority.certificate,
        "edge.pem": authority.edge_certificate(keys[0], ["127.0.0.1"], now),
        "edge.key": keys[0],
        "device.pem": authority.device_certificate("porch", request_for("porch", keys[1]), now),
        "device.key": keys[1],
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    command = [sys.executable, "-m", "edgent", "serve", "b-alexnet", "--port", "0", "--json"]
    with subprocess.Popen([*command, "--certificates", str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        edge = json.loads("".join(takewhile(lambda line: line != "}\n", process.stdout)) + "}")
        try:
            assert run(edgent, edge, png).code == 1
            ended = edgent("join", edge["address"], "--certificates", tmp_path)
            assert ended.code == 0 and edge["address"] in ended.out
            ended = run(edgent, edge, png)
            assert ended.code == 0, ended.err
        finally:
            process.terminate()


@pytest.mark.parametrize(
    "arguments",
    [
        ("join", "127.0.0.1:1"),
        ("join", "127.0.0.1:1", "--token", "x", "--certificates", "."),
        ("join", "127.0.0.1:1", "--certificates", "no-such-folder"),
        ("join", "127.0.0.1:1", "--token", "wrong"),
        ("join", "nowhere", "--token", "edgent1-" + "0" * 64 + "-" + "0" * 32),
        ("join", "127.0.0.1:1", "--token", "edgent1-" + "0" * 64 + "-" + "0" * 32, "--name", "A B"),
        ("token", "create", "--ttl", "never"),
        ("token", "create", "--uses", "0"),
        ("devices", "list"),
        ("devices", "remove", "nobody"),
        ("devices", "limit", "nobody", "--rate", "5"),
        ("run", "b-alexnet", "x.png", "--edge", "192.0.2.77:8001", "--deadline", "100ms"),
        ("serve", "b-alexnet", "--identity", "x", "--insecure"),
        ("serve", "b-alexnet", "--certificates", "absent"),
    ],
)
def test_bad_input_is_one_line(edgent: Callable, arguments: tuple[str, ...]) -> None:
    ended = edgent(*arguments)
    assert ended.code == 2
    assert "Traceback" not in ended.err
    assert ended.err.strip()


def test_an_edge_that_is_not_there_is_no_bad_input(edgent: Callable) -> None:
    ended = edgent("join", "127.0.0.1:1", "--token", "edgent1-" + "0" * 64 + "-" + "0" * 32)
    assert ended.code == 1 and "--join-port" in ended.err
