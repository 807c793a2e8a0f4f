"""Weights in other files: read wherever they came with the model, and from nowhere else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from constant_kinds import a_constant_node, a_loop, bodies_of_an_if, sparse_by_coordinates
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import InputError, ModelError
from edgent.evaluation.verify import random_feeds
from edgent.model.files.constants import all_tensors
from edgent.model.files.external import locations
from graphs import residual, saved


def outside(path: Path, proto: onnx.ModelProto | None = None, location: str = "w.bin") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(
        proto or residual(),
        path,
        save_as_external_data=True,
        location=location,
        size_threshold=0,
        convert_attribute=True,
    )
    return path


def answer(path: Path) -> list[np.ndarray]:
    model = load(path)
    feeds = random_feeds(model.inputs, np.random.default_rng(0))
    names = [tensor.name for tensor in model.branches[0].outputs]
    return list(Engine().session(model, list(feeds), names).run(feeds).values())


def assert_right(path: Path) -> None:
    inside = path.parent / "inside" / "model.onnx"
    inside.parent.mkdir(exist_ok=True)
    beside, expected = answer(path), answer(saved(residual(), inside))
    assert [array.tolist() for array in beside] == [array.tolist() for array in expected]


def edit(path: Path, **entries: str | None) -> Path:
    """Changes what the last weight says of its place."""
    proto = onnx.load(path, load_external_data=False)
    tensor = [tensor for tensor in all_tensors(proto) if tensor.data_location == TensorProto.EXTERNAL][-1]
    kept = {entry.key: entry.value for entry in tensor.external_data} | entries
    del tensor.external_data[:]
    for key, text in kept.items():
        if text is not None:
            tensor.external_data.add(key=key, value=text)
    path.write_bytes(proto.SerializeToString())
    return path


def hub(root: Path, model: str = "onnx/model.onnx") -> Path:
    """As a hub's cache lays a download out: files in `blobs`, links to them in `snapshots`."""
    path = outside(root / "snapshots" / "abc" / model, location="model.onnx_data")
    (root / "blobs").mkdir()
    for file in (path, path.with_name("model.onnx_data")):
        blob = root / "blobs" / f"{len(file.name):064x}"
        file.rename(blob)
        file.symlink_to(os.path.relpath(blob, file.parent))
    return path


@pytest.mark.parametrize("location", ["w.bin", "data/w.bin", "./w.bin"])
def test_a_file_in_the_folder_or_below_it_is_read(location: str, tmp_path: Path) -> None:
    path = outside(tmp_path / "m" / "model.onnx")
    if location != "w.bin":
        proto = onnx.load(path, load_external_data=False)
        for tensor in proto.graph.initializer:
            next(entry for entry in tensor.external_data if entry.key == "location").value = location
        path.write_bytes(proto.SerializeToString())
        (path.parent / location).parent.mkdir(exist_ok=True)
        (path.parent / "w.bin").rename(path.parent / location)
    assert_right(path)


@pytest.mark.parametrize("model", ["model.onnx", "onnx/model.onnx", "a/b/model.onnx"])
def test_a_download_in_a_hubs_cache_is_read(model: str, tmp_path: Path) -> None:
    assert_right(hub(tmp_path / "models--who--what", model))


def test_a_hubs_cache_behind_a_link_is_read(tmp_path: Path) -> None:
    hub(tmp_path / "disk" / "models--who--what")
    (tmp_path / "home").symlink_to(tmp_path / "disk")
    assert_right(tmp_path / "home" / "models--who--what" / "snapshots" / "abc" / "onnx" / "model.onnx")


def test_a_link_to_another_download_is_refused(tmp_path: Path) -> None:
    path, other = hub(tmp_path / "one"), hub(tmp_path / "two")
    data = path.with_name("model.onnx_data")
    data.unlink()
    data.symlink_to(other.with_name("model.onnx_data").resolve())
    with pytest.raises(ModelError, match="outside the model's folder"):
        load(path)


def test_a_link_out_of_the_blobs_is_refused(tmp_path: Path) -> None:
    path = hub(tmp_path / "one")
    blob = path.with_name("model.onnx_data").resolve()
    shutil.move(blob, tmp_path / "secret")
    blob.symlink_to(tmp_path / "secret")
    with pytest.raises(ModelError, match="outside the model's folder"):
        load(path)


def test_a_file_of_the_download_that_is_no_blob_is_refused(tmp_path: Path) -> None:
    path = hub(tmp_path / "one")
    data = path.with_name("model.onnx_data")
    shutil.move(data.resolve(), tmp_path / "one" / "secret")
    data.unlink()
    data.symlink_to(tmp_path / "one" / "secret")
    with pytest.raises(ModelError, match="outside the model's folder"):
        load(path)


@pytest.mark.parametrize(("blobs", "snapshots"), [("other", "snapshots"), ("blobs", "other")])
def test_folders_of_other_names_are_no_hubs_cache(blobs: str, snapshots: str, tmp_path: Path) -> None:
    path = hub(tmp_path / "one")
    for name, other in (("blobs", blobs), ("snapshots", snapshots)):
        (tmp_path / "one" / name).rename(tmp_path / "one" / f"{other}-")
        (tmp_path / "one" / f"{other}-").rename(tmp_path / "one" / other)
    path = tmp_path / "one" / snapshots / "abc" / "onnx" / "model.onnx"
    for link in (path, path.with_name("model.onnx_data")):
        target = str(link.readlink()).replace("blobs", blobs)
        link.unlink()
        link.symlink_to(target)
    with pytest.raises(ModelError, match="outside the model's folder"):
        load(path)


def test_a_model_that_is_no_link_reaches_no_blobs(tmp_path: Path) -> None:
    path = hub(tmp_path / "one")
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)
    with pytest.raises(ModelError, match="outside the model's folder"):
        load(path)


