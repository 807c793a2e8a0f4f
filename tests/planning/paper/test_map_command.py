"""`edgent map` from the outside: what it writes, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgent.cli import app
from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.latency.profile import BranchProfile, Timing
from edgent.planning.configuration_map import ConfigurationMap
from edgent.units import Seconds
from planning.paper.profiles import profile

TRACES = {"slow.csv": "s,kbit/s\n0,40\n1,60\n2,50\n", "fast.csv": "s,Mbit/s\n0,4\n1,6\n2,5\n"}


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    """What the command needs: profiles of a device 50 times slower than the edge, and a folder of traces."""
    model = load("b-alexnet")
    for name, per_layer in (("device", 0.005), ("edge", 0.0001)):
        branches = tuple(
            BranchProfile(
                exit=branch.exit,
                whole=Timing(median=per_layer * len(branch.layers), spread=0.0, samples=1),
                layers=(per_layer,) * len(branch.layers),
                unassigned=0.0,
            )
            for branch in model.branches
        )
        replace(profile(name, digest=model.digest), branches=branches).save(tmp_path / f"{name}.json")
    (tmp_path / "traces").mkdir()
    for name, text in TRACES.items():
        (tmp_path / "traces" / name).write_text(text)
    return [
        *("map", "b-alexnet", "--device", str(tmp_path / "device.json"), "--edge", str(tmp_path / "edge.json")),
        *("-o", str(tmp_path / "map.json")),
    ]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_it_writes_a_state_for_each_trace_and_the_one_without_a_link(given: list[str], tmp_path: Path) -> None:
    traces = str(tmp_path / "traces")
    printed = json.loads(run(*given, "--states", traces, "--deadline", "200ms,80ms", "--rtt", "5ms", "--json"))
    built = ConfigurationMap.load(tmp_path / "map.json")
    assert [state.bandwidth for state in built.states] == pytest.approx([0, 5e4, 5e6])
    assert (built.shortest, built.longest, built.round_trip) == (0.08, 0.2, 0.005)
    assert built.look_up(0, Seconds(0.1)).device_only
    assert not built.look_up(6e6, Seconds(0.08)).device_only
    assert printed == json.loads((tmp_path / "map.json").read_text())


def test_what_lies_among_traces_and_is_none_is_counted_and_not_read(given: list[str], tmp_path: Path) -> None:
    (tmp_path / "traces" / "README.md").write_text("two links")
    result = CliRunner().invoke(app, [*given, "--states", str(tmp_path / "traces"), "--deadline", "100ms"])
    assert result.exit_code == 0
    assert len(ConfigurationMap.load(tmp_path / "map.json").states) == 3
    (line,) = result.stderr.splitlines()
    assert "files ignored: 1;" in line and ".csv" in line


def test_scaled_traces_have_scaled_states(given: list[str], tmp_path: Path) -> None:
    run(*given, "--states", str(tmp_path / "traces" / "fast.csv"), "--scale", "0.1", "--deadline", "100ms")
    built = ConfigurationMap.load(tmp_path / "map.json")
    assert [state.bandwidth for state in built.states] == pytest.approx([0, 5e5])


def test_a_trace_whose_units_seem_mixed_up_is_warned_about(given: list[str], tmp_path: Path) -> None:
    (tmp_path / "huge.csv").write_text("s,Mbit/s\n0,4000\n1,6000\n")
    result = CliRunner().invoke(app, [*given, "--states", str(tmp_path / "huge.csv"), "--deadline", "100ms"])
    assert result.exit_code == 0
    assert "units" in result.output


@pytest.mark.parametrize("scale", ["0", "-1", "nan"])
def test_a_scale_that_is_none_is_refused(scale: str, given: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="scale"):
        run(*given, "--states", str(tmp_path / "traces"), "--scale", scale, "--deadline", "100ms")


def test_states_may_be_a_grid_and_the_table_shows_them(given: list[str], tmp_path: Path) -> None:
    shown = run(*given, "--grid", "100kbps,10Mbps,3", "--deadline", "100ms", "--reward", "fraction")
    assert all(text in shown for text in ("0 bit/s", "100 kbit/s", "1 Mbit/s", "10 Mbit/s", "fraction"))
    assert max(map(len, shown.splitlines())) <= 100
    assert len(ConfigurationMap.load(tmp_path / "map.json").states) == 4


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["--grid", "1kbps,2kbps,3", "--states", "traces"],
        ["--grid", "1kbps,2kbps"],
        ["--grid", "2kbps,1kbps,3"],
        ["--grid", "0kbps,1kbps,3"],
        ["--grid", "1kbps,2kbps,1e9"],
        ["--grid", "1kbps,2kbps,3", "--reward", "score"],
        ["--grid", "1kbps,2kbps,3", "--deadline", "100"],
        ["--grid", "1kbps,2kbps,3", "--deadline", "100ms,"],
        ["--grid", "1kbps,2kbps,3", "--exit", "9"],
        ["--grid", "1kbps,2kbps,3", "--scale", "2"],
        ["--states", "nowhere"],
    ],
    ids=" ".join,
)
def test_bad_input_is_refused_and_nothing_is_written(wrong: list[str], given: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError):
        run(*given, "--deadline", "100ms", *wrong)
    assert not (tmp_path / "map.json").exists()


def test_a_profile_of_another_model_is_refused(given: list[str], tmp_path: Path) -> None:
    profile("device").save(tmp_path / "device.json")
    with pytest.raises(InputError, match="measure it again"):
        run(*given, "--deadline", "100ms", "--grid", "1kbps,2kbps,3")
