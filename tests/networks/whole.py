"""A file run whole: by plain ONNX Runtime, which is right by definition, and by Edgent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.model import Model


def plain(path: Path, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(feeds))


def run(model: Model, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    branch = model.branches[-1]
    asked = [tensor.name for tensor in branch.outputs]
    answers = Engine().session(model, [tensor.name for tensor in branch.inputs], asked).run(feeds)
    return [answers[name] for name in asked]


def whole(path: Path, feeds: Mapping[str, np.ndarray], **dims: int) -> list[np.ndarray]:
    return run(load(path, dims=dims), feeds)


def same(found: list[np.ndarray], expected: list[np.ndarray]) -> bool:
    """Bit for bit: types, shapes and numbers."""
    return len(found) == len(expected) and all(map(_same, found, expected))


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return bool((a == b).all()) if a.dtype.kind in "OSU" else a.tobytes() == b.tobytes()
