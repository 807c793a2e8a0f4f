from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgent.codec import fit, normalise
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import InputError
from edgent.lab.rivals.int8 import quantised, rewritten
from edgent.lab.topologies import LIGHT, with_seeded_weights
from edgent.model import SHIPPED


@pytest.fixture(scope="module")
def pictures():
    with np.load(SHIPPED / "cifar10-256.npz") as images:
        return images["pixels"], images["labels"]


def _answers(model, pixels):
    form = model.metadata.preprocessing
    names = [branch.outputs[0].name for branch in model.branches]
    session = Engine().session(model, ["image"], names)
    runs = [session.run({"image": normalise(fit(one, form), form)}) for one in pixels]
    return np.stack([[run[name][0] for run in runs] for name in names])


def test_rewriting_for_whole_numbers_changes_answers_by_little_and_no_more_than_normalisation_does(pictures, tmp_path):
    onnx.save(rewritten(onnx.load(SHIPPED / "b-alexnet.onnx")), tmp_path / "plain.onnx")
    before, after = (_answers(load(file), pictures[0][:20]) for file in ("b-alexnet", tmp_path / "plain.onnx"))
    assert np.abs(before - after).max() <= 0.01 * np.abs(before).max()


def test_of_two_relus_on_one_tensor_one_is_left():
    taken, gave = (helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 4]) for n in ("x", "a"))
    other = helper.make_tensor_value_info("b", onnx.TensorProto.FLOAT, [1, 4])
    nodes = [helper.make_node("Relu", ["x"], [name]) for name in ("y", "z")]
    nodes += [helper.make_node("Neg", [name], [out]) for name, out in (("y", "a"), ("z", "b"))]
    made = rewritten(helper.make_model(helper.make_graph(nodes, "g", [taken], [gave, other])))
    assert [node.op_type for node in made.graph.node] == ["Relu", "Neg", "Neg"]


def test_a_linear_layer_over_a_map_is_a_convolution_of_its_size(tmp_path):
    random = np.random.default_rng(0)
    weight, bias = (numpy_helper.from_array(random.standard_normal(s).astype(np.float32), n)
                    for s, n in (((5, 18), "w"), ((5,), "b")))  # fmt: skip
    given = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [1, 2, 3, 3])
    answer = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 5])
    nodes = [
        helper.make_node("Relu", ["image"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "b"], ["y"], transB=1),
    ]
    graph = helper.make_graph(nodes, "g", [given], [answer], [weight, bias])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for name, one in (("before", proto), ("after", rewritten(proto))):
        onnx.save(one, tmp_path / f"{name}.onnx")
    x = {"image": random.standard_normal((1, 2, 3, 3)).astype(np.float32)}
    before, after = (
        Engine().session(load(tmp_path / f"{name}.onnx"), ["image"], ["y"]).run(x)["y"] for name in ("before", "after")
    )
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-5)


def test_the_shipped_one_has_standard_operators_a_quarter_of_the_bytes_and_nearly_the_answers(pictures):
    pixels, labels = pictures
    proto = onnx.load(SHIPPED / "b-alexnet-int8.onnx")
    assert [entry.domain for entry in proto.opset_import] == [""]
    assert {"QLinearConv", "MaxPool"} < {node.op_type for node in proto.graph.node}
    sizes = [(SHIPPED / f"{name}.onnx").stat().st_size for name in ("b-alexnet-int8", "b-alexnet")]
    assert sizes[0] < 0.3 * sizes[1]
    before, after = (_answers(load(name), pixels).argmax(2) for name in ("b-alexnet", "b-alexnet-int8"))
    assert (before == after).mean() > 0.95
    assert ((after == labels).mean(1) > 0.8).all()


def test_quantising_again_gives_whole_numbers_and_unknown_accuracies(pictures):
    made = quantised(load("b-alexnet"), pictures[0][:100])
    weights = [tensor.data_type for tensor in made.graph.initializer if len(tensor.dims) == 4]
    assert len(weights) == 16
    assert set(weights) == {onnx.TensorProto.INT8}
    assert '"accuracy": null' in made.metadata_props[0].value


def test_a_network_that_takes_no_images_is_refused(tmp_path):
    path = with_seeded_weights(LIGHT / "light_squeezenet.onnx", tmp_path)
    with pytest.raises(InputError, match="becomes its input"):
        quantised(load(path), np.zeros((1, 8, 8, 3), np.uint8))
