"""What is installed fits what is shipped: the script, its settings, and the container's files."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer

from edgent.cli import app
from edgent.cli.arguments.settings_file import SettingsFile, settings_of

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SCRIPT = DEPLOY / "install.sh"
VERBS = {"edge": "serve", "device": "run", "frigate": "frigate"}
ROOMS = {"edge": "edge", "device": "sources", "frigate": "frigate"}
EXTRAS = {"dashboard": "dashboard", "frigate": "frigate", "mqtt": "sinks", "video": "sources"}
"""What is installed besides, and the room that needs it."""

debian = pytest.mark.skipif(not Path("/etc/debian_version").exists(), reason="the script is for Debian")


def install(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", str(SCRIPT), *arguments], check=False, capture_output=True, text=True)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck (Debian's package)")
def test_shellcheck_finds_nothing_in_the_script() -> None:
    checked = subprocess.run(["shellcheck", str(SCRIPT)], check=False, capture_output=True, text=True)
    assert checked.stdout == ""


@debian
@pytest.mark.parametrize("role", VERBS)
def test_a_dry_run_says_all_that_would_be_done(role: str) -> None:
    done = install(role, "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert all(line.startswith("+ ") or " here; " in line for line in lines)
    assert any("pip install" in line and "edgent[" in line for line in lines)
    assert any(line.endswith(f"/etc/systemd/system/edgent-{role}.service") for line in lines)
    assert any("systemctl enable" in line or "no systemd here" in line for line in lines)


@debian
def test_every_file_that_is_copied_is_there() -> None:
    copied = [file for role in VERBS for file in re.findall(rf"{DEPLOY}/\S+", install(role, "--dry-run").stdout)]
    assert len(set(copied)) >= 5 and all(Path(file).is_file() for file in copied)


@pytest.mark.parametrize("arguments", [[], ["cloud"], ["edge", "device"], ["edge", "--from"], ["edge", "--fast"]])
def test_what_it_does_not_know_is_answered_with_how_it_is_used(arguments: list[str]) -> None:
    done = install(*arguments)
    assert done.returncode == 2 and done.stderr.startswith("usage: ") and done.stdout == ""


@debian
def test_a_wheel_that_is_not_there_is_told_before_anything_is_done() -> None:
    done = install("edge", "--dry-run", "--from", "none.whl")
    assert done.returncode == 1 and "none.whl: no such wheel" in done.stderr and done.stdout == ""


@pytest.mark.parametrize("role", VERBS)
def test_the_settings_that_are_installed_are_right(role: str) -> None:
    if not (ROOT / "src" / "edgent" / ROOMS[role]).is_dir():
        pytest.skip(f"this release has no room {ROOMS[role]}")
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    read = SettingsFile.read(DEPLOY / "settings" / f"{role}.toml", commands)
    assert list(read.sections) == [VERBS[role]]


def test_who_can_be_asked_without_a_password_is_asked_by_this_machine_alone_where_nobody_chose() -> None:
    settings = tomllib.loads((DEPLOY / "settings" / "frigate.toml").read_text())["frigate"]
    assert re.match(r"tcp://127\.0\.0\.1:|ipc://", settings["bind"])


@pytest.mark.parametrize("role", VERBS)
def test_a_role_is_installed_with_the_extras_of_the_options_that_it_has(role: str) -> None:
    (line,) = re.findall(rf"^ +{role}\) (.*) ;;$", SCRIPT.read_text(), flags=re.MULTILINE)
    installed = set(line.partition("extras=")[2].split(","))
    command = typer.main.get_command(app).commands[VERBS[role]]  # type: ignore[attr-defined]
    needed = {"dashboard": "dashboard", "sink": "mqtt"}
    assert {extra for option, extra in needed.items() if option in settings_of(command)} <= installed


def test_extras_that_are_asked_for_are_there() -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    text = SCRIPT.read_text() + (DEPLOY / "container" / "Containerfile").read_text()
    asked = {extra for line in re.findall(r"(?:extras|EXTRAS)=([a-z,]+)", text) for extra in line.split(",")}
    assert asked == set(EXTRAS)
    assert {extra for extra, room in EXTRAS.items() if (ROOT / "src" / "edgent" / room).is_dir()} <= set(known)


def test_compose_keeps_tcps_window_and_stops_as_patiently_as_systemd() -> None:
    text = (DEPLOY / "container" / "compose.yaml").read_text()
    assert "net.ipv4.tcp_slow_start_after_idle: 0" in text and "stop_grace_period: 20s" in text
    assert set(re.findall(r"/etc/edgent/(\w+)\.toml", text)) <= set(VERBS)
