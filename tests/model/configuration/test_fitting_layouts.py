"""The layout of a picture's input is told by its shape, also where there is no batch."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from edgent.engine.loading import load
from edgent.errors import ModelError


def taking(folder: Path, shape: list[int | str], said: str = "size = [20, 40]") -> Path:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", ends[:1], ends[1:])
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
