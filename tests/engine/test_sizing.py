"""Arrays of another size: the answer is the undivided model's to the padded or shrunk array, or they are refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from PIL import Image

from edgent.engine.loading import load
from edgent.engine.material import Material
from edgent.engine.onnxruntime import Engine
from edgent.errors import InputError
from edgent.model import Model
from graphs import Graph, residual, saved
from whole import plain


def configured(path: Path, text: str) -> Model:
    saved(residual(), path)
    path.with_name("model.edgent.toml").write_text(text)
    return load(path)


def noise(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(1, 3, 8, 5), (1, 3, 2, 8), (1, 1, 1, 1)])
def test_a_smaller_array_is_padded_with_zeros_at_the_end_of_each_axis(shape: tuple[int, ...], model_file: Path) -> None:
    model, array = configured(model_file, '[inputs.x]\nfill = "pad"\n'), noise(*shape)
    padded = np.zeros((1, 3, 8, 8), np.float32)
    padded[tuple(slice(size) for size in shape)] = array
    sized = Material(array, model).tensors
    assert np.array_equal(sized["x"], padded)
    (output,) = model.branches[0].outputs
    answer = Engine().session(model, ["x"], [output.name]).run(sized)[output.name]
    assert np.allclose(answer, plain(model_file, {"x": padded})[0], atol=1e-5)


@pytest.mark.parametrize(("text", "shape"), [
    ("", (1, 3, 8, 5)),
    ('[inputs.x]\nfill = "pad"\n', (1, 3, 8, 9)),
    ('[inputs.x]\nfill = "pad"\n', (3, 8, 8)),
    ('[preprocessing]\nscale = 1.0\n[inputs.x]\nexcess = "shrink"\n', (1, 3, 8, 7)),
    ('[preprocessing]\nscale = 1.0\n[inputs.x]\nexcess = "shrink"\n', (1, 4, 8, 8)),
    ('[preprocessing]\nscale = 1.0\n[inputs.x]\nfill = "pad"\nexcess = "shrink"\n', (1, 4, 6, 9)),
])  # fmt: skip
def test_what_the_configuration_does_not_allow_is_refused(text: str, shape: tuple[int, ...], model_file: Path) -> None:
    said = rf"has shape {re.escape(str(list(shape)))}, expected \[1, 3, 8, 8\]"
    with pytest.raises(InputError, match=said):
        Material(noise(*shape), configured(model_file, text))


def test_a_larger_picture_is_shrunk_plane_by_plane(model_file: Path) -> None:
    text = '[preprocessing]\nfilter = "bicubic"\n[inputs.x]\nfill = "pad"\nexcess = "shrink"\n'
    array = noise(1, 3, 6, 20)
    sized = Material(array, configured(model_file, text)).tensors["x"]
    for plane, row in zip(array[0], sized[0], strict=True):
        assert np.array_equal(row[:6], np.asarray(Image.fromarray(plane).resize((8, 6), Image.Resampling.BICUBIC)))
        assert not row[6:].any()


def test_text_is_padded_with_nothing(model_file: Path) -> None:
    g = Graph()
    g.inputs = [helper.make_tensor_value_info("x", TensorProto.STRING, [1, 3])]
    proto = g.model(g.node("Identity", "x"))
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.STRING
    saved(proto, model_file)
    model_file.with_name("model.edgent.toml").write_text('[inputs.x]\nfill = "pad"\n')
    assert Material(np.array([["a", "b"]]), load(model_file)).tensors["x"].tolist() == [["a", "b", ""]]


@pytest.mark.parametrize(("kind", "dtype"), [(TensorProto.UINT8, np.uint8), (TensorProto.FLOAT16, np.float16)])
def test_a_larger_picture_of_another_type_is_shrunk_as_well(kind: int, dtype: type, model_file: Path) -> None:
    g = Graph()
    g.inputs = [helper.make_tensor_value_info("x", kind, [1, 8, 8, 3])]
    saved(g.model(g.node("Cast", "x", to=TensorProto.FLOAT)), model_file)
    text = '[preprocessing]\nfilter = "lanczos"\n[inputs.x]\nexcess = "shrink"\n'
    model_file.with_name("model.edgent.toml").write_text(text)
    array = np.random.default_rng(0).integers(0, 2, (1, 8, 20, 3)).astype(dtype) * 255
    shrunk = Material(array, load(model_file)).tensors["x"]
    assert shrunk.dtype == dtype
    for plane, found in zip(np.moveaxis(array[0], 2, 0), np.moveaxis(shrunk[0], 2, 0), strict=True):
        resized = Image.fromarray(plane.astype(np.float32)).resize((8, 8), Image.Resampling.LANCZOS)
        expected = np.asarray(resized)
        assert expected.min() < 0 or expected.max() > 255  # the filter overshoots, which bytes cannot
        expected = np.clip(np.round(expected), 0, 255) if dtype == np.uint8 else expected.astype(dtype)
        assert np.array_equal(found, expected)


def test_where_dimensions_are_free_it_is_said_what_can_be_done_about_another_size(model_file: Path) -> None:
    g = Graph()
    g.inputs = [helper.make_tensor_value_info("ids", TensorProto.FLOAT, ["batch", "words"])]
    saved(g.model(g.node("Relu", "ids")), model_file)
    model = load(model_file, dims={"words": 16})
    said = r"has shape \[1, 9\], expected \[1, 16\]: .*--dim; free are batch, words\), or say fill = \"pad\""
    with pytest.raises(InputError, match=said):
        Material(np.zeros((1, 9), np.float32), model)


def test_a_picture_for_several_inputs_is_refused_without_leading_anybody_to_a_configuration(model_file: Path) -> None:
    g = Graph()
    g.inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("image", "meta")]
    saved(g.model(g.node("Add", "image", "meta")), model_file)
    with pytest.raises(InputError, match=r"takes 2 inputs and no picture: give it all of them in one \.npz"):
        Material(b"\xff\xd8", load(model_file))
