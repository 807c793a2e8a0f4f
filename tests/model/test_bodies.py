"""What runs inside If, Loop and Scan: the shapes there, and how often it runs; the oracle is what the models were made
of."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.latency.prediction import BranchWork
from edgent.model.kernels import Kernel
from edgent.profiling.predicted_profile import branch_work

SIDE, CHANNELS = 12, 8


def info(name: str, *shape: int, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def weights(name: str, *shape: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.full(shape, 0.1, np.float32), name)


def convolution(given: str, made: str, side: int) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Conv", [given, f"w{side}"], [f"{made}_conv"], pads=[side // 2] * 4),
        helper.make_node("Relu", [f"{made}_conv"], [made]),
    ]


def body(nodes: list[onnx.NodeProto], given: list[onnx.ValueInfoProto], asked: list[onnx.ValueInfoProto]):
    return helper.make_graph(nodes, "body", given, asked)


IMAGE = (1, CHANNELS, SIDE, SIDE)
COUNT = numpy_helper.from_array(np.array(6, np.int64), "count")
CONSTANTS = [weights("w3", CHANNELS, CHANNELS, 3, 3), weights("w1", CHANNELS, CHANNELS, 1, 1), weights("zero", 1)]


def chosen() -> list[onnx.NodeProto]:
    """One of two convolutions, by the sign of the largest number."""
    then, other = (body(convolution("x", f"made{side}", side), [], [info(f"made{side}", *IMAGE)]) for side in (3, 1))
    return [
        helper.make_node("ReduceMax", ["x"], ["largest"], keepdims=0),
        helper.make_node("Greater", ["largest", "zero"], ["positive"]),
        helper.make_node("If", ["positive"], ["y"], then_branch=then, else_branch=other),
    ]


def looped(count: str = "count") -> list[onnx.NodeProto]:
    """A convolution, over and over; its body says nothing of shapes."""
    given = [info("round", kind=TensorProto.INT64), info("goes_on", kind=TensorProto.BOOL)]
    open_ended = helper.make_tensor_value_info("given", TensorProto.FLOAT, None)
    made = helper.make_tensor_value_info("made", TensorProto.FLOAT, None)
    nodes = [*convolution("given", "made", 3), helper.make_node("Identity", ["goes_on"], ["still"])]
    inside = body(nodes, [*given, open_ended], [info("still", kind=TensorProto.BOOL), made])
    return [helper.make_node("Loop", [count, "", "x"], ["y"], body=inside)]


def scanned() -> list[onnx.NodeProto]:
    """The rows of a map, one after the other, are multiplied and summed."""
    nodes = [helper.make_node("Add", ["state", "row"], ["next"]), helper.make_node("MatMul", ["row", "wide"], ["made"])]
    inside = body(nodes, [info("state", SIDE), info("row", SIDE)], [info("next", SIDE), info("made", 40)])
    return [
        helper.make_node("Reshape", ["x", "rows"], ["as_rows"]),
        helper.make_node("Gather", ["as_rows", "first"], ["begin"]),
        helper.make_node("Scan", ["begin", "as_rows"], ["end", "y"], body=inside, num_scan_inputs=1),
    ]


def work_of(nodes: list[onnx.NodeProto], folder: Path, made: tuple[int, ...] | None = IMAGE, *more: str) -> BranchWork:
    asked = helper.make_tensor_value_info("y", TensorProto.FLOAT, made)
    given = [info("x", *IMAGE), *(info(name, kind=TensorProto.INT64) for name in more)]
    constants = [
        *CONSTANTS, COUNT, weights("wide", SIDE, 40),
        numpy_helper.from_array(np.array([-1, SIDE], np.int64), "rows"),
        numpy_helper.from_array(np.array(0, np.int64), "first"),
    ]  # fmt: skip
    graph = helper.make_graph(nodes, "controlled", given, [asked], initializer=constants)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(proto, folder / "controlled.onnx")
    model = load(folder / "controlled.onnx")
    return branch_work(model, model.branches[0], OnnxRuntimeEngine())


def inner(work: BranchWork, op: str) -> Kernel:
    return next(kernel for kernel in work.kernels if kernel.op == op)


def largest(kernels: tuple[Kernel, ...]) -> float:
    """Most numbers that one of them makes from its weights."""
    return max(math.prod(kernel.output) for kernel in kernels if kernel.weights)


def test_both_branches_of_an_if_are_seen_with_their_shapes(tmp_path: Path) -> None:
    kernel = inner(work_of(chosen(), tmp_path), "If")
    assert [part.rounds for part in kernel.bodies] == [1, 1]
    assert [largest(part.kernels) for part in kernel.bodies] == [math.prod(IMAGE)] * 2
    sides = {shape[-1] for part in kernel.bodies for one in part.kernels for shape in one.weights}
    assert sides >= {1, 3}


def test_a_loop_is_seen_with_its_rounds_and_with_shapes_that_its_body_does_not_say(tmp_path: Path) -> None:
    (part,) = inner(work_of(looped(), tmp_path), "Loop").bodies
    assert part.rounds == 6
    assert largest(part.kernels) == math.prod(IMAGE)


def test_rounds_that_are_computed_are_unknown(tmp_path: Path) -> None:
    (part,) = inner(work_of(looped("asked"), tmp_path, IMAGE, "asked"), "Loop").bodies
    assert part.rounds is None


def test_a_scan_goes_round_once_for_each_of_what_it_scans(tmp_path: Path) -> None:
    (part,) = inner(work_of(scanned(), tmp_path, (CHANNELS * SIDE, 40)), "Scan").bodies
    assert part.rounds == CHANNELS * SIDE
    assert [one.output for one in part.kernels if one.op == "MatMul"] == [(40,)]


def test_a_profiler_notes_as_many_events_as_run_inside(tmp_path: Path) -> None:
    kernel = inner(work_of(looped(), tmp_path), "Loop")
    assert kernel.events == 1 + 6 * len(kernel.bodies[0].kernels)


@pytest.mark.parametrize("nodes", [chosen, looped])
def test_the_traits_of_a_branch_have_those_inside(tmp_path: Path, nodes) -> None:
    work = work_of(nodes(), tmp_path)
    expected = 2.0 * math.prod(IMAGE) * CHANNELS * 9
    assert max(kernel.work[1] for kernel in work.traits()) == pytest.approx(expected)
