"""Whatever kind of constant a file has, it loads, and whole or divided it answers as the untouched file does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from constant_kinds import KINDS, SIDE, bodies_of_an_if
from edgent.device.division import divide
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.model import Model
from edgent.planning.plan import Configuration
from graphs import saved

Feeds = dict[str, Any]


def original(path: Path, feeds: Feeds) -> Feeds:
    """What plain ONNX Runtime says of the file as it stands."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True))


def divided(model: Model, engine: Engine, feeds: Feeds, upload: int, download: int) -> Feeds:
    """Device and edge take turns; each has only what it computed itself or was sent."""
    parts = divide(model, Configuration(exit=0, upload_cut=upload, download_cut=download))
    if upload == download:
        alone = parts.locals[0]
        return _run(model, engine, feeds, alone.given, alone.asked)
    device = feeds | _run(model, engine, feeds, parts.head.given, parts.head.asked)
    up, down = ([tensor.name for tensor in side] for side in (parts.up, parts.down))
    device |= _run(model, engine, device, up, down)
    device |= _run(model, engine, device, parts.suffix.given, parts.suffix.asked)
    return {name: device[name] for name in parts.answers}


def _run(model: Model, engine: Engine, values: Feeds, given: Any, asked: Any) -> Feeds:
    return engine.session(model, given, asked).run({name: values[name] for name in given}) if asked else {}


def _pairs(layers: int) -> Iterator[tuple[int, int]]:
    yield layers, layers
    yield from ((upload, download) for upload in range(layers) for download in range(upload + 1, layers + 1))


def assert_alike(got: Feeds, expected: Feeds) -> None:
    assert got.keys() == expected.keys()
    for name, array in expected.items():
        assert got[name].dtype == array.dtype and got[name].shape == array.shape
        if array.dtype == object:
            assert got[name].tolist() == array.tolist()
        else:
            np.testing.assert_allclose(got[name], array, rtol=1e-5, atol=1e-6)


def check(path: Path, oracle: Path) -> Model:
    """Every pair of cuts of one file against another, on inputs that take either branch of an If."""
    model, engine = load(path), Engine()
    row = np.random.default_rng(3).standard_normal((1, SIDE)).astype(np.float32)
    for x in (row, np.abs(row), -np.abs(row)):
        expected = original(oracle, {"x": x})
        for upload, download in _pairs(len(model.branches[0].layers)):
            assert_alike(divided(model, engine, {"x": x}, upload, download), expected)
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_it_answers_as_the_original_does_at_every_cut(kind: str, model_file: Path) -> None:
    model = check(saved(KINDS[kind](), model_file), model_file)
    assert model.digest == load(model_file).digest


@pytest.mark.parametrize("kind", KINDS)
def test_it_does_so_with_all_numbers_in_another_file(kind: str, model_file: Path, tmp_path: Path) -> None:
    inside = load(saved(KINDS[kind](), model_file))
    path = tmp_path / "outside" / "model.onnx"
    path.parent.mkdir()
    onnx.save(
        KINDS[kind](), path, save_as_external_data=True, location="w.bin", size_threshold=0, convert_attribute=True
    )
    assert check(path, model_file).digest == inside.digest  # the engine itself does not find a shape in another file


def test_a_constant_of_a_body_lies_in_the_shared_file_once(model_file: Path) -> None:
    model = load(saved(bodies_of_an_if(), model_file))
    segment = model.segment(["x"], ["y"])
    assert len(segment.proto) < SIDE * SIDE * 4
    assert (segment.weights / "weights.bin").stat().st_size == 2 * 8192 - (8192 - SIDE * SIDE * 4)


def test_sparse_constants_that_are_answers_are_given_with_their_zeros(model_file: Path) -> None:
    from constant_kinds import model as graph
    from constant_kinds import node, sparse_matrix, value

    proto = graph(
        [node("Relu", ["x"], "y")], outputs=[value("y"), value("w", shape=[SIDE, SIDE])], sparse=[sparse_matrix("w")]
    )
    loaded = load(saved(proto, model_file))
    expected = np.zeros((SIDE, SIDE), np.float32)
    expected[0, 1], expected[3, 4], expected[39, 39] = 1.5, -2, 3
    for upload, download in _pairs(1):
        answer = divided(loaded, Engine(), {"x": np.ones((1, SIDE), np.float32)}, upload, download)
        np.testing.assert_array_equal(answer["w"], expected)
