"""The units are right by systemd's own checker, and leave the machine little to fear by its own measure."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
ROLES = {"edge": "serve", "device": "run", "frigate": "frigate"}
MOST_EXPOSED = 15  # in tenths, of 100: "OK"; a service that nobody thought of has 96

systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (systemd 250)")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as they are installed, but for a program that is there."""
    shutil.copytree(UNITS, tmp_path / "units")
    for file in (tmp_path / "units").rglob("*.*"):
        if file.is_file():
            file.write_text(file.read_text().replace("/opt/edgent/bin/edgent", "/bin/true"))
    return tmp_path / "units"


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *map(str, arguments)], check=False, capture_output=True, text=True
    )


def test_each_role_has_a_unit_that_runs_its_verb_with_the_settings() -> None:
    assert {file.stem for file in UNITS.glob("*.service")} == {f"edgent-{role}" for role in ROLES}
    for role, verb in ROLES.items():
        lines = (UNITS / f"edgent-{role}.service").read_text().splitlines()
        assert f"ExecStart=/opt/edgent/bin/edgent --config /etc/edgent/settings.toml {verb}" in lines


@systemd
@pytest.mark.parametrize("role", ROLES)
def test_systemd_finds_nothing_wrong_with_a_unit(role: str, units: Path) -> None:
    checked = analyze("verify", "--man=no", units / f"edgent-{role}.service")
    assert (checked.returncode, checked.stderr) == (0, "")


@systemd
@pytest.mark.parametrize("role", ROLES)
def test_a_unit_leaves_little_exposed(role: str, units: Path) -> None:
    unit = units / f"edgent-{role}.service"
    checked = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", unit)
    assert checked.returncode == 0, checked.stdout.splitlines()[-1:] + checked.stderr.splitlines()


@systemd
def test_the_checks_see_what_is_wrong(units: Path) -> None:
    """Else a checker that cannot read the units would pass them all."""
    shared = units / "edgent-.service.d" / "50-edgent.conf"
    shared.write_text(shared.read_text().replace("NoNewPrivileges=yes", "NoNewPrivilege=yes"))
    assert "NoNewPrivilege" in analyze("verify", "--man=no", units / "edgent-edge.service").stderr
    shared.write_text("")
    unit = units / "edgent-edge.service"
    assert analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", unit).returncode != 0


def test_a_stop_waits_longer_than_what_is_in_hand_may_take() -> None:
    from edgent.cli.serve import _GRACE

    lines = (UNITS / "edgent-.service.d" / "50-edgent.conf").read_text().splitlines()
    (patience,) = [line.partition("=")[2] for line in lines if line.startswith("TimeoutStopSec=")]
    assert int(patience) >= _GRACE + 5
    assert "KillSignal=SIGTERM" in lines and "Restart=always" in lines
