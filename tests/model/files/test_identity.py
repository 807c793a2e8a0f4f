"""What changes an answer changes the digest, and nothing else does."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from constant_kinds import KINDS, SIDE, body, matrix, node, sparse_matrix, value
from constant_kinds import model as graph_of
from edgent.engine.loading import load
from edgent.model import Model
from edgent.model.configuration.document import KEY
from graphs import residual, saved

Change = Callable[[onnx.ModelProto], object]


def digest(proto: onnx.ModelProto, folder: Path, **dims: int) -> str:
    file = folder / f"{len(list(folder.iterdir()))}" / "model.onnx"
    file.parent.mkdir()
    return load(saved(proto, file), dims=dims).digest


def rich() -> onnx.ModelProto:
    """A graph with something of everything."""
    scale = helper.make_node("Twice", ["m"], ["d"], domain="ours")
    then = body([node("MatMul", ["d", "w"], "t")], [matrix("w", 1)])
    other = body([node("Constant", [], "k", value=matrix("", 2)), node("MatMul", ["d", "k"], "e")])
    nodes = [
        node("MatMul", ["x", "w"], "m"),
        scale,
        node("ReduceSum", ["d"], "s", keepdims=0),
        node("Greater", ["s", "zero"], "c"),
        node("If", ["c"], "o", then_branch=then, else_branch=other),
        node("LeakyRelu", ["o"], "early", alpha=0.25),
        node("MatMul", ["early", "thin"], "y"),
    ]
    proto = graph_of(
        nodes,
        [matrix("w"), numpy_helper.from_array(np.float32(0), "zero")],
        outputs=[value("early"), value("y")],
        sparse=[sparse_matrix("thin")],
    )
    proto.opset_import.append(helper.make_opsetid("ours", 1))
    inside = [node("Add", ["a", "a"], "b"), node("Constant", [], "n", value_float=0.5), node("Mul", ["b", "n"], "c")]
    opsets = [helper.make_opsetid("", 21)]
    proto.functions.append(helper.make_function("ours", "Twice", ["a"], ["c"], inside, opsets))
    describe(proto)
    return proto


def describe(proto: onnx.ModelProto, **changes: Any) -> None:
    known = (("early", "early", 0.5), ("late", "y", 0.75))
    exits = [{"name": n, "outputs": [o], "accuracy": a, "samples": 10, "data": "a set"} for n, o, a in known]
    document = {"version": 1, "exits": exits, "labels": ["cat", "dog"]} | changes
    del proto.metadata_props[:]
    proto.metadata_props.add(key=KEY, value=json.dumps(document))


def _initialiser(proto: onnx.ModelProto, name: str) -> onnx.TensorProto:
    return next(tensor for tensor in proto.graph.initializer if tensor.name == name)


def _nudge(tensor: onnx.TensorProto) -> None:
    array = numpy_helper.to_array(tensor).copy()
    array.flat[-1] += 1
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _branch(proto: onnx.ModelProto, name: str) -> onnx.GraphProto:
    (choice,) = (n for n in proto.graph.node if n.op_type == "If")
    return next(attribute.g for attribute in choice.attribute if attribute.name == name)


def _retype(proto: onnx.ModelProto) -> None:
    _initialiser(proto, "w").data_type = TensorProto.INT32


def _swap_exits(proto: onnx.ModelProto) -> None:
    exits = json.loads(proto.metadata_props[0].value)["exits"]
    describe(proto, exits=exits[::-1])


def _other_version(proto: onnx.ModelProto) -> None:
    proto.opset_import[0].version = proto.functions[0].opset_import[0].version = 20


def _swap_names(proto: onnx.ModelProto) -> None:
    proto.graph.initializer.append(matrix("v", 9))
    proto.graph.node[0].input[1] = "v"


def _rename_answer(proto: onnx.ModelProto) -> None:
    proto.graph.node[6].output[0] = proto.graph.output[1].name = "z"
    describe(proto, exits=[{"name": "early", "outputs": ["early"]}, {"name": "late", "outputs": ["z"]}])


MATTERS: dict[str, Change] = {
    "the last number of a weight": lambda p: _nudge(_initialiser(p, "w")),
    "the shape of a weight": lambda p: _initialiser(p, "zero").dims.append(1),
    "the name of a weight that is read": _swap_names,
    "a weight in a body": lambda p: _nudge(_branch(p, "then_branch").initializer[0]),
    "a Constant node in a body": lambda p: _nudge(_branch(p, "else_branch").node[0].attribute[0].t),
    "a sparse value": lambda p: _nudge(p.graph.sparse_initializer[0].values),
    "a sparse value's place": lambda p: p.graph.sparse_initializer[0].indices.CopyFrom(
        numpy_helper.from_array(np.array([[0, 1], [3, 5], [39, 39]]), "places")
    ),
    "a number in a function": lambda p: setattr(p.functions[0].node[1].attribute[0], "f", 0.75),
    "an operator in a function": lambda p: setattr(p.functions[0].node[0], "op_type", "Sub"),
    "an attribute": lambda p: setattr(p.graph.node[5].attribute[0], "f", 0.5),
    "an operator": lambda p: setattr(p.graph.node[5], "op_type", "Elu"),
    "an operator in a body": lambda p: setattr(_branch(p, "then_branch").node[0], "op_type", "Gemm"),
    "what a node reads": lambda p: p.graph.node[0].input.__setitem__(slice(None), ["x", "thin"]),
    "what a node is called by its readers": _rename_answer,
    "the version of the operators": _other_version,
    "the order of the exits": _swap_exits,
    "which output an exit is": lambda p: describe(
        p, exits=[{"name": "late", "outputs": ["y"], "accuracy": 0.5, "samples": 10, "data": "a set"}]
    ),
    "what becomes of a small array": lambda p: describe(p, inputs={"x": {"fill": "pad"}}),
    "the task": lambda p: describe(p, task="embedding"),
}


def _relabel(proto: onnx.ModelProto) -> None:
    exits = json.loads(proto.metadata_props[0].value)["exits"]
    describe(
        proto,
        labels=["Katze", "Hund"],
        exits=[e | {"name": e["name"] * 2, "accuracy": 0.1, "data": "b"} for e in exits],
    )


def _document_everything(proto: onnx.ModelProto) -> None:
    proto.doc_string = proto.graph.doc_string = proto.functions[0].doc_string = "words"
    for one in (*proto.graph.node, *_branch(proto, "then_branch").node, *proto.functions[0].node):
        one.doc_string = "words"
        one.metadata_props.add(key="from", value="a tool")
        for attribute in one.attribute:
            attribute.doc_string = "words"
    for other in (
        *proto.graph.initializer,
        *proto.graph.input,
        *proto.graph.output,
        *_branch(proto, "then_branch").initializer,
    ):
        other.doc_string = "words"


def _declare_shapes(proto: onnx.ModelProto) -> None:
    proto.graph.value_info.append(value("m", shape=[1, SIDE]))
    _branch(proto, "then_branch").value_info.append(value("d", shape=[1, SIDE]))
    proto.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "n"


def _other_producer(proto: onnx.ModelProto) -> None:
    proto.producer_name, proto.producer_version, proto.domain, proto.model_version = "a", "2", "b", 7
    proto.graph.name, proto.graph.node[0].name = "another", "first"
    proto.metadata_props.add(key="author", value="somebody")


def _reorder(proto: onnx.ModelProto) -> None:
    for part in (proto.graph.initializer, proto.opset_import):
        turned = list(part)[::-1]
        del part[:]
        part.extend(turned)


def _as_numbers(proto: onnx.ModelProto) -> None:
    """From raw bytes to a field of numbers."""
    tensor = _initialiser(proto, "w")
    array = numpy_helper.to_array(tensor)
    tensor.CopyFrom(helper.make_tensor("w", TensorProto.FLOAT, array.shape, array.ravel().tolist()))
    assert tensor.float_data and not tensor.HasField("raw_data")


DOES_NOT_MATTER: dict[str, Change] = {
    "labels, accuracies and names of exits": _relabel,
    "documentation": _document_everything,
    "declared shapes": _declare_shapes,
    "who made it": _other_producer,
    "the order of weights and of sets of operators": _reorder,
    "numbers in place of bytes": _as_numbers,
    "the standard operators' long name": lambda p: setattr(p.opset_import[0], "domain", "ai.onnx"),
    "a weight that is listed as an input": lambda p: p.graph.input.append(value("w", shape=[SIDE, SIDE])),
    "that an array of another size is refused": lambda p: describe(p, inputs={"x": {"fill": "refuse"}}),
}


@pytest.mark.parametrize("what", MATTERS)
def test_what_changes_an_answer_changes_the_digest(what: str, tmp_path: Path) -> None:
    changed = rich()
    MATTERS[what](changed)
    assert digest(changed, tmp_path) != digest(rich(), tmp_path)


@pytest.mark.parametrize("what", DOES_NOT_MATTER)
def test_what_changes_no_answer_does_not(what: str, tmp_path: Path) -> None:
    changed = rich()
    DOES_NOT_MATTER[what](changed)
    assert changed != rich()
    assert digest(changed, tmp_path) == digest(rich(), tmp_path)


@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize("threshold", [0, 1024])
def test_it_does_not_matter_where_weights_are(several: bool, threshold: int, tmp_path: Path) -> None:
    path = tmp_path / "outside" / "model.onnx"
    path.parent.mkdir()
    options = {} if several else {"location": "w.bin"}
    proto = rich()
    proto.graph.node[4].attribute[0].g.node[0].doc_string = ""
    onnx.save(
        proto, path, save_as_external_data=True, all_tensors_to_one_file=not several, size_threshold=threshold,
        convert_attribute=True, **options,
    )  # fmt: skip
    assert len(list(path.parent.iterdir())) > 1 + several
    (tmp_path / "inside").mkdir()
    assert load(path).digest == digest(rich(), tmp_path / "inside")


def test_all_outputs_named_as_one_exit_are_what_a_file_without_exits_means(tmp_path: Path) -> None:
    named, silent = rich(), rich()
    describe(named, exits=[{"name": "all", "outputs": ["early", "y"]}])
    del silent.metadata_props[:]
    assert digest(named, tmp_path) == digest(silent, tmp_path)


def test_each_binding_of_dimensions_has_a_digest(tmp_path: Path) -> None:
    proto = residual(batch="batch")
    proto.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    bindings = [{"height": 8}, {"height": 16}, {"height": 8, "batch": 2}]
    assert len({digest(proto, tmp_path, **dims) for dims in bindings}) == 3
    assert digest(proto, tmp_path, height=8, batch=1) == digest(proto, tmp_path, height=8)


def test_a_dimension_bound_and_one_that_is_written_are_the_same(tmp_path: Path) -> None:
    assert digest(residual(batch="batch"), tmp_path, batch=3) == digest(residual(batch=3), tmp_path)


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"nothing_at_all"}))
def test_another_value_of_any_kind_of_constant_is_another_model(kind: str, tmp_path: Path) -> None:
    proto = KINDS[kind]()
    before = digest(proto, tmp_path)
    changed = _other_constant(proto)
    assert changed and digest(proto, tmp_path) != before


def _other_constant(proto: onnx.ModelProto) -> bool:
    """Changes the first value of the first constant that has any."""
    from edgent.model.files.constants import all_tensors

    for tensor in all_tensors(proto):
        for field in ("string_data", "float_data", "int32_data", "int64_data"):
            if numbers_ := getattr(tensor, field):
                numbers_[0] = b"else" if field == "string_data" else numbers_[0] ^ 1 if "int" in field else -7.5
                return True
        if len(tensor.raw_data) and tensor.dims:
            tensor.raw_data = bytes([tensor.raw_data[0] ^ 1]) + tensor.raw_data[1:]
            return True
    for each in proto.graph.node:
        for attribute in each.attribute:
            for texts in (attribute.strings, attribute.ints):
                if texts:
                    texts[0] = b"else" if attribute.strings else 8
                    return True
    return False


def test_a_text_and_its_parts_are_not_the_same(tmp_path: Path) -> None:
    def labels(*texts: bytes) -> onnx.ModelProto:
        names = helper.make_tensor("names", TensorProto.STRING, [len(texts)], texts)
        return graph_of(
            [node("Relu", ["x"], "y")], [names], outputs=[value("y"), value("names", TensorProto.STRING, None)]
        )

    assert len({digest(labels(*texts), tmp_path) for texts in ((b"ab", b"c"), (b"a", b"bc"), (b"abc", b""))}) == 3


def test_a_file_has_one_digest_in_every_process(model_file: Path) -> None:
    saved(KINDS["many labels"](), model_file)
    program = f"import edgent; print(edgent.load({str(model_file)!r}).digest)"
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True) for _ in range(3)
    ]
    assert {run.stdout.strip() for run in runs} == {load(model_file).digest}


def test_the_version_is_the_beginning_of_the_digest(model_file: Path) -> None:
    model = load(saved(residual(), model_file))
    assert len(model.digest) == 64 and model.version == model.digest[:12]


def test_the_digest_of_a_known_file_is_known_for_good(model_file: Path) -> None:
    """What anyone has measured of a model is found by its digest: a change of it must be meant (see `VERSION`)."""
    weight = numpy_helper.from_array(np.arange(4, dtype=np.float32).reshape(2, 2), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [value("x", shape=[1, 2])],
        [value("y", shape=[1, 2])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    form = {
        "opsets": [["", 17]],
        "functions": [],
        "graph": {
            "inputs": None,
            "outputs": ["y"],
            "constants": [["w", 1, [2, 2], hashlib.sha256(np.arange(4, dtype="<f4").tobytes()).hexdigest()]],
            "sparse": [],
            "nodes": [["", "MatMul", "", ["x", "w"], ["y"], []]],
        },
    }
    whole = {
        "version": 1,
        "contents": _sha256(form),
        "inputs": [["x", 1, [1, 2]]],
        "exits": [["y"]],
        "preprocessing": None,
    }
    assert load(saved(model, model_file)).digest == _sha256(whole)


def _sha256(form: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(form, sort_keys=True).encode()).hexdigest()


def test_a_bundle_has_the_digest_of_what_its_files_hold(tmp_path: Path) -> None:
    def bundle(first: float, second: float, nudged: bool = False) -> Model:
        folder = tmp_path / f"{first} {second} {nudged}"
        folder.mkdir()
        for name, accuracy in (("a", first), ("b", second)):
            proto = residual()
            if name == "b" and nudged:
                _nudge(proto.graph.initializer[0])
            exits = [{"name": "all", "outputs": [proto.graph.output[0].name], "accuracy": accuracy, "data": "a set"}]
            proto.metadata_props.add(key=KEY, value=json.dumps({"version": 1, "exits": exits}))
            saved(proto, folder / f"{name}.onnx")
        return load(f"{folder / 'a.onnx'}+{folder / 'b.onnx'}")

    plain = bundle(0.5, 0.6)
    assert bundle(0.4, 0.7).digest == plain.digest  # accuracies are not in it
    assert bundle(0.6, 0.5).digest != plain.digest  # but exits are numbered by them
    assert bundle(0.5, 0.65, nudged=True).digest != plain.digest
    assert plain.digest != load(plain.members[0]).digest


def test_shipped_calibrations_are_of_the_shipped_models() -> None:
    from edgent.evaluation.calibration_files import calibration_for

    for name in ("b-alexnet", "b-alexnet-int8", "b-alexnet-narrow"):
        kept = calibration_for(load(name))
        assert kept is not None and kept.digest == load(name).digest
