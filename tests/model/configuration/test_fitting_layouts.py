"""Layout and type of a picture's input are told by the input, also where there is no batch."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from edgent.engine.loading import load
from edgent.errors import ModelError


def taking(folder: Path, shape: list[int | str], said: str = "size = [20, 40]", kind: int = TensorProto.FLOAT) -> Path:
    ends = [helper.make_tensor_value_info("x", kind, shape), helper.make_tensor_value_info("y", 1, shape)]
    nodes = [helper.make_node("Cast", ["x"], ["c"], to=1), helper.make_node("Neg", ["c"], ["y"])]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    path = folder / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    path.with_name("m.edgent.toml").write_text(f'task = "raw"\n[preprocessing]\n{said}\n')
    return path


@pytest.mark.parametrize(
    ("shape", "layout", "color"),
    [
        ([1, 3, 20, 40], "NCHW", "RGB"),
        ([1, 20, 40, 3], "NHWC", "RGB"),
        ([3, 20, 40], "CHW", "RGB"),
        ([20, 40, 3], "HWC", "RGB"),
        ([1, 20, 40], "CHW", "L"),
        ([20, 40, 1], "HWC", "L"),
        ([3, "height", "width"], "CHW", "RGB"),
        (["channels", "height", "width"], "CHW", "RGB"),
        (["n", 3, "height", "width"], "NCHW", "RGB"),
        (["n", "height", "width", 3], "NHWC", "RGB"),
    ],
)
def test_layout_and_colour_are_those_of_the_input(shape, layout, color, tmp_path) -> None:
    model = load(taking(tmp_path, shape))
    form = model.metadata.preprocessing
    assert form is not None and (form.layout, form.color, form.size) == (layout, color, (20, 40))
    assert model.inputs[0].shape == form.shape


@pytest.mark.parametrize(("shape", "layout"), [([3, 20, 40], "CHW"), ([20, 40, 3], "HWC"), ([1, 3, 20, 40], "NCHW")])
def test_the_size_is_the_inputs_own_where_none_is_said(shape, layout, tmp_path) -> None:
    form = load(taking(tmp_path, shape, 'resize = "letterbox"')).metadata.preprocessing
    assert form is not None and (form.size, form.layout) == ((20, 40), layout)


@pytest.mark.parametrize(("shape", "layout"), [([3, 20, 40], "NCHW"), ([1, 3, 20, 40], "CHW"), ([3, 20, 40], "HWC")])
def test_a_layout_of_another_input_is_refused(shape, layout, tmp_path) -> None:
    with pytest.raises(ModelError, match=r"its configuration makes pictures of shape .* correct size, color or layout"):
        load(taking(tmp_path, shape, f'size = [20, 40]\nlayout = "{layout}"'))


KINDS = {"float16": (10, 1 / 255), "float64": (11, 1 / 255), "uint8": (2, 1.0), "int8": (3, 1.0), "int32": (6, 1.0)}


@pytest.mark.parametrize("dtype", KINDS)
def test_values_are_of_the_inputs_type_and_whole_ones_are_pixels_unless_said(dtype, tmp_path) -> None:
    kind, scale = KINDS[dtype]
    form = load(taking(tmp_path, [1, 20, 40, 3], kind=kind)).metadata.preprocessing
    assert form is not None and (form.dtype, form.scale) == (dtype, scale)
    said = load(taking(tmp_path, [1, 20, 40, 3], "scale = 0.5", kind)).metadata.preprocessing
    assert said is not None and said.scale == 0.5


def test_a_type_that_is_not_the_inputs_is_refused_and_so_is_one_that_no_picture_has(tmp_path) -> None:
    with pytest.raises(ModelError, match=r"makes pictures of float16, but input 'x' takes float32; leave out dtype"):
        load(taking(tmp_path, [1, 3, 20, 40], 'dtype = "float16"'))
    with pytest.raises(ModelError, match=r"makes pictures of float32, but input 'x' takes bool; .*, preprocessing"):
        load(taking(tmp_path, [1, 3, 20, 40], kind=TensorProto.BOOL))
    with pytest.raises(ModelError, match=r"dtype is 'bfloat16', expected one of float32, float16"):
        load(taking(tmp_path, [1, 3, 20, 40], 'dtype = "bfloat16"'))


def test_the_type_of_every_picture_so_far_is_no_part_of_a_digest(tmp_path) -> None:
    path = taking(tmp_path, [1, 3, 20, 40])
    plain = load(path).digest
    assert load(taking(tmp_path, [1, 3, 20, 40], 'dtype = "float32"')).digest == plain
