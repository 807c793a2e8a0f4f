"""`edgent evaluate` from the outside: what it prints and keeps, and one line for what cannot be measured."""

from __future__ import annotations

import json
import os
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner, Result

from edgent.cli import app
from edgent.codec import Calibration
from edgent.engine.loading import load
from edgent.errors import EdgentError, InputError
from edgent.evaluation.calibration_files import calibration_for
from evaluation.data.folders_on_disk import picture, table
from evaluation.small_networks import shades
from graphs import Graph

NAMES = tuple(f"{k}.png" for k in range(4))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = table(tmp_path / "d", "file,label\n0.png,0\n1.png,1\n2.png,2\n3.png,0\n", *NAMES)
    for name, shade in zip(NAMES, (0, 85, 170, 255), strict=True):
        picture(root / name, shade)
    return root


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit | EdgentError):
        raise result.exception
    return result


def test_its_document_calls_an_accuracy_so_and_the_file_holds_the_same(data: Path, tmp_path: Path) -> None:
    result = run(shades(tmp_path), "--data", data, "-o", tmp_path / "c.json", "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    (exit,) = document["exits"]
    assert (document["measure"], document["reference"], exit["accuracy"], exit["samples"]) == (
        "accuracy",
        None,
        0.75,
        4,
    )
    kept = Calibration.load(tmp_path / "c.json")
    assert kept.exit_accuracy(0) == 0.75
    assert exit["input_codecs"]["jpeg-90"] == kept.accuracy(0, ["image"], "jpeg-90")


@pytest.mark.parametrize(("reference", "measure"), [(False, "fidelity"), (True, "agreement")])
def test_what_is_no_accuracy_is_called_by_its_own_name_wherever_it_is_printed(
    data: Path, tmp_path: Path, reference: bool, measure: str
) -> None:
    (data / "labels.csv").unlink()
    options = ("--reference", shades(tmp_path, "big")) if reference else ()
    path = shades(tmp_path)
    document = json.loads(run(path, "--data", data, *options, "-o", tmp_path / "c.json", "--json").stdout)
    (exit,) = document["exits"]
    assert (document["measure"], exit["accuracy"], exit[measure]) == (measure, None, 1.0)
    printed = run(path, "--data", data, *options, "-o", tmp_path / "c.json").stdout
    assert measure.capitalize() in printed
    assert "accuracy" not in printed.replace(str(tmp_path), "").lower()


def test_a_model_that_takes_no_picture_is_refused_before_pictures_are_read(tmp_path: Path) -> None:
    g = Graph()
    g.inputs.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 4, 8, 8]))
    path = tmp_path / "two.onnx"
    onnx.save(g.model(g.node("Add", g.conv("x", 3, 4), "z")), path)
    result = run(path, "--data", tmp_path / "nowhere")
    assert isinstance(result.exception, InputError) and "takes 2 inputs" in str(result.exception)


def test_without_a_file_it_is_kept_where_planning_finds_it(data: Path, tmp_path: Path) -> None:
    path = shades(tmp_path)
    assert run(path, "--data", data).exit_code == 0
    found = calibration_for(load(path))
    assert found is not None and found.exit_accuracy(0) == 0.75


def test_broken_pictures_are_named_the_others_measured_and_the_command_fails(data: Path, tmp_path: Path) -> None:
    (data / "2.png").write_bytes(b"no picture")
    result = run(shades(tmp_path), "--data", data, "-o", tmp_path / "c.json", "--json")
    assert result.exit_code != 0
    assert "2.png: found" in result.stderr
    assert json.loads(result.stdout)["exits"][0]["samples"] == 3
    assert getattr(result.exception, "exit_code", 1) == 1
    assert (tmp_path / "c.json").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--format", "voc"), "expected one of folders, csv, coco, yolo, pictures, cifar10"),
        (("--format", "yolo"), "found no folder images"),
        (("--format", "folders"), "fewer than two folders"),
        (("--format", "cifar10"), "test_batch.bin is missing"),
        (("--reference", "b-alexnet"), "is no reference for shades"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_line(data: Path, tmp_path: Path, options, message: str) -> None:
    result = run(shades(tmp_path), "--data", data, *options)
    assert getattr(result.exception, "exit_code", None) == 2
    assert message in str(result.exception) and "\n" not in str(result.exception)


def test_no_data_at_all_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    result = run(shades(tmp_path), "--data", tmp_path / "d")
    assert getattr(result.exception, "exit_code", None) == 2
    assert "found no data" in str(result.exception)


def test_two_networks_whose_accuracies_are_embedded_are_a_bundle(data: Path, tmp_path: Path) -> None:
    files = [shades(tmp_path, name) for name in ("small", "big")]
    with pytest.raises(EdgentError, match=r"small\.onnx: the accuracy of an exit is unknown.* --embed"):
        load("+".join(map(str, files)))
    for file in files:
        assert run(file, "--data", data, "-o", tmp_path / "c.json", "--embed").exit_code == 0
    assert [branch.accuracy for branch in load("+".join(map(str, files))).branches] == [0.75, 0.75]


def test_nothing_is_embedded_that_is_no_accuracy_of_one_file(data: Path, tmp_path: Path) -> None:
    file = shades(tmp_path)
    before = file.read_bytes()
    reference = run(file, "--data", data, "--reference", shades(tmp_path, "big"), "--embed")
    (data / "labels.csv").unlink()
    unlabelled = run(file, "--data", data, "--embed")
    bundle = run("b-alexnet+b-alexnet-narrow", "--data", data, "--embed")
    for result in (reference, unlabelled, bundle):
        assert result.exception is not None
        assert str(result.exception).startswith("--embed: ")
    assert file.read_bytes() == before


def test_a_network_in_a_folder_of_somebody_else_is_refused_before_anything_is_measured(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = shades(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != file.parent)
    result = run(file, "--data", data, "-o", tmp_path / "d" / "c.json", "--embed")
    assert "is not yours to write to" in str(result.exception)
    assert not (tmp_path / "d" / "c.json").exists()
