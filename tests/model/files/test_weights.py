"""The weights file holds the right bytes, is believed for them alone, and is shared by all who have the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from constant_kinds import SIDE, matrix, node, numbers, value
from constant_kinds import model as graph_of
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import InputError, ModelError
from edgent.model import Model
from edgent.model.files.weights import FILE, Weights
from graphs import residual, saved


@pytest.fixture(autouse=True)
def _cache(empty_cache: Path) -> None:
    """Each test writes anew."""


@pytest.fixture
def model(model_file: Path) -> Model:
    return load(saved(_two_products(), model_file))


def _two_products() -> onnx.ModelProto:
    nodes = [node("MatMul", ["x", "a"], "m"), node("Relu", ["m"], "r"), node("MatMul", ["r", "b"], "y")]
    return graph_of(nodes, [matrix("a", 1), matrix("b", 2)])


def right(x: np.ndarray) -> np.ndarray:
    return np.maximum(x @ numbers(SIDE, SIDE, seed=1), 0) @ numbers(SIDE, SIDE, seed=2)


def answer(model: Model) -> np.ndarray:
    return Engine().session(model, ["x"], ["y"]).run({"x": np.ones((1, SIDE), np.float32)})["y"]


def folder_of(model: Model) -> Path:
    return model.segment(["x"], ["y"]).weights


def test_each_weight_lies_at_a_page_of_its_own(model: Model) -> None:
    data = (folder_of(model) / FILE).read_bytes()
    size = SIDE * SIDE * 4
    assert data[:size] == numbers(SIDE, SIDE, seed=1).tobytes()
    assert data[8192 : 8192 + size] == numbers(SIDE, SIDE, seed=2).tobytes()
    assert set(data[size:8192]) == {0} and len(data) == 8192 + size


def test_a_segment_names_the_places_of_its_own_weights(model: Model) -> None:
    proto = onnx.ModelProto.FromString(model.segment(["r"], ["y"]).proto)
    (tensor,) = proto.graph.initializer
    places = {entry.key: entry.value for entry in tensor.external_data}
    assert (tensor.name, list(tensor.dims)) == ("b", [SIDE, SIDE])
    assert places == {"location": "weights.bin", "offset": "8192", "length": str(SIDE * SIDE * 4)}


@pytest.mark.parametrize(
    "spoil", ["zeroed", "one byte at the front", "one byte at the end", "cut off", "empty", "gone"]
)
def test_a_file_that_was_spoilt_before_this_process_is_written_anew(spoil: str, model: Model, model_file: Path) -> None:
    file = folder_of(model) / FILE
    data = bytearray(file.read_bytes())
    if spoil == "gone":
        file.unlink()
    else:
        if spoil.startswith("one byte"):
            data[0 if "front" in spoil else -1] ^= 1
        kept = {"zeroed": bytes(len(data)), "cut off": data[:-1], "empty": b""}.get(spoil, data)
        file.write_bytes(kept)
    program = f"""
import numpy as np, edgent
from edgent.engine.onnxruntime import Engine
model = edgent.load({str(model_file)!r})
print(Engine().session(model, ["x"], ["y"]).run({{"x": np.ones((1, {SIDE}), np.float32)}})["y"].tobytes().hex())
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == answer(load(model_file)).tobytes().hex()
    np.testing.assert_allclose(answer(load(model_file)), right(np.ones((1, SIDE), np.float32)), rtol=1e-4)


def test_a_file_that_is_spoilt_between_two_segments_is_written_anew(model: Model) -> None:
    file = folder_of(model) / FILE
    file.write_bytes(bytes(file.stat().st_size))
    np.testing.assert_allclose(answer(model), right(np.ones((1, SIDE), np.float32)), rtol=1e-4)


def test_models_of_the_same_weights_share_one_file(model: Model, tmp_path: Path) -> None:
    proto = _two_products()
    proto.graph.node[1].op_type = "Tanh"
    other = load(saved(proto, tmp_path / "other.onnx"))
    assert other.digest != model.digest and folder_of(other) == folder_of(model)


