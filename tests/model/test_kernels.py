"""What an engine's graph says of its kernels: how long ago their inputs were made, and their memory was touched."""

from __future__ import annotations

import math
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from edgent.model.kernels import Kernel, kernels


def small(nodes: list[onnx.NodeProto], folder: Path) -> dict[str, Kernel]:
    """The kernels of a graph on tensors of ten numbers each, with a constant of a hundred."""
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [10])],
        [helper.make_tensor_value_info("end", TensorProto.FLOAT, [10])],
        initializer=[helper.make_tensor("w", TensorProto.FLOAT, [100], [0.0] * 100)],
    )
    onnx.save(helper.make_model(graph), folder / "small.onnx")
    names = [name for node in nodes for name in (*node.input, *node.output) if name != "w"]
    found: tuple[Kernel, ...] = kernels(folder / "small.onnx", dict.fromkeys(names, (10,)))
    return {kernel.name: kernel for kernel in found}


def distances(nodes: list[onnx.NodeProto], folder: Path) -> dict[str, float]:
    return {name: kernel.distance for name, kernel in small(nodes, folder).items()}


def untouched(nodes: list[onnx.NodeProto], folder: Path) -> dict[str, float]:
    return {name: kernel.untouched for name, kernel in small(nodes, folder).items()}


def node(op: str, reads: list[str], makes: str) -> onnx.NodeProto:
    return helper.make_node(op, reads, [makes], name=makes)


def test_an_input_lies_as_far_back_as_what_was_made_and_read_since(tmp_path: Path) -> None:
    found = distances(
        [node("Relu", ["x"], "a"), node("Foo", ["a", "w"], "b"), node("Add", ["b", "a"], "end")], tmp_path
    )
    assert found["b"] == 10  # just made
    assert found["end"] == 10 + 110  # the skip is older: itself, and the constant and the tensor made meanwhile


def test_what_is_given_was_last_at_hand_a_whole_run_ago(tmp_path: Path) -> None:
    found = distances([node("Foo", ["x", "w"], "a"), node("Add", ["a", "x"], "end")], tmp_path)
    assert found["a"] == found["end"] == 110 + 10


def test_a_view_is_as_old_as_what_it_shows(tmp_path: Path) -> None:
    nodes = [node("Relu", ["x"], "a"), node("Foo", ["a", "w"], "b"), node("Flatten", ["a"], "c")]
    found = distances([*nodes, node("Relu", ["c"], "end")], tmp_path)
    assert found["end"] == 10 + 110


def test_memory_that_a_run_first_comes_to_was_touched_a_whole_run_ago(tmp_path: Path) -> None:
    found = untouched([node("Foo", ["x"], "a"), node("Foo", ["a"], "b"), node("Foo", ["b"], "end")], tmp_path)
    assert found == {"a": 30, "b": 30, "end": 30}  # the end is handed out: it lies in memory of its own


def test_memory_that_was_given_back_is_taken_again(tmp_path: Path) -> None:
    chain = [node("Foo", [reads], makes) for reads, makes in ("xa", "ab", "bc", "cd")]
    found = untouched([*chain, node("Foo", ["d"], "end")], tmp_path)
    assert found["c"] == 0  # where a was, which b has just read
    assert found["d"] == 0


def test_an_element_wise_kernel_writes_over_what_nobody_else_needs(tmp_path: Path) -> None:
    alone = untouched([node("Foo", ["x"], "a"), node("Relu", ["a"], "b"), node("Foo", ["b"], "end")], tmp_path)
    assert alone["b"] == 0
    skipped = [node("Foo", ["x"], "a"), node("Relu", ["a"], "b"), node("Foo", ["b", "a"], "end")]
    assert untouched(skipped, tmp_path)["b"] == 30


def test_memory_under_a_view_is_kept_as_long_as_the_view_is_read(tmp_path: Path) -> None:
    nodes = [node("Foo", ["x"], "a"), node("Flatten", ["a"], "v"), node("Foo", ["x", "w"], "b")]
    found = untouched([*nodes, node("Foo", ["b"], "c"), node("Foo", ["v", "c"], "end")], tmp_path)
    assert found["c"] == 10 + 110 + 10 + 10


