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


def test_a_column_of_a_log_and_its_unit_can_be_said(tmp_path: Path, machines: tuple[Path, Path]) -> None:
    file = tmp_path / "phone.csv"
    rows = [f"2019.12.14_10.16.{second:02},-95,{2000 if second % 20 < 10 else 400},7" for second in range(60)]
    file.write_text("\n".join(["Timestamp,RSRP,DL_bitrate,UL_bitrate", *rows]))
    levels = tmp_path / "levels.txt"
    levels.write_text("\n".join("2" if second % 20 < 10 else "0.4" for second in range(60)))
    named, stepped = (
        CliRunner().invoke(app, [*command(link, machines, "--json"), *more])
        for link, more in ((file, ("--column", "DL_bitrate")), (levels, ("--step", "1s", "--unit", "Mbit/s")))
    )
    assert named.exit_code == stepped.exit_code == 0
    assert json.loads(named.stdout) == json.loads(stepped.stdout)
    unnamed = CliRunner().invoke(app, command(file, machines))
    assert isinstance(unnamed.exception, InputError) and "--column DL_bitrate" in str(unnamed.exception)


def test_what_iperf3_prints_is_a_trace_and_no_record(tmp_path: Path, machines: tuple[Path, Path]) -> None:
    file = tmp_path / "iperf3.json"
    sums = [{"seconds": 1.0, "bits_per_second": 2e6 if second % 20 < 10 else 4e5} for second in range(60)]
    file.write_text(json.dumps({"start": {}, "intervals": [{"sum": each} for each in sums]}))
    found = CliRunner().invoke(app, command(file, machines, "--json"))
    assert found.exit_code == 0 and json.loads(found.stdout)["traces"] == 1


def test_a_log_of_traffic_is_warned_about(tmp_path: Path, machines: tuple[Path, Path]) -> None:
    file = tmp_path / "traffic.csv"
    file.write_text("\n".join(["s,Mbit/s", *(f"{second},{2 * (second % 3 > 0)}" for second in range(60))]))
    found = CliRunner().invoke(app, command(file, machines))
    assert found.exit_code == 0
    assert "33% of the time" in found.stderr and "log of traffic" in found.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["replay"], "either traces or --odd"),
        (["replay", "link.csv", "--odd"], "either traces or --odd"),
        (["replay", "link.csv", "--link", "bursts"], "expected --odd as well"),
        (["replay", "link.csv"], "missing --model and --device and --edge and --deadline"),
        (["replay", "--odd", "--model", "b-alexnet", "--deadline", "1s"], "missing --device and --edge"),
        (["replay", "link.csv", "--unit", "MBPS"], "unit 'MBPS'"),
        (["replay", "link.csv", "--step", "often"], "step 'often'"),
    ],
)
def test_what_is_missing_is_said(arguments: list[str], message: str) -> None:
    found = CliRunner().invoke(app, arguments)
    assert isinstance(found.exception, InputError) and message in str(found.exception)


def odd(machines: tuple[Path, Path], *more: str) -> list[str]:
    whole = command(Path(), machines, "--odd", "--no-race", "--codec", "float32", *more)
    return [whole[0], *whole[2:]]  # without the trace


def test_an_odd_link_is_replayed_by_its_name(machines: tuple[Path, Path]) -> None:
    found = CliRunner().invoke(app, odd(machines, "--link", "steady-good", "--json"))
    assert found.exit_code == 0
    (link,) = json.loads(found.stdout)["links"]
    assert link["link"] == "steady-good" and link["words"] == "3 Mbit/s, for ever"
    assert link["worse"] is False and link["reason"] is None and abs(link["behind"]) < 0.01
    assert link["traces"] == 4 and len(link["methods"]) == 11
    printed = CliRunner().invoke(app, odd(machines, "--link", "steady-good"))
    assert printed.exit_code == 0 and "over a point behind the best baseline on 0 of 1 links" in printed.stdout
    unknown = CliRunner().invoke(app, odd(machines, "--link", "calm"))
    assert isinstance(unknown.exception, InputError) and "expected one of alternating, bursts" in str(unknown.exception)
