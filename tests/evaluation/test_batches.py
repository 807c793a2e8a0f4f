"""Images are scored many at a time where the model's batch is free, whatever its name is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.evaluation.data.cifar10 import Images
from edgent.evaluation.scoring import Scorer
from edgent.model import SHIPPED


def renamed(folder: Path, batch: str | int | None) -> Path:
    proto = onnx.load(SHIPPED / "b-alexnet.onnx")
    for value in (*proto.graph.input, *proto.graph.output):
        dim = value.type.tensor_type.shape.dim[0]
        dim.Clear()
        if isinstance(batch, str):
            dim.dim_param = batch
        elif batch is not None:
            dim.dim_value = batch
    path = folder / "model.onnx"
    onnx.save(proto, path)
    return path


@pytest.mark.parametrize(
    ("batch", "images"), [("batch", 100), ("N", 100), (None, 100), (-1, 100), (1, 1), ("unheard-of", 1)]
)
def test_how_many_images_a_run_takes(batch: str | int | None, images: int, tmp_path: Path) -> None:
    path = renamed(tmp_path, batch)
    labels = load(path).metadata.labels
    pictures = Images(pixels=np.zeros((2, 32, 32, 3), np.uint8), labels=np.zeros(2, np.int64), class_names=labels)
    scorer = Scorer(load(path), Engine(), pictures.examples("blank"), lambda outputs, row: None)
    assert scorer.batch == images
