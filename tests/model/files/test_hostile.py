"""Files that are broken or mean harm, opened in this very process: what is refused by arithmetic or at a glance."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import FunctionProto, TensorProto, helper, inliner

from edgent.engine.loading import load
from edgent.errors import ModelError
from edgent.model.files.bounds import MOST_TENSOR_BYTES, check_functions, check_sizes
from edgent.model.files.formats import MOST_FILE_BYTES, check_file
from edgent.model.files.read import read
from edgent.model.values import Tensor
from graphs import residual, saved
from hostile import Hostile, corpus
from hostile.protos import model, node, value

_CORPUS = corpus()
_BROKEN = (
    "truncated",
    "bits flipped",
    "nested bodies",
    "graph makes no sense",
    "wrong wire types",
    "odd names",
    "dims",
    "initialisers",
    "opsets",
    "other formats",
)


def test_the_corpus_is_large_and_every_name_in_it_is_one_file() -> None:
    names = [case.name for case in _CORPUS]
    assert len(names) == len(set(names)) >= 120


@pytest.mark.parametrize("kind", _BROKEN)
def test_a_broken_file_is_opened_or_refused(tmp_path: Path, kind: str) -> None:
    refused = sum(_is_refused(case, tmp_path) for case in _CORPUS if case.kind == kind)
    assert refused > 0


def _is_refused(case: Hostile, folder: Path) -> bool:
    try:
        load(case.write(folder))
    except ModelError:
        return True
    return False


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("git-lfs-pointer", "a Git LFS pointer, not the file itself; run git lfs pull"),
        ("ort", "ONNX Runtime's own format"),
        ("tflite", "TensorFlow Lite"),
        ("pytorch", "PyTorch"),
        ("pickle", "a pickle"),
        ("hdf5", "Keras"),
        ("gguf", "GGUF"),
        ("safetensors", "safetensors"),
        ("gzip", "gzip"),
        ("zip-bomb", "a zip archive"),
        ("text", "text, beginning 'This is my model. It'"),
        ("html", "text, beginning '<!DOCTYPE html>"),
        ("empty", "it is empty"),
        ("directory", "no such file"),
        ("socket", "no such file"),
        ("fifo", "no such file"),
        ("link-to-itself", "no such file"),
        ("link-to-zero", "no such file"),
        ("dev-zero", "no such file"),
        ("dev-stdin", "no such file"),
        ("long-name", "no such file"),
        ("sparse-3-gigabytes", "has 3.22 GB, an ONNX file at most 2.15 GB"),
    ],
)
def test_a_file_of_another_kind_is_called_what_it_is(tmp_path: Path, name: str, what: str) -> None:
    file = next(case for case in _CORPUS if case.name == name).write(tmp_path)
    with pytest.raises(ModelError) as refused:
        read(file)
    assert what in str(refused.value)


def test_no_honest_file_is_taken_for_another_format(tmp_path: Path) -> None:
    for proto in (residual(), model([node("Relu", "x")]), onnx.ModelProto(producer_name="text " * 200)):
        check_file(saved(proto, tmp_path / "model.onnx"))


def test_a_file_of_the_largest_size_is_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    with file.open("wb") as stream:
        stream.write(residual().SerializeToString())
        stream.truncate(MOST_FILE_BYTES)
    check_file(file)
    with file.open("ab") as stream:
        stream.truncate(MOST_FILE_BYTES + 1)
    with pytest.raises(ModelError, match="at most"):
        check_file(file)


@pytest.mark.parametrize("calls", [1, 2, 7])
def test_functions_are_counted_as_the_inliner_makes_them(calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    functions = [_calling(f"f{i}", f"f{i + 1}" if i < 3 else "", calls) for i in range(4)]
    proto = model([node("f0", "x", domain="f")], functions=functions)
    nodes = len(inliner.inline_local_functions(proto).graph.node)
    monkeypatch.setattr("edgent.model.files.bounds.MOST_NODES", nodes)
    check_functions(Path("model.onnx"), proto)
    monkeypatch.setattr("edgent.model.files.bounds.MOST_NODES", nodes - 1)
    with pytest.raises(ModelError, match=f"make {nodes:,} nodes"):
        check_functions(Path("model.onnx"), proto)


def _calling(name: str, callee: str, calls: int) -> FunctionProto:
    ends = ["x", *(f"a{i}" for i in range(calls - 1)), "y"]
    nodes = [node(callee or "Relu", a, b, domain="f" if callee else "") for a, b in pairwise(ends)]
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("f", 1)]
    return helper.make_function("f", name, ["x"], ["y"], nodes, imports)


@pytest.mark.parametrize("name", ["laughs-25", "laughs-40", "laughs-in-a-body", "function-thousand-wide"])
def test_functions_that_become_too_many_nodes_are_refused_before_they_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="functions make"):
        load(next(case for case in _CORPUS if case.name == name).write(tmp_path))


@pytest.mark.parametrize("name", ["function-calls-itself", "function-call-each-other"])
def test_a_function_that_calls_itself_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="calls itself"):
        load(next(case for case in _CORPUS if case.name == name).write(tmp_path))


def test_a_long_row_of_functions_is_no_harm(model_file: Path) -> None:
    row = [_calling(f"f{i}", f"f{i + 1}" if i < 89 else "", 1) for i in range(90)]
    proto = model([node("f0", "x", domain="f")], functions=row)
    assert len(load(saved(proto, model_file)).branches[0].layers) == 1


@pytest.mark.parametrize(("numbers", "fits"), [(MOST_TENSOR_BYTES // 4, True), (MOST_TENSOR_BYTES // 4 + 1, False)])
def test_a_tensor_of_two_gibibytes_is_the_largest(numbers: int, fits: bool) -> None:
    tensor = Tensor(name="t", dtype="float32", shape=(1, numbers))
    if fits:
        check_sizes([tensor])
    else:
        with pytest.raises(ModelError, match=r"'t' of shape .* takes 2.15 GB"):
            check_sizes([tensor])


def test_a_size_that_overflows_is_not_small() -> None:
    for shape in ((2**32, 2**32), (2**33, 2**31, 8), (2**62, 4)):
        with pytest.raises(ModelError, match="more than"):
            check_sizes([Tensor(name="t", dtype="float32", shape=shape)])


@pytest.mark.parametrize("name", ["sparse-terabytes", "sparse-overflow"])
def test_a_sparse_constant_is_as_large_as_it_becomes(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="sparse constant 'c' has"):
        read(next(case for case in _CORPUS if case.name == name).write(tmp_path))


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(ModelError, match="sizes are 0 or more"):
        check_sizes([Tensor(name="t", dtype="float32", shape=(1, -5))])


def test_sizes_that_nobody_knows_are_no_matter() -> None:
    check_sizes([Tensor(name="t", dtype=None, shape=None), Tensor(name="s", dtype="string", shape=(2**62,))])


@pytest.mark.parametrize("where", ["input", "output", "constant", "attribute"])
def test_a_type_that_onnx_does_not_know_is_refused_by_its_number(model_file: Path, where: str) -> None:
    constant = TensorProto(
        name="c", data_type=99 if where in ("constant", "attribute") else 1, dims=[1], raw_data=b"\0" * 4
    )
    held = {"attribute": ([node("Constant", "", "c", value=constant)], [])}.get(where, ([], [constant]))
    proto = model(
        [*held[0], node("Add", "x c")],
        held[1],
        inputs=[value("x", kind=99 if where == "input" else 1)],
        outputs=[value("y", kind=99 if where == "output" else 1)],
    )
    with pytest.raises(ModelError, match="99"):
        load(saved(proto, model_file))


def test_an_activation_that_no_machine_has_room_for_is_named(model_file: Path) -> None:
    proto = model([node("Relu", "x", "a"), node("Relu", "a")], inputs=[value("x", [2**10, 2**20])])
    with pytest.raises(ModelError, match=r"tensor '[xay]' of shape \[1024, 1048576\] takes 4.29 GB"):
        load(saved(proto, model_file))


def test_ten_thousand_nodes_are_not_hostile(model_file: Path) -> None:
    chain = [node("Relu", f"t{i}" if i else "x", f"t{i + 1}") for i in range(10_000)]
    branch = load(saved(model([*chain, node("Relu", "t10000")]), model_file)).branches[0]
    up, down = branch.cut_bytes()
    assert np.array_equal(up[:-1], np.full(10_001, 32)) and np.array_equal(down[1:], np.full(10_001, 32))
    assert [list(crossing) for crossing in branch.uploads()][:3] == [["x"], ["t1"], ["t2"]]