def test_a_hard_link_to_a_file_outside_is_refused(tmp_path: Path) -> None:
    path = outside(tmp_path / "m" / "model.onnx")
    os.link(path.parent / "w.bin", tmp_path / "secret")
    with pytest.raises(ModelError, match=r"'w\.bin' is a hard link to a file outside"):
        load(path)


def test_a_file_all_of_whose_names_came_with_the_model_is_read(tmp_path: Path) -> None:
    path = outside(tmp_path / "m" / "model.onnx")
    (path.parent / "deep").mkdir()
    os.link(path.parent / "w.bin", path.parent / "twin")
    os.link(path.parent / "w.bin", path.parent / "deep" / "twin")
    (path.parent / "no twin").symlink_to("w.bin")
    assert_right(path)


def test_a_link_is_no_second_name(tmp_path: Path) -> None:
    path = outside(tmp_path / "m" / "model.onnx")
    os.link(path.parent / "w.bin", tmp_path / "secret")
    (path.parent / "no twin").symlink_to("w.bin")
    with pytest.raises(ModelError, match="hard link"):
        load(path)


def test_in_a_hubs_cache_the_names_are_looked_for_among_the_blobs(tmp_path: Path) -> None:
    path = hub(tmp_path / "one")
    os.link(path.with_name("model.onnx_data").resolve(), tmp_path / "one" / "blobs" / "twin")
    assert_right(path)
    os.link(path.with_name("model.onnx_data").resolve(), tmp_path / "secret")
    with pytest.raises(ModelError, match="hard link"):
        load(path)


@pytest.mark.parametrize("location", ["/etc/passwd", "../w.bin", "a/../../w.bin", ".", ""])
@pytest.mark.parametrize("build", [residual, a_constant_node, bodies_of_an_if, a_loop])
def test_nothing_outside_is_read_whichever_constant_names_it(build: object, location: str, tmp_path: Path) -> None:
    path = outside(tmp_path / "m" / "model.onnx", build())  # type: ignore[operator]
    shutil.copy(path.parent / "w.bin", tmp_path)
    with pytest.raises(ModelError, match=r"outside|not where|missing"):
        load(edit(path, location=location))


@pytest.mark.parametrize("location", ["a\0b", "loop", "x" * 5000])
def test_a_path_to_no_file_is_one_line(location: str, tmp_path: Path) -> None:
    path = outside(tmp_path / "m" / "model.onnx")
    (path.parent / "loop").symlink_to("loop")
    with pytest.raises(ModelError, match=r"no path to a file|missing|outside"):
        load(edit(path, location=location))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"offset": "-1"}, "not where"),
        ({"offset": "many"}, "not where"),
        ({"offset": "9" * 5000}, "not where"),
        ({"length": "-4"}, "not where"),
        ({"length": "7"}, "ends before"),
        ({"length": None, "offset": "99999999"}, "ends before"),
        ({"location": None}, "not where"),
    ],
)
def test_a_place_that_is_none_is_refused(entries: dict[str, str | None], message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message):
        load(edit(outside(tmp_path / "m" / "model.onnx"), **entries))


def test_a_length_may_be_left_out(tmp_path: Path) -> None:
    assert_right(edit(outside(tmp_path / "m" / "model.onnx"), length=None))


def test_a_file_one_byte_too_short_is_refused_naming_the_weight(tmp_path: Path) -> None:
    path = outside(tmp_path / "m" / "model.onnx")
    data = (path.parent / "w.bin").read_bytes()
    (path.parent / "w.bin").write_bytes(data[:-1])
    with pytest.raises(ModelError, match=r"'w\.bin' ends before constant 'w\d'"):
        load(path)


@pytest.mark.parametrize("change", ["taken away", "cut off"])
def test_data_that_goes_while_a_model_is_in_use_is_one_line(change: str, tmp_path: Path, empty_cache: Path) -> None:
    model = load(outside(tmp_path / "m" / "model.onnx"))
    file = model.path.parent / "w.bin"
    if change == "taken away":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:10])
    with pytest.raises(InputError, match=r"'w\.bin' (cannot be read|ends before)"):
        model.segment(["x"], [model.branches[0].outputs[0].name])


def test_text_cannot_lie_in_another_file(tmp_path: Path) -> None:
    path = outside(tmp_path / "m" / "model.onnx")
    proto = onnx.load(path, load_external_data=False)
    proto.graph.initializer[-1].data_type = TensorProto.STRING
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError):
        load(path)


def test_the_files_of_a_model_are_named_once_each(tmp_path: Path) -> None:
    path = outside(tmp_path / "m" / "model.onnx", bodies_of_an_if())
    shutil.copy(path.parent / "w.bin", path.parent / "more.bin")
    edit(path, location="./more.bin")
    assert load(path).files == ("more.bin", "w.bin")
    assert load(saved(sparse_by_coordinates(), tmp_path / "whole.onnx")).files == ()


def test_places_are_found_in_functions_too() -> None:
    tensor = TensorProto(data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="f.bin")
    constant = onnx.helper.make_node("Constant", [], ["w"], value=tensor)
    proto = onnx.ModelProto()
    proto.functions.append(
        onnx.helper.make_function("ours", "F", [], ["w"], [constant], [onnx.helper.make_opsetid("", 17)])
    )
    assert locations(all_tensors(proto)) == ("f.bin",)


def test_a_model_opened_by_a_relative_path_is_found_after_a_change_of_folder(
    tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = outside(tmp_path / "m" / "model.onnx")
    monkeypatch.chdir(path.parent)
    model = load("model.onnx")
    monkeypatch.chdir("/")
    assert model.segment(["x"], [model.branches[0].outputs[0].name]).weights.is_dir()
