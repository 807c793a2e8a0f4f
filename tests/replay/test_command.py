from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgent.cli import app
from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.latency import Profile
from edgent.latency.profile import BranchProfile, Timing


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Profiles of B-AlexNet with 5 ms a layer on the device and a twentieth of that on the edge."""
    folder, model = tmp_path_factory.mktemp("machines"), load("b-alexnet")
    zero = Timing(median=1e-4, spread=0.0, samples=1)

    def branch(exit: int, layers: int) -> BranchProfile:
        whole = Timing(median=0.005 * layers, spread=0.0, samples=1)
        return BranchProfile(exit=exit, whole=whole, layers=(0.005,) * layers, unassigned=0.0)

    device = Profile(
        model=model.name,
        digest=model.digest,
        machine="made",
        engine="none",
        threads=1,
        branches=tuple(branch(each.exit, len(each.layers)) for each in model.branches),
        codecs=(),
        decode_source=zero,
        fit=zero,
        normalise=zero,
    )
    paths = folder / "device.json", folder / "edge.json"
    device.save(paths[0])
    device.scaled(0.05, "fast").save(paths[1])
    return paths


@pytest.fixture
def link(tmp_path: Path) -> Path:
    file = tmp_path / "link.csv"
    rows = [f"{second},{2 if second % 20 < 10 else 0.4}" for second in range(60)]
    file.write_text("\n".join(["s,Mbit/s", *rows]))
    return file


def command(link: Path, machines: tuple[Path, Path], *more: str) -> list[str]:
    files = ["--device", str(machines[0]), "--edge", str(machines[1])]
    return ["replay", str(link), "--model", "b-alexnet", *files, "--deadline", "90ms", *more]


def test_it_prints_one_document_the_same_each_time(link: Path, machines: tuple[Path, Path]) -> None:
    outputs = {CliRunner().invoke(app, command(link, machines, "--json", "--variation", "0.2")).stdout for _ in "ab"}
    (output,) = outputs
    document = json.loads(output)
    assert document["deadline_ms"] == 90.0 and document["traces"] == 1
    assert len(document["methods"]) == 11
    assert document["methods"]["clairvoyant"]["accuracy_in_time"] > 0.8


def test_it_prints_a_table_of_all_methods(link: Path, machines: tuple[Path, Path]) -> None:
    found = CliRunner().invoke(app, command(link, machines, "--interval", "0.5s", "--codec", "float32"))
    assert found.exit_code == 0
    assert all(name in found.stdout for name in ("paper-dynamic", "edgent-no-change-points", "contested"))


def test_a_trace_in_the_wrong_units_is_warned_about(link: Path, machines: tuple[Path, Path]) -> None:
    found = CliRunner().invoke(app, command(link, machines, "--scale", "1000"))
    assert found.exit_code == 0
    assert "warning" in found.stderr and "units mixed up" in found.stderr


def test_a_folder_is_read_for_its_traces_and_the_rest_counted_in_a_line(
    link: Path, machines: tuple[Path, Path]
) -> None:
    (link.parent / "README.md").write_text("the link was slow today")
    found = CliRunner().invoke(app, command(link.parent, machines, "--json"))
    assert found.exit_code == 0 and json.loads(found.stdout)["traces"] == 1
    assert found.stderr.startswith("edgent: files ignored: 1;") and len(found.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "more",
    [
        ("--interval", "often"),
        ("--interval", "0s"),
        ("--scale", "0"),
        ("--device-slowdown", "-1"),
        ("--variation", "-1"),
        ("--reward", "none"),
        ("--direction", "sideways"),
        ("--codec", "gif"),
    ],
)
def test_bad_options_are_refused(link: Path, machines: tuple[Path, Path], more: tuple[str, ...]) -> None:
    found = CliRunner().invoke(app, command(link, machines, *more))
    assert isinstance(found.exception, InputError)
    assert "\n" not in str(found.exception)


def test_a_trace_that_is_none_is_refused(tmp_path: Path, machines: tuple[Path, Path]) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("the link was slow today")
    found = CliRunner().invoke(app, command(file, machines))
    assert isinstance(found.exception, InputError) and str(file) in str(found.exception)
