"""Shapes are constants once every free dimension has a number, and so is what follows from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgent import model as files
from edgent.engine.loading import load
from graphs import Graph, saved
from model.folding import Make, Recorder, X, ends_in, floats, operators
from whole import plain, same, whole

SHAPES: dict[str, Make] = {
    "all": lambda g: g.node("Shape", "x"),
    "from the second": lambda g: g.node("Shape", "x", start=1),
    "up to the last": lambda g: g.node("Shape", "x", end=-1),
    "the middle": lambda g: g.node("Shape", "x", start=1, end=3),
    "from the back": lambda g: g.node("Shape", "x", start=-2),
    "beyond": lambda g: g.node("Shape", "x", start=-9, end=9),
    "none": lambda g: g.node("Shape", "x", start=3, end=1),
    "size": lambda g: g.node("Size", "x"),
    "of a constant": lambda g: g.node("Shape", g.constant(floats(7, 5, 9))),
    "of what is computed": lambda g: g.node("Shape", g.conv("x", 3, 5)),
    "a chain": lambda g: g.node(
        "Concat",
        g.node("Unsqueeze", g.node("Gather", g.node("Shape", "x"), g.constant(np.array(2))), g.constant(np.array([0]))),
        g.node("Cast", g.node("Cast", g.node("Shape", "x", start=2), to=1), to=7),
        axis=0,
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_are_constants(name: str, model_file: Path) -> None:
    g = Graph()
    path = saved(ends_in(g, SHAPES[name](g)), model_file)
    assert sorted(operators(path)) == ["Identity", "Relu"]
    assert same(whole(path, X), plain(path, X))


def test_the_shape_of_a_tensor_whose_shape_depends_on_the_data_stays(model_file: Path) -> None:
    g = Graph()
    path = saved(ends_in(g, g.node("Shape", g.node("NonZero", "x"))), model_file)
    assert "Shape" in operators(path)
    assert same(whole(path, X), plain(path, X))


@pytest.mark.parametrize("name", ["Shape", "Size"])
def test_a_shape_that_is_an_answer_is_made_by_a_node(name: str, model_file: Path) -> None:
    g = Graph()
    answer = g.node(name, "x")
    proto = g.model(g.node("Relu", "x"), answer)
    proto.graph.output[1].type.tensor_type.elem_type = TensorProto.INT64
    path = saved(proto, model_file)
    assert operators(path) == [name, "Relu"]
    assert same(whole(path, X), plain(path, X))


def test_shapes_that_follow_from_shapes_vanish(model_file: Path) -> None:
    g = Graph()
    x = "x"
    for _ in range(6):
        sides = g.node("Shape", x)
        long = g.node("Expand", x, g.node("Max", sides, g.node("Sub", sides, g.constant(np.array([1])))))
        x = g.node("Reshape", long, g.node("Where", g.node("Less", sides, sides), sides, g.node("Abs", sides)))
    path = saved(g.model(g.node("Relu", x)), model_file)
    assert set(operators(path)) == {"Expand", "Reshape", "Relu"}
    assert same(whole(path, X), plain(path, X))


def test_shapes_vanish_also_where_the_engine_refuses_the_rest(model_file: Path) -> None:
    g = Graph()
    model = files.load(
        saved(ends_in(g, g.node("Neg", g.node("Shape", "x"))), model_file), interpreter=Recorder(refuses=True)
    )
    assert [node.op_type for node in model.proto.graph.node] == ["Neg", "Identity", "Relu"]
    assert numpy_helper.to_array(model.proto.graph.initializer[0]).tolist() == [1, 3, 8, 8]


@pytest.mark.parametrize(("height", "width"), [(8, 12), (12, 8)])
def test_constants_that_depend_on_the_dimensions_are_each_bindings_own(
    height: int, width: int, model_file: Path
) -> None:
    g = Graph()
    for axis, name in ((2, "height"), (3, "width")):
        g.inputs[0].type.tensor_type.shape.dim[axis].dim_param = name
    sides = g.node("Cast", g.node("Shape", "x", start=2), to=1)
    path = saved(g.model(g.node("Mul", "x", g.node("Gather", sides, g.constant(np.array(1))))), model_file)
    (constant,) = load(path, dims={"height": height, "width": width}).proto.graph.initializer
    assert numpy_helper.to_array(constant) == width


def test_the_engine_is_asked_again_for_shapes_once_constants_have_their_numbers(model_file: Path) -> None:
    """Whose shape only the engine knows may depend on a number that was computed."""
    g = Graph()
    kept = g.node("FusedMatMul", "x", g.node("Neg", g.constant(floats(8, 8))), domain="com.microsoft")
    proto = g.model(g.node("Relu", kept))
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    recorder = Recorder()
    files.load(saved(proto, model_file), interpreter=recorder)
    first, last = ([node.op_type for node in asked.graph.node] for asked in recorder.described)
    assert first == ["Neg", "FusedMatMul", "Relu"] and last == ["FusedMatMul", "Relu"]
