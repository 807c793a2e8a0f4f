"""Hugging Face's files are understood as its processors do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgent.errors import InputError
from edgent.model.configuration.hugging_face import folder_of, hugging_face

CONFIG = {"model_type": "vit", "architectures": ["ViTForImageClassification"], "id2label": {"0": "cat", "1": "dog"}}


def read(folder: Path, config: Any, pictures: Any = None) -> dict[str, Any]:
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    if pictures is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(pictures))
    return hugging_face(folder)


@pytest.mark.parametrize(
    ("pictures", "expected"),
    [
        ({"size": 224, "resample": 2}, {"size": [224, 224], "resize": "stretch", "filter": "bilinear"}),
        (
            {"size": {"height": 9, "width": 8}, "resample": 3},
            {"size": [9, 8], "resize": "stretch", "filter": "bicubic"},
        ),
        (
            {"size": {"shortest_edge": 256}, "crop_size": 224, "do_center_crop": True},
            {"size": [224, 224], "resize": "crop", "crop": 0.875},
        ),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.875}, {"size": [224, 224], "resize": "crop", "crop": 0.875}),
        ({"size": {"shortest_edge": 384}, "crop_pct": 0.875}, {"size": [384, 384], "resize": "stretch"}),
        ({"size": {"shortest_edge": 800, "longest_edge": 1333}}, {"resize": "corner"}),
        ({"do_rescale": False, "size": 8}, {"scale": 1.0}),
        ({"rescale_factor": 0.5, "size": 8}, {"scale": 0.5}),
        ({"image_mean": [1, 2, 3], "image_std": [4, 5, 6], "size": 8}, {"mean": [1, 2, 3], "std": [4, 5, 6]}),
        ({"do_flip_channel_order": True, "size": 8}, {"color": "BGR"}),
    ],
)
def test_a_processors_file_says_how_a_picture_is_prepared(
    pictures: dict[str, Any], expected: dict[str, Any], tmp_path: Path
) -> None:
    found = read(tmp_path, CONFIG, pictures)["preprocessing"]
    assert {key: found[key] for key in expected} == expected


def test_what_is_not_normalised_has_no_mean(tmp_path: Path) -> None:
    found = read(tmp_path, CONFIG, {"do_normalize": False, "image_mean": [1, 2, 3], "size": 8})["preprocessing"]
    assert "mean" not in found and "std" not in found


@pytest.mark.parametrize(
    ("architecture", "task", "head"),
    [
        ("ResNetForImageClassification", "classification", "logits"),
        ("DetrForObjectDetection", "detection", "detr"),
        ("RTDetrForObjectDetection", "detection", "rt-detr"),
        ("SegformerForSemanticSegmentation", "segmentation", "logits"),
        ("BertModel", None, None),
    ],
)
def test_the_architecture_tells_the_task(architecture: str, task: str | None, head: str | None, tmp_path: Path) -> None:
    found = read(tmp_path, CONFIG | {"architectures": [architecture]})
    assert (found.get("task"), found.get("head")) == (task, head)
    assert found.get("labels") == (None if task is None else ["cat", "dog"])


def test_the_files_lie_beside_the_model_or_above_its_folder_onnx(tmp_path: Path) -> None:
    assert folder_of(tmp_path / "onnx" / "model.onnx") == tmp_path
    assert folder_of(tmp_path / "other" / "model.onnx") == tmp_path / "other"
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "config.json").write_text("{}")
    assert folder_of(tmp_path / "onnx" / "model.onnx") == tmp_path / "onnx"


@pytest.mark.parametrize("config", ["[]", '{"port": 80}', "{}"])
def test_files_of_others_are_left_alone(config: str, tmp_path: Path) -> None:
    assert read(tmp_path, config) == {}
    assert hugging_face(tmp_path / "nowhere") == {}


@pytest.mark.parametrize(
    ("config", "pictures"),
    [("{", None), (CONFIG | {"id2label": {"0": "a", "2": "b"}}, None), (CONFIG, {"size": 8, "resample": 9})],
)
def test_files_that_its_processors_would_not_take_are_refused(config: Any, pictures: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read(tmp_path, config, pictures)
