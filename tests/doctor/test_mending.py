"""What costs time is mended where its owner agrees, and what is told afterwards is what the machine says."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from edgent.cli.machine.doctor import _of_mending, _told, check_may_mend
from edgent.doctor.machine import checkup
from edgent.doctor.mending import Mending, mend
from edgent.errors import EdgentError

SLOW_START = "proc/sys/net/ipv4/tcp_slow_start_after_idle"
GOVERNOR = "sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor"


class FakeMachine:
    """A folder that stands for a machine; commands change files in it, and nothing else.

    Args:
        root: the folder.
        broken: first words of commands that fail.
        dull: first words of commands that change nothing.
    """

    def __init__(self, root: Path, broken: Sequence[str] = (), dull: Sequence[str] = ()) -> None:
        self.root, self.broken, self.dull = root, broken, dull
        self.power_save, self.ran = "on", list[tuple[str, ...]]()
        for path, text in ((SLOW_START, "1"), (GOVERNOR.format(0), "powersave"), (GOVERNOR.format(1), "ondemand")):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text + "\n")
        (root / "sys/class/net/wlan0/wireless").mkdir(parents=True)

    def __call__(self, command: Sequence[str]) -> str | None:
        if command[:2] == ["iw", "dev"] and command[3:] == ["get", "power_save"]:
            return f"Power save: {self.power_save}\n"
        if command[0] in ("vcgencmd", *self.broken):
            return None
        self.ran.append(tuple(command))
        if command[0] not in self.dull:
            self._change(command)
        return ""

    def _change(self, command: Sequence[str]) -> None:
        match list(command):
            case ["sysctl", "-w", setting]:
                (self.root / SLOW_START).write_text(setting.partition("=")[2] + "\n")
            case ["iw", "dev", "wlan0", "set", "power_save", state]:
                self.power_save = state
            case ["sh", "-c", script]:  # its paths begin in the folder
                subprocess.run(
                    ["sh", "-c", script.replace("/sys/", f"{self.root}/sys/")], check=True, capture_output=True
                )
            case _:
                pytest.fail(f"nobody may run {command}")

    def look(self):
        return checkup(self.root, self)

    def mend(self, agrees=lambda finding, repair: True) -> list[Mending]:
        return list(mend(self.look(), agrees, self.look, self))

    def state(self) -> dict[str, str | None]:
        return {one.what: one.found for one in self.look()}


def test_all_that_a_command_can_mend_costs_nothing_afterwards_and_can_be_undone(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    before = machine.state()
    mendings = machine.mend()
    assert {mending.before.what for mending in mendings} == {
        "tcp_slow_start_after_idle",
        "Wi-Fi power save (wlan0)",
        "CPU governor",
    }
    assert all(mending.worked and mending.ran for mending in mendings)
    assert not any(one.costs for one in machine.look()) and machine.mend() == []
    for mending in mendings:
        machine(list(mending.repair.undo))
    assert machine.state() == before
    assert (tmp_path / GOVERNOR.format(1)).read_text() == "ondemand\n"  # each core has its own again


def test_nothing_is_run_to_which_nobody_agreed(tmp_path: Path) -> None:
    machine, asked = FakeMachine(tmp_path), []
    agreed = machine.mend(lambda finding, repair: asked.append(finding.what) or finding.what == "CPU governor")
    assert [mending.before.what for mending in agreed] == ["CPU governor"]
    assert len(asked) == 3 and [command[0] for command in machine.ran] == ["sh"]


def test_a_command_that_fails_or_changes_nothing_has_not_worked(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path, broken=["sysctl"], dull=["iw"])
    outcomes = {mending.before.what.split()[0]: (mending.ran, mending.worked) for mending in machine.mend()}
    assert outcomes == {"tcp_slow_start_after_idle": (False, False), "Wi-Fi": (True, False), "CPU": (True, True)}


def test_what_is_told_to_type_is_what_is_run(tmp_path: Path) -> None:
    for finding in FakeMachine(tmp_path).look():
        if finding.repair is not None:
            assert shlex.split(finding.mend) == ["sudo", *finding.repair.command]
            assert shlex.split(finding.repair.undo_typed) == ["sudo", *finding.repair.undo]


def test_only_root_may_mend_and_only_where_there_is_something(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    with pytest.raises(EdgentError, match=r"sudo edgent doctor --fix"):
        check_may_mend(machine.look(), user=1000)
    check_may_mend(machine.look(), user=0)
    machine.mend()
    check_may_mend(machine.look(), user=1000)


@pytest.mark.parametrize(("options", "words"), [(["--yes"], "add --fix"), (["--fix", "--json"], "add --yes")])
def test_options_that_do_not_go_together_change_nothing(options: list[str], words: str) -> None:
    from typer.testing import CliRunner

    from edgent.cli import app

    ended = CliRunner().invoke(app, ["doctor", *options])
    assert ended.exit_code == 1 and words in str(ended.exception)


def test_before_and_after_are_told_with_what_undoes_it_and_failures_with_what_to_type(tmp_path: Path, capsys) -> None:
    machine = FakeMachine(tmp_path, broken=["sysctl"], dull=["iw"])
    list(_told(mend(machine.look(), lambda *_: True, machine.look, machine)))
    told = capsys.readouterr()
    assert "CPU governor: ondemand, powersave -> performance" in told.out
    assert "undo:  sudo sh -c 'echo powersave > /sys/" in told.out and "until this machine starts again" in told.out
    assert "sudo sysctl -w net.ipv4.tcp_slow_start_after_idle=0 failed; run it by hand" in told.err
    assert "sudo iw dev wlan0 set power_save off had no effect" in told.err


def test_a_document_has_what_was_run_and_what_undoes_it(tmp_path: Path) -> None:
    (mending,) = FakeMachine(tmp_path).mend(lambda finding, _: finding.what.startswith("tcp"))
    assert _of_mending(mending) == {
        "what": "tcp_slow_start_after_idle",
        "before": "on",
        "after": "off",
        "worked": True,
        "command": ["sysctl", "-w", "net.ipv4.tcp_slow_start_after_idle=0"],
        "undo": ["sysctl", "-w", "net.ipv4.tcp_slow_start_after_idle=1"],
    }