def test_models_of_other_weights_do_not(model: Model, tmp_path: Path) -> None:
    """Not even when they have the same bytes in another order."""
    swapped = _two_products()
    one, two = swapped.graph.initializer
    one.raw_data, two.raw_data = two.raw_data, one.raw_data
    fewer = _two_products()
    fewer.graph.node[2].input[1] = "a"
    folders = {folder_of(load(saved(proto, tmp_path / f"{k}.onnx"))) for k, proto in enumerate((swapped, fewer))}
    assert len(folders | {folder_of(model)}) == 3


def test_a_graph_of_small_constants_writes_nothing(tmp_path: Path, empty_cache: Path) -> None:
    small = numpy_helper.from_array(numbers(1, 256), "s")  # 1024 bytes
    proto = graph_of(
        [node("Add", ["s", "s"], "t"), node("ReduceSum", ["t"], "u"), node("Add", ["x", "u"], "y")], [small]
    )
    model = load(saved(proto, tmp_path / "m.onnx"))
    assert folder_of(model) == Path() and answer(model).shape == (1, SIDE)
    assert not empty_cache.exists()


def test_one_byte_more_than_small_is_shared(tmp_path: Path) -> None:
    weights = Weights(tmp_path)
    graph = onnx.GraphProto(initializer=[numpy_helper.from_array(np.ones(1024 + k, np.int8), f"{k}") for k in (0, 1)])
    weights.take(graph)
    assert list(weights.tensors) == ["1"]
    assert [len(tensor.raw_data) for tensor in graph.initializer] == [1024, 0]
    assert [tensor.data_location for tensor in graph.initializer] == [TensorProto.DEFAULT, TensorProto.EXTERNAL]


def test_taking_twice_changes_nothing(tmp_path: Path) -> None:
    graph = onnx.GraphProto(initializer=[matrix("a"), numpy_helper.from_array(numbers(2), "s")])
    weights = Weights(tmp_path)
    weights.take(graph)
    before = graph.SerializeToString(), weights.tensors["a"].SerializeToString()
    weights.take(graph)
    assert (graph.SerializeToString(), weights.tensors["a"].SerializeToString()) == before
    assert list(weights.tensors) == ["a"]


def test_what_was_computed_is_taken_or_stays_by_its_size(tmp_path: Path) -> None:
    weights = Weights(tmp_path)
    small, large = weights.put("s", numbers(2)), weights.put("l", numbers(SIDE, SIDE))
    np.testing.assert_array_equal(numpy_helper.to_array(small), numbers(2))
    assert large.data_location == TensorProto.EXTERNAL and list(large.dims) == [SIDE, SIDE] and large.name == "l"
    for tensor, expected in ((small, numbers(2)), (large, numbers(SIDE, SIDE))):
        np.testing.assert_array_equal(weights.array(tensor), expected)
    assert list(weights.tensors) == ["l"]


def test_only_what_is_kept_is_written(tmp_path: Path) -> None:
    graph = onnx.GraphProto(initializer=[matrix("a", 1), matrix("b", 2), matrix("c", 3)])
    weights = Weights(tmp_path)
    weights.take(graph)
    weights.keep(["c", "a", "nobody"])
    assert list(weights.tensors) == ["a", "c"]
    data = (weights.folder() / FILE).read_bytes()
    assert len(data) == 8192 + SIDE * SIDE * 4 and data.endswith(numbers(SIDE, SIDE, seed=3).tobytes())


def test_numbers_of_types_that_numpy_lacks_are_arrays_too(tmp_path: Path) -> None:
    tensor = helper.make_tensor("q", TensorProto.INT4, [3000], [k % 16 - 8 for k in range(3000)])
    weights = Weights(tmp_path)
    graph = onnx.GraphProto(initializer=[tensor])
    weights.take(graph)
    assert weights.array(graph.initializer[0]).astype(np.int8).tolist() == [k % 16 - 8 for k in range(3000)]
    assert (weights.folder() / FILE).stat().st_size == 1500