def of_unknown_shapes(nodes: list[onnx.NodeProto], folder: Path) -> dict[str, Kernel]:
    """The kernels of a graph of which only the input has a known shape, as where inference gave up."""
    weights = [("w", [8, 3, 3, 3]), ("row", [8]), ("table", [5, 2])]
    graph = helper.make_graph(
        nodes,
        "unknown",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 6, 10])],
        [helper.make_tensor_value_info("end", TensorProto.FLOAT, None)],
        initializer=[
            *(helper.make_tensor(name, TensorProto.FLOAT, dims, [0.0] * math.prod(dims)) for name, dims in weights),
            helper.make_tensor("shape", TensorProto.INT64, [2], [4, -1]),
            helper.make_tensor("pads", TensorProto.INT64, [8], [0, 0, 1, 1, 0, 0, 1, 1]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.other", 1)])
    onnx.save(model, folder / "unknown.onnx")
    made = [name for node in nodes for name in node.output]
    shapes: dict[str, tuple[int, ...] | None] = {"x": (1, 3, 6, 10), **dict.fromkeys(made)}
    return {kernel.name: kernel for kernel in kernels(folder / "unknown.onnx", shapes)}


def test_shapes_that_follow_from_what_a_node_reads_are_worked_out(tmp_path: Path) -> None:
    fused = helper.make_node(
        "FusedConv", ["padded", "w", "row"], ["made"], name="made", domain="com.other", activation="Relu"
    )
    nodes = [node("Pad", ["x", "pads"], "padded"), fused, node("Reshape", ["made", "shape"], "end")]
    worked_out = of_unknown_shapes(nodes, tmp_path)
    assert {name: kernel.output for name, kernel in worked_out.items()} == {
        "padded": (1, 3, 8, 12), "made": (1, 8, 6, 10), "end": (4, 120),
    }  # fmt: skip
    assert all(kernel.sized for kernel in worked_out.values())


def test_a_node_means_what_it_meant_in_the_version_of_its_graph(tmp_path: Path) -> None:
    # The axes of a reduction were an attribute then, and are an input now.
    reduced = helper.make_node("ReduceMean", ["x"], ["end"], name="end", axes=[1], keepdims=1)
    assert of_unknown_shapes([reduced], tmp_path)["end"].output == (1, 1, 6, 10)


def test_what_only_the_data_tell_stays_unknown_and_so_does_all_that_is_made_of_it(tmp_path: Path) -> None:
    nodes = [node("NonZero", ["x"], "places"), node("Cast", ["places"], "renamed"), node("Relu", ["renamed"], "end")]
    nodes[1].attribute.append(helper.make_attribute("to", TensorProto.FLOAT))
    assert [kernel.sized for kernel in of_unknown_shapes(nodes, tmp_path).values()] == [False, False, False]


def test_a_node_that_nobody_knows_makes_as_much_as_it_reads(tmp_path: Path) -> None:
    strange = helper.make_node("Strange", ["x"], ["end"], name="end", domain="com.other")
    assert of_unknown_shapes([strange], tmp_path)["end"].output == (1, 3, 6, 10)


def test_numbers_of_8_bits_stay_so_until_they_are_scaled_back(tmp_path: Path) -> None:
    nodes = [
        node("QuantizeLinear", ["x"], "a"), node("Transpose", ["a"], "b"), node("QLinearConv", ["b", "w"], "c"),
        node("Reshape", ["c"], "d"), node("DequantizeLinear", ["d"], "e"), node("Transpose", ["e"], "end"),
    ]  # fmt: skip
    narrow = {name: kernel.narrow for name, kernel in small(nodes, tmp_path).items()}
    assert narrow == {"a": True, "b": True, "c": True, "d": True, "e": False, "end": False}


def test_padded_constants_of_the_engines_own_layout_make_no_shapes(tmp_path: Path) -> None:
    # Eight filters stand in the file, and the tensor that the node is named after has three channels.
    made = helper.make_node("Conv", ["x", "w"], ["token"], name="made_nchwc", domain="com.microsoft.nchwc")
    graph = helper.make_graph(
        [made], "padded", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 6, 10])], [],
        initializer=[helper.make_tensor("w", TensorProto.FLOAT, [8, 3, 1, 1], [0.0] * 24)],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "padded.onnx")
    (only,) = kernels(tmp_path / "padded.onnx", {"x": (1, 3, 6, 10), "made": (1, 3, 6, 10)})
    assert only.output == (1, 3, 6, 10)
