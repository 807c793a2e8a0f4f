"""Every node test of ONNX with its inputs as constants: what Edgent answers is plain ONNX Runtime's, bit for bit."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgent.engine.loading import load
from edgent.errors import EdgentError
from whole import plain, same, whole

_PARTS = 24  # the cases are made at once, so a test takes many of them
_X = {"live": np.ones(2, np.float32)}
_RANDOM = ("Bernoulli", "Dropout", "Multinomial", "Random")
_LEAST = 1500  # of 1,884 cases; the others are sequences, or what the engine does not run


@functools.cache
def cases() -> list[Any]:
    from onnx.backend.test.case.node import collect_testcases

    return [case for case in collect_testcases(None) if case.data_sets and _all_tensors(case.model.graph)]


@functools.cache
def compared() -> set[str]:
    return set()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(_PARTS))
def test_constants_are_the_engines(part: int, model_file: Path) -> None:
    differing = []
    for case in cases()[part::_PARTS]:
        try:
            onnx.save(_of_constants(case), model_file)
            right = plain(model_file, _X)
        except Exception:  # no test of ours: the engine does not run it, or it cannot be written down
            _loads_or_says_why(model_file)
            continue
        compared().add(case.name)
        found = whole(model_file, _X)
        if not same(found, right) and not _is_random(case.model.graph):
            differing.append(case.name)
    assert differing == []


def test_enough_was_compared() -> None:
    if len(compared()) == 0:
        pytest.skip("the other tests of this file did not run")
    assert len(compared()) >= _LEAST


def _loads_or_says_why(path: Path) -> None:
    try:
        load(path)
    except EdgentError as error:
        assert "\n" not in str(error)


def _of_constants(case: Any) -> onnx.ModelProto:
    """The case's graph with its inputs as initialisers; Identity answers, so that no node of its own is an answer."""
    proto = onnx.ModelProto()
    proto.CopyFrom(case.model)
    graph = proto.graph
    for value, array in zip(graph.input, case.data_sets[0][0], strict=False):
        given = array if isinstance(array, onnx.TensorProto) else numpy_helper.from_array(np.asarray(array))
        graph.initializer.append(given)
        graph.initializer[-1].name = value.name
    del graph.input[:]
    for value in graph.output:
        graph.node.append(helper.make_node("Identity", [value.name], [f"{value.name} as answer"]))
        value.name += " as answer"
    graph.node.append(helper.make_node("Relu", ["live"], ["alive"]))
    graph.input.append(helper.make_tensor_value_info("live", onnx.TensorProto.FLOAT, [2]))
    graph.output.append(helper.make_tensor_value_info("alive", onnx.TensorProto.FLOAT, [2]))
    if all(entry.domain for entry in proto.opset_import):
        proto.opset_import.append(helper.make_opsetid("", 17))
    return proto


def _all_tensors(graph: onnx.GraphProto) -> bool:
    return all(value.type.HasField("tensor_type") for value in (*graph.input, *graph.output))


def _is_random(graph: onnx.GraphProto) -> bool:
    return any(node.op_type.startswith(_RANDOM) for node in graph.node)
