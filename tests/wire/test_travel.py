"""Tensors of every kind between a device and an edge: what can travel does, and answers as plain ONNX Runtime does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto as T
from onnx import helper as h

import kinds
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.errors import InputError, ModelError, RefusedError
from edgent.planning.candidates import Candidates
from edgent.planning.costs import BranchCosts
from edgent.planning.plan import Configuration
from edgent.testing import FakeLink
from edgent.wire import messages as m
from edgent.wire.tensors import datatype
from real_time import until
from shared_fixtures import make_profile

X = np.float32([[-1, 0.25, 3, 0.75], [0.5, -2, 0, 1]])
NOTHING = -np.abs(X)
QUANTISE = {
    "there": ("QuantizeLinear", ["r", "s", "zero"], ["m"]),
    "back": ("DequantizeLinear", ["m", "s", "zero"], ["z"]),
}


def eight_bits(folder: Path) -> Path:
    zero = h.make_tensor("zero", T.FLOAT8E4M3FN, [], [0.0])
    there, back = (h.make_node(*one) for one in QUANTISE.values())
    return kinds.between(folder, "fp8", there, back, [kinds.constant("s", np.float32(0.05)), zero])


def four_bits(folder: Path) -> Path:
    zero = h.make_tensor("zero", T.INT4, [], [0])
    there, back = (h.make_node(*one) for one in QUANTISE.values())
    return kinds.between(folder, "int4", there, back, [kinds.constant("s", np.float32(0.5)), zero])


# name: the file, and a type that stands in the refusal; `m` is the tensor that cannot travel
STUCK: dict[str, tuple[Callable[[Path], Path], str]] = {
    "bfloat16": (lambda folder: kinds.cast(folder, T.BFLOAT16), "bfloat16"),
    "float8 e5m2": (lambda folder: kinds.cast(folder, T.FLOAT8E5M2), "float8_e5m2"),
    "float8 quantised": (eight_bits, "float8_e4m3fn"),
    "uint4": (lambda folder: kinds.cast(folder, T.UINT4), "uint4"),
    "int4 quantised": (four_bits, "int4"),
    "float4": (lambda folder: kinds.cast(folder, T.FLOAT4E2M1), "float4"),
    "sequence": (kinds.sequence, "sequence"),
    "optional": (kinds.optional, "optional"),
}


@pytest.fixture(params=STUCK)
def stuck(request, tmp_path):
    make, word = STUCK[request.param]
    return load(make(tmp_path)), word


@pytest.fixture
def joined(clock):
    """Makes a device of a model, with an edge behind a link in this process."""
    devices = []

    def join(model, **settings):
        link = FakeLink(Edge(model, clock=clock).service.methods(), clock=clock)
        told = {"deadline": 60.0, "bandwidth": 1e9, "round_trip": 1e-3, "clock": clock}
        devices.append(Device(model, channel=link, **told, **settings))
        assert devices[-1].wait_ready(60.0)
        return devices[-1]

    yield join
    for device in devices:
        device.close()


def ask(device, feeds, upload, download, **codecs):
    configuration = Configuration(exit=0, upload_cut=upload, download_cut=download, **codecs)
    return device.infer(feeds, configuration=configuration, race=False)


def pairs(model):
    n = len(model.branches[0].layers)
    return [(upload, download) for upload in range(n) for download in range(upload + 1, n + 1)]


def same(found, right):
    return found.dtype == right.dtype and found.shape == right.shape and np.array_equal(found, right)


def test_a_cut_where_something_crosses_that_cannot_travel_is_refused_by_both_sides_and_never_offered(
    stuck, joined, clock
):
    model, word = stuck
    branch = model.branches[0]
    position = next(k for k, layer in enumerate(branch.layers, 1) if "m" in layer.outputs)
    device, refused = joined(model), []
    for upload, download in pairs(model):
        obstacle = branch.obstacle(upload, download)
        assert branch.divisible[upload, download] == (not obstacle)
        if position in (upload, download):
            refused.append((upload, download))
            assert ("'m'" in obstacle and word in obstacle) or "quantised operator" in obstacle
            assert "\n" not in obstacle
            with pytest.raises(ModelError) as caught:
                ask(device, X, upload, download)
            assert str(caught.value) == obstacle
    edge = Edge(model, clock=clock).service.methods()
    for upload, download in refused:
        message = m.ModelInferRequest(model_name=f"{model.name}.x0.u{upload}.d{download}")
        with pytest.raises(RefusedError) as caught:
            FakeLink(edge, clock=clock).call(m.MODEL_INFER, message.SerializeToString(), 10.0)
        assert branch.obstacle(upload, download) in str(caught.value)
    assert refused


@pytest.mark.parametrize("name", ["bfloat16", "sequence", "optional", "float8 quantised"])
def test_the_other_cuts_of_such_a_file_answer_as_the_whole(name, tmp_path, joined):
    path = STUCK[name][0](tmp_path)
    model = load(path)
    right, device = kinds.plain(path, {"x": X})["y"], joined(model)
    usable = [pair for pair in pairs(model) if model.branches[0].divisible[pair]]
    assert len(usable) >= 1
    for pair in usable:
        answer = ask(device, X, *pair)
        assert answer.record.by == "edge"
        assert same(answer.outputs["y"], right)


def test_what_travels_is_what_the_protocol_has_a_type_for():
    import onnx

    from edgent.model.values import Tensor

    names = {str(onnx.helper.tensor_dtype_to_np_dtype(kind).name) for kind in T.DataType.values() if kind not in (0, 8)}
    for name in (*names, "string", None, "complex64"):
        tensor = Tensor(name="t", dtype=name, shape=(1,))
        try:
            datatype(tensor)
        except InputError:
            assert not tensor.travels
        else:
            assert tensor.travels


def test_an_answer_that_cannot_travel_is_made_by_the_device_alone_or_by_its_suffix(tmp_path, joined):
    path = kinds.sequence_answer(tmp_path)
    model = load(path)
    right, device = kinds.plain(path, {"x": X})["y"], joined(model)
    assert not model.branches[0].divisible[0, 2]
    assert not model.branches[0].divisible[1, 2]
    for pair, by in {(0, 1): "edge", (2, 2): "device"}.items():
        answer = ask(device, X, *pair)
        assert answer.record.by == by
        assert all(map(same, answer.outputs["y"], right))
    with pytest.raises(ModelError, match="'y' of type sequence"):
        ask(device, X, 0, 2)


def test_a_classifier_with_maps_runs_whole_and_with_its_maps_made_by_the_suffix(tmp_path, joined):
    path = kinds.maps(tmp_path)
    model, x = load(path), np.float32([[1, 2]])
    right, device = kinds.plain(path, {"x": x}), joined(model)
    for pair, by in {(0, 1): "edge", (2, 2): "device"}.items():
        answer = ask(device, x, *pair)
        assert answer.record.by == by
        assert answer.outputs["label"].tolist() == right["label"].tolist()
        assert answer.outputs["maps"] == right["maps"]
    assert not model.branches[0].divisible[0, 2]


def test_a_stock_client_gets_the_answers_that_can_travel_and_is_told_of_no_other(tmp_path, clock):
    model = load(kinds.maps(tmp_path))
    link = FakeLink(Edge(model, clock=clock).service.methods(), clock=clock)
    told = m.ModelMetadataResponse.FromString(
        link.call(m.MODEL_METADATA, m.ModelMetadataRequest(name=model.name).SerializeToString(), 10.0).body
    )
    assert [output.name for output in told.outputs] == ["label"]
    request = m.ModelInferRequest(model_name=model.name, raw_input_contents=[np.float32([1, 2]).tobytes()])
    request.inputs.add(name="x", datatype="FP32", shape=[1, 2])
    reply = m.ModelInferResponse.FromString(link.call(m.MODEL_INFER, request.SerializeToString(), 10.0).body)
    assert [output.name for output in reply.outputs] == ["label"]
    request.outputs.add(name="maps")
    with pytest.raises(RefusedError, match="makes no output 'maps'"):
        link.call(m.MODEL_INFER, request.SerializeToString(), 10.0)


@pytest.mark.parametrize(
    ("make", "word"), [(kinds.sequence_answer, "none of its answers"), (None, "input 'x' of type bfloat16")]
)
def test_a_whole_model_that_nothing_can_be_sent_to_or_from_is_not_served(tmp_path, make, word, clock):
    if make is None:
        nodes = [h.make_node("Cast", ["x"], ["y"], to=T.FLOAT)]
        ends = [kinds.tensor("x", T.BFLOAT16, [2])], [kinds.tensor("y", T.FLOAT, [2])]
        path = kinds.saved(tmp_path, nodes, *ends, name="given")
    else:
        path = make(tmp_path)
    link = FakeLink(Edge(load(path), clock=clock).service.methods(), clock=clock)
    with pytest.raises(RefusedError, match=word):
        link.call(m.MODEL_INFER, m.ModelInferRequest(model_name=path.stem).SerializeToString(), 10.0)


TEXTS = {
    "objects": np.array([["a", "bé", "?"]], dtype=object),
    "unicode": np.array([["a", "bé", "?"]]),
    "bytes": np.array([[b"a", "bé".encode(), b"?"]]),
    "bytes as objects": np.array([[b"a", "bé", "?"]], dtype=object),
}


@pytest.mark.parametrize("form", TEXTS)
def test_text_given_in_any_form_of_numpy_travels(form, tmp_path, joined):
    path = kinds.text_in(tmp_path)
    right = kinds.plain(path, {"t": TEXTS["objects"]})["y"]
    device = joined(load(path))
    for pair in ((0, 2), (0, 1), (1, 2), (2, 2)):
        assert same(ask(device, TEXTS[form], *pair).outputs["y"], right)


@pytest.mark.parametrize("make", [kinds.text_out, kinds.text_between])
def test_text_travels_as_answer_and_as_boundary_in_both_directions(make, tmp_path, joined):
    path = make(tmp_path)
    model = load(path)
    x = np.int64([[0, 1, 0], [1, 0, 0]]) if make is kinds.text_between else np.stack([X[0], X[1] - 9])
    right, device = kinds.plain(path, {"x": x})["y"], joined(model)
    for pair in pairs(model):
        assert same(ask(device, x, *pair).outputs["y"], right)
        assert same(ask(device, x, *pair, codec="uint8", download_codec="uint8+zstd").outputs["y"], right)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (np.array([[1, "a", "b"]], dtype=object), "element of type int"),
        (np.array([["a", "b", b"\xff"]], dtype=object), "no UTF-8"),
        (np.array([["a", "b"]]), "shape"),
        (np.int64([[1, 2, 3]]), "type int64, expected string"),
    ],
)
def test_what_is_no_such_text_is_refused_in_one_line(text, word, tmp_path, joined):
    with pytest.raises(InputError, match=word):
        ask(joined(load(kinds.text_in(tmp_path))), text, 0, 2)


def test_text_that_utf8_cannot_write_is_answered_by_nobody_and_refused_in_one_line(tmp_path, joined):
    with pytest.raises(InputError, match="UTF-8"):
        ask(joined(load(kinds.text_in(tmp_path))), np.array([["a", "b", "\ud800"]], dtype=object), 0, 2)


SHAPES = [kinds.non_zero, kinds.compress, kinds.unique, kinds.boxes]


@pytest.mark.parametrize("make", SHAPES)
def test_a_shape_that_depends_on_the_data_travels_with_the_data_also_where_nothing_is_left(make, tmp_path, joined):
    path = make(tmp_path)
    model = load(path)
    device, lengths = joined(model), set()
    for array in (X, NOTHING, np.zeros_like(X)):
        x = array.reshape(1, 1, 8)[..., :6] if make is kinds.boxes else array
        right = kinds.plain(path, {"x": x})["y"]
        lengths.add(right.shape[0])
        for pair in pairs(model):
            answer = ask(device, x, *pair)
            assert answer.record.by == "edge"
            assert same(answer.outputs["y"], right)
    assert len(lengths) >= 2


@pytest.mark.parametrize("codec", ["uint8", "float16+zstd"])
def test_a_floating_tensor_of_unknown_shape_crosses_raw_whatever_codec_is_given(codec, tmp_path, joined):
    path = kinds.compress(tmp_path)
    model, right = load(path), kinds.plain(path, {"x": X})["y"]
    device = joined(model)
    made = next(k for k, layer in enumerate(model.branches[0].layers, 1) if "c" in layer.outputs)
    assert same(ask(device, X, made, len(model.branches[0].layers), codec=codec).outputs["y"], right)
    assert same(ask(device, X, made - 1, made, download_codec=codec).outputs["y"], right)


def test_numbers_in_the_other_byte_order_are_the_same_numbers(tmp_path, joined):
    path = kinds.compress(tmp_path)
    model, right = load(path), kinds.plain(path, {"x": X})["y"]
    device = joined(model)
    for pair in ((0, 1), (0, len(model.branches[0].layers)), (1, 1)):
        assert same(ask(device, X.astype(">f4"), *pair).outputs["y"], right)


@pytest.mark.parametrize("make", [kinds.non_zero, kinds.text_between, kinds.sequence])
def test_all_of_it_over_a_real_connection(make, tmp_path):
    path = make(tmp_path)
    model = load(path)
    x = np.int64([[0, 1, 0], [1, 0, 0]]) if make is kinds.text_between else X
    right = kinds.plain(path, {"x": x})["y"]
    with Edge(model, port=0) as edge, Device(model, edge=edge.address, deadline=60.0) as device:
        assert until(lambda: device.wait_ready(60.0))
        for pair in pairs(model):
            if model.branches[0].divisible[pair]:
                assert same(ask(device, x, *pair).outputs["y"], right)


@pytest.mark.parametrize("name", ["bfloat16", "float8 quantised", "sequence"])
def test_the_planner_is_offered_the_cuts_that_can_be_used_and_whose_sizes_are_known_and_no_other(name, tmp_path):
    model = load(STUCK[name][0](tmp_path))
    table = Candidates.build(model, make_profile(model), make_profile(model))
    priced = [table.configurations[row] for row in range(len(table))]
    found = {(one.upload_cut, one.download_cut) for one in priced}
    branch, n = model.branches[0], len(model.branches[0].layers)
    sized = {p for p in pairs(model) if all(t.nbytes is not None for side in branch.boundary(*p) for t in side)}
    assert found == {p for p in sized if not branch.obstacle(*p)} | {(n, n)}


def test_costs_for_another_number_of_layers_are_refused(tmp_path):
    layers = np.ones(3)
    with pytest.raises(InputError, match=r"divisible has shape \(3, 3\), expected \(4, 4\)"):
        BranchCosts(exit=0, accuracy=None, device=layers, edge=layers, divisible=np.ones((3, 3), dtype=np.bool_))