def test_numbers_that_lie_beside_the_model_are_read_from_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    onnx.save(_two_products(), file, save_as_external_data=True, location="beside.bin", size_threshold=0)
    graph = onnx.load(file, load_external_data=False).graph
    weights = Weights(tmp_path)
    weights.take(graph)
    for tensor, seed in zip(graph.initializer, (1, 2), strict=True):
        np.testing.assert_array_equal(weights.array(tensor), numbers(SIDE, SIDE, seed=seed))


def test_a_constant_without_its_numbers_is_one_line(tmp_path: Path) -> None:
    tensor = matrix("a")
    tensor.raw_data = tensor.raw_data[:-1]
    with pytest.raises(ModelError, match=r"'a' has no \(40, 40\)"):
        Weights(tmp_path).array(tensor)
    with pytest.raises(ModelError, match=r"'a' has no \(40, 40\)"):
        load(saved(graph_of([node("MatMul", ["x", "a"], "y")], [tensor]), tmp_path / "m.onnx"))


def test_a_cache_that_cannot_be_written_is_one_line(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    with pytest.raises(InputError, match="XDG_CACHE_HOME") as refused:
        folder_of(model)
    assert refused.value.exit_code == 2


def test_weights_in_use_are_not_removed(model: Model, empty_cache: Path) -> None:
    from edgent import cache

    folder = folder_of(model)
    cache.trim(empty_cache, 0, now=folder.stat().st_mtime + 1e6)
    assert (folder / FILE).is_file()


def test_weights_of_a_model_that_is_gone_may_be_removed(model_file: Path, empty_cache: Path) -> None:
    from edgent import cache

    model = load(saved(residual(), model_file))
    folder = model.segment(["x"], [model.branches[0].outputs[0].name]).weights
    del model
    cache.trim(empty_cache, 0, now=folder.stat().st_mtime + 1e6)
    assert not folder.exists()


def test_a_session_answers_though_its_file_is_gone(model: Model) -> None:
    session = Engine().session(model, ["x"], ["y"])
    file = folder_of(model) / FILE
    file.unlink()
    x = np.ones((1, SIDE), np.float32)
    np.testing.assert_allclose(session.run({"x": x})["y"], right(x), rtol=1e-4)
    assert answer(model).shape == (1, SIDE) and file.is_file()


def test_two_bindings_of_one_file_answer_for_themselves(model_file: Path) -> None:
    """A folded constant depends on both dimensions and has as many bytes in either binding."""
    nodes = [
        node("Shape", ["x"], "shape"),
        node("Gather", ["shape", "zero"], "height"),
        node("Range", ["zero", "height", "one"], "rows"),
        node("Unsqueeze", ["rows", "last"], "column"),
        node("Expand", ["column", "shape"], "grid"),
        node("Cast", ["grid"], "floats", to=TensorProto.FLOAT),
        node("Add", ["x", "floats"], "y"),
    ]
    constants = [numpy_helper.from_array(np.array(n), name) for name, n in (("zero", 0), ("one", 1), ("last", [1]))]
    graph = helper.make_graph(
        nodes, "g", [value("x", shape=["height", "width"])], [value("y", shape=["height", "width"])], constants
    )
    saved(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), model_file)
    plain = onnxruntime.InferenceSession(str(model_file))
    for height, width in ((20, 30), (30, 20), (20, 30), (60, 10)):
        x = numbers(height, width)
        model = load(model_file, dims={"height": height, "width": width})
        (refused,) = Engine().session(model, ["x"], ["y"]).run({"x": x}).values()
        np.testing.assert_array_equal(refused, plain.run(None, {"x": x})[0])
