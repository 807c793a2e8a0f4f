"""The first source that says something of a key is believed; our own two must agree, others are overruled and named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgent.engine.loading import load
from edgent.errors import ModelError
from edgent.model import free_dimensions
from edgent.model.configuration.document import KEY
from edgent.model.configuration.sources import find
from graphs import Graph, residual, saved

ULTRALYTICS = {"stride": "32", "task": "detect", "names": "{0: 'cat', 1: 'dog'}", "imgsz": "[8, 8]", "channels": "3"}
PROCESSOR = {
    "do_resize": True, "size": {"shortest_edge": 10}, "resample": 3, "do_center_crop": True,
    "crop_size": {"height": 8, "width": 8}, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.5, 0.5],
}  # fmt: skip
CLASSIFIER = {
    "model_type": "vit", "architectures": ["ViTForImageClassification"],
    "id2label": {"0": "cat", "1": "dog", "2": "ox"},
}  # fmt: skip


def picture_model(path: Path, batch: str = "N", **props: str) -> Path:
    proto = residual(batch=batch)
    for key, value in props.items():
        proto.metadata_props.add(key=key, value=value)
    return saved(proto, path)


def classifier(path: Path) -> Path:
    """Three scores from a picture whose dimensions are all free."""
    g = Graph(batch="batch_size", channels="num_channels", side="side")  # type: ignore[arg-type]
    made = g.node("Flatten", g.node("GlobalAveragePool", g.conv("x", 3, 3)))
    path.parent.mkdir(parents=True, exist_ok=True)
    return saved(g.model(made), path)


def beside(path: Path, text: str) -> None:
    path.with_name(f"{path.stem}.edgent.toml").write_text(text)


def test_without_any_source_nothing_is_known(model_file: Path) -> None:
    metadata = load(picture_model(model_file)).metadata
    assert (metadata.task, metadata.labels, metadata.preprocessing) == (None, (), None)


def test_the_file_beside_is_read_with_its_labels_and_embedding_is_the_same_model(model_file: Path) -> None:
    beside(picture_model(model_file), 'task = "raw"\nlabels = "names.txt"\n[preprocessing]\nresize = "crop"\n')
    model_file.with_name("names.txt").write_text("cat\n\n dog \n")
    by_file = load(model_file)
    assert by_file.metadata.labels == ("cat", "dog")
    assert by_file.metadata.preprocessing is not None
    assert (by_file.metadata.preprocessing.size, by_file.metadata.preprocessing.resize) == ((8, 8), "crop")
    document = {"task": "raw", "preprocessing": {"resize": "crop"}}
    inside = model_file.with_name("inside.onnx")
    assert load(picture_model(inside, **{KEY: json.dumps(document)})).digest == by_file.digest


def test_our_two_sources_may_share_keys_but_not_differ(model_file: Path) -> None:
    picture_model(model_file, **{KEY: json.dumps({"task": "raw", "preprocessing": {"scale": 1.0}})})
    beside(model_file, 'task = "raw"\n[preprocessing]\nresize = "letterbox"\n')
    form = load(model_file).metadata.preprocessing
    assert form is not None and (form.scale, form.resize) == (1.0, "letterbox")
    beside(model_file, 'task = "embedding"\n')
    with pytest.raises(ModelError, match=r"task is one thing in the file's key 'edgent' and another in model.edgent"):
        load(model_file)


def test_ours_overrules_another_and_that_is_said(model_file: Path) -> None:
    proto = onnx.load(picture_model(model_file, **ULTRALYTICS))
    beside(model_file, 'task = "raw"\nlabels = ["a", "b"]\n[preprocessing]\nfilter = "nearest"\n')
    stated = find(model_file, proto)
    assert stated.origins["labels"] == "model.edgent.toml"
    assert stated.origins["preprocessing.resize"] == "Ultralytics' metadata"
    assert [line.partition(":")[0] for line in stated.overruled] == ["labels", "task"]
    metadata = load(model_file).metadata
    assert metadata.labels == ("a", "b") and metadata.preprocessing is not None
    assert (metadata.preprocessing.filter, metadata.preprocessing.resize) == ("nearest", "letterbox")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("task = \n", "no TOML"),
        ("[" * 5000, "TOML"),
        ('tsak = "raw"\n', r"unknown key 'tsak' \(did you mean 'task'\?\)"),
        ("[preprocessing]\nmaen = [0]\n", r"'maen' \(did you mean 'mean'\?\)"),
        ('task = "detecting"\n', "classification, detection"),
        ("task = 2024-01-01\n", "found a date"),
        ("[preprocessing]\nscale = nan\n", "an infinity or nan"),
        ("[preprocessing]\nscale = '1'\n", "a finite number"),
        ("labels = 3\n", "a list"),
        ('preprocessing = "RGB"\n', "an object"),
        ('labels = "/etc/passwd"\n', "beside the configuration"),
        ('labels = "../labels.txt"\n', "beside the configuration"),
        ('labels = "nobody.txt"\n', "a class on each line"),
        ('post = "nobody.onnx"\n', "expected an ONNX file"),
        ("[preprocessing]\nsize = [9, 8]\n", r"shape \[1, 3, 9, 8\].*takes \[1, 3, 8, 8\]"),
        ('[preprocessing]\ncolor = "L"\nmean = [0.0]\nstd = [1.0]\n', r"shape \[1, 1, 8, 8\]"),
        ('[inputs.y]\nfill = "pad"\n', r"an input 'y'.*found x"),
        ('[inputs.x]\nexcess = "shrink"\n', "only pictures"),
        ("[dims]\nwidth = 3\n", r"'width', found in its configuration"),
        ("version = 2\n", "expected 1"),
    ],
)
def test_a_file_beside_that_cannot_be_used_is_refused_in_a_line(text: str, said: str, model_file: Path) -> None:
    beside(picture_model(model_file), text)
    with pytest.raises(ModelError, match=said) as caught:
        load(model_file)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


def test_a_folder_of_hugging_faces_needs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CLASSIFIER))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    path = classifier(tmp_path / "onnx" / "model.onnx")
    for model in (load(path), load(tmp_path)):
        assert (model.metadata.task, model.metadata.head) == ("classification", "logits")
        assert model.metadata.labels == ("cat", "dog", "ox")
        assert model.inputs[0].shape == (1, 3, 8, 8)
        form = model.metadata.preprocessing
        assert form is not None and (form.size, form.resize, form.crop) == ((8, 8), "crop", 0.8)
        assert (form.filter, form.mean, form.std) == ("bicubic", (0.5, 0.5, 0.5), (0.25, 0.5, 0.5))
    assert model.path == path


@pytest.mark.parametrize("files", [0, 2])
def test_a_folder_with_no_or_several_models_is_refused(files: int, tmp_path: Path) -> None:
    for number in range(files):
        saved(residual(), tmp_path / f"{number}.onnx")
    with pytest.raises(ModelError, match=f"a folder with {files} ONNX files"):
        load(tmp_path)


def test_pipes_in_a_models_folder_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    os.mkfifo(tmp_path / "names.txt")
    path = picture_model(tmp_path / "model.onnx")
    beside(path, 'labels = "names.txt"\n')
    with pytest.raises(ModelError, match=r"names\.txt: is no file"):
        load(tmp_path)


def test_other_peoples_config_json_is_left_alone(model_file: Path) -> None:
    picture_model(model_file).with_name("config.json").write_text('{"port": 80}')
    assert load(model_file).metadata.task is None


def test_a_number_from_the_caller_comes_before_the_configurations_and_the_size_follows(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx")
    beside(path, "[preprocessing]\nsize = [8, 8]\n")
    assert load(path).inputs[0].shape == (1, 3, 8, 8)
    for dims in ({"side": 12}, {"x:2": 12}, {"x:3": 12, "side": 12}):
        model = load(path, dims=dims)
        assert model.inputs[0].shape == (1, 3, 12, 12)
        assert model.metadata.preprocessing is not None and model.metadata.preprocessing.size == (12, 12)
        assert dict(model.dims) == {"batch_size": 1, "num_channels": 3, "side": 12}
    assert load(path, dims={"side": 12}).digest != load(path).digest


def test_two_numbers_for_one_dimension_are_refused_wherever_they_stand(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"'side' has two numbers in --dim, 12 and 10 \(as x:3\)"):
        load(path, dims={"side": 12, "x:3": 10})
    beside(path, "[preprocessing]\nsize = [8, 8]\n[dims]\nside = 16\n")
    with pytest.raises(ModelError, match="two numbers in its configuration"):
        load(path)


def test_own_dims_come_before_the_size_that_another_source_has(tmp_path: Path) -> None:
    proto = onnx.load(classifier(tmp_path / "model.onnx"))
    for key, value in ULTRALYTICS.items():
        proto.metadata_props.add(key=key, value="classify" if key == "task" else value.replace("dog'", "dog', 2: 'ox'"))
    saved(proto, tmp_path / "model.onnx")
    assert load(tmp_path / "model.onnx").inputs[0].shape == (1, 3, 8, 8)
    beside(tmp_path / "model.onnx", "[dims]\nside = 16\nnum_channels = 3\n")
    model = load(tmp_path / "model.onnx")
    assert model.inputs[0].shape == (1, 3, 16, 16)
    assert model.metadata.preprocessing is not None and model.metadata.preprocessing.size == (16, 16)


@pytest.mark.parametrize(
    ("name", "rank", "doubted"),
    [
        ("frames", 2, True),
        ("T", 3, True),
        ("images", 4, False),
        ("N", 2, False),
        ("batch_size", 1, False),
        ("", 2, False),
        ("", 1, True),
    ],
)
def test_a_leading_dimension_that_may_be_a_sequence_is_not_made_one_in_silence(
    name: str, rank: int, doubted: bool, model_file: Path
) -> None:
    g = Graph()
    g.inputs = [onnx.helper.make_tensor_value_info("x", 1, [name or None, *[4] * (rank - 1)])]
    path = saved(g.model(g.node("Relu", "x")), model_file)
    model = load(path)
    assert model.inputs[0].shape == (1, *[4] * (rank - 1))
    assert len(model.doubts) == doubted
    (free,) = free_dimensions(path)
    assert load(path, dims={free.name: 1}).doubts == load(path, dims={"x:0": 1}).doubts == ()
    if doubted:
        assert free.name in model.doubts[0] and f"--dim {free.name}=128" in model.doubts[0]


def test_grey_and_channels_last_are_told_by_the_input(model_file: Path) -> None:
    g = Graph()
    g.inputs = [onnx.helper.make_tensor_value_info("x", 1, [1, 6, 5, 1])]
    beside(saved(g.model(g.node("Relu", "x")), model_file), "[preprocessing]\nscale = 1.0\n")
    form = load(model_file).metadata.preprocessing
    assert form is not None
    assert (form.layout, form.color, form.size, form.mean) == ("NHWC", "L", (6, 5), (0.0,))


def test_names_that_hold_colons_are_understood_to_the_last(model_file: Path) -> None:
    g = Graph()
    g.inputs = [onnx.helper.make_tensor_value_info("x:0", 1, [1, None])]
    path = saved(g.model(g.node("Relu", "x:0")), model_file)
    assert load(path, dims={"x:0:1": 7}).inputs[0].shape == (1, 7)
    assert np.prod(load(path, dims={"x:0:1": 7}).branches[0].outputs[0].shape) == 7
