"""A real edge over 127.0.0.1 with the shipped model; the oracle is the whole model in ONNX Runtime, undivided."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgent.codec import encode_image, encode_tensor, normalise
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import EdgeError, InputError, RefusedError
from edgent.lab.boards.emulation import Emulated
from edgent.model import segment_name
from edgent.testing import FakeEngine, FakeLink, ManualClock
from edgent.wire import messages as m
from edgent.wire.edge_client import EdgeClient
from edgent.wire.errors import NotServedError
from edgent.wire.grpc_channel import GrpcChannel
from edgent.wire.tensors import Parcel, raw_array, raw_parcel, read_outputs, write_request
from shared_fixtures import make_profile


@pytest.fixture(scope="module")
def whole(model, picture):
    names = [tensor.name for branch in model.branches for tensor in branch.outputs]
    return Engine().session(model, [model.inputs[0].name], names).run({model.inputs[0].name: picture})


def infer(channel, name, version, parcels, outputs, expected, timeout=20.0):
    reply = channel.call(m.MODEL_INFER, write_request(name, version, parcels, outputs), timeout)
    return {parcel.tensor.name: raw_array(parcel) for parcel in read_outputs(reply.body, expected)}


def close(found, expected):
    return np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def test_the_whole_model_answers_with_all_its_outputs(model, picture, whole, channel):
    answers = [tensor for branch in model.branches for tensor in branch.outputs]
    found = infer(channel, model.name, "", [raw_parcel(model.inputs[0], picture)], [], answers)
    assert all(close(found[name], whole[name]) for name in whole)


@pytest.mark.parametrize(("exit", "upload", "download"), [(0, 0, 12), (4, 0, 22), (4, 3, 22), (2, 0, 10), (3, 4, 13)])
def test_head_middle_and_suffix_together_are_the_whole(model, picture, whole, channel, exit, upload, download):
    branch, engine = model.branch(exit), Engine()
    (up, down), known = branch.boundary(upload, download), {model.inputs[0].name: picture}
    if upload:
        known |= engine.session(model, [model.inputs[0].name], [t.name for t in up]).run(known)
    name = segment_name(model.name, exit, upload, download)
    found = infer(channel, name, model.version, [raw_parcel(t, known[t.name]) for t in up], [], down)
    if download < len(branch.layers):
        found = engine.session(model, [t.name for t in down], [branch.outputs[0].name]).run(found)
    assert close(found[branch.outputs[0].name], whole[branch.outputs[0].name])


def test_a_coded_boundary_is_decoded_and_the_answer_coded_as_asked(model, picture, whole, channel):
    (up, down) = model.branch(4).boundary(0, 10)
    parcel = Parcel(
        tensor=up[0], codec="float16+zstd", shape=picture.shape, data=encode_tensor("float16+zstd", picture)
    )
    name = segment_name(model.name, 4, 0, 10)
    reply = channel.call(m.MODEL_INFER, write_request(name, "", [parcel], [(down[0].name, "uint8")]), 20.0)
    (answer,) = read_outputs(reply.body, down)
    assert answer.codec == "uint8"
    assert len(answer.data) == np.prod(down[0].shape) + 8


def test_an_image_is_prepared_by_the_edge(model, channel):
    pixels = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    tensor, branch = model.inputs[0], model.branch(4)
    sent = Parcel(tensor=tensor, codec="png", shape=tensor.shape, data=encode_image("png", pixels))
    prepared = raw_parcel(tensor, normalise(pixels, model.metadata.preprocessing))
    name = segment_name(model.name, 4, 0, 22)
    image, raw = (infer(channel, name, "", [parcel], [], branch.outputs)["exit4"] for parcel in (sent, prepared))
    assert np.array_equal(image, raw)


def test_headers_come_before_the_body_and_tell_queue_and_middle(model, picture, channel):
    request = write_request(model.name, "", [raw_parcel(model.inputs[0], picture)], [])
    reply = channel.call(m.MODEL_INFER, request, 20.0)
    assert 0 < reply.notes.queue + reply.notes.middle < reply.notes_at - reply.sent_at
    assert reply.notes_at <= reply.body_at


def _tensors(model, **changes):
    request = m.ModelInferRequest(model_name="b-alexnet")
    entry = request.inputs.add(**{"name": "image", "datatype": "FP32", "shape": [1, 3, 32, 32], **changes})
    return request, entry


def _refused(channel, request):
    with pytest.raises(RefusedError) as caught:
        channel.call(m.MODEL_INFER, request.SerializeToString(), 20.0)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_typed_contents_are_taken_as_raw_ones_are(model, picture, whole, channel):
    request, entry = _tensors(model)
    entry.contents.fp32_contents.extend(picture.ravel().tolist())
    reply = channel.call(m.MODEL_INFER, request.SerializeToString(), 20.0)
    answers = [tensor for branch in model.branches for tensor in branch.outputs]
    assert close(raw_array(read_outputs(reply.body, answers)[4]), whole["exit4"])


@pytest.mark.parametrize(
    ("changes", "size", "words"),
    [
        ({"datatype": "INT64"}, 12288, ["INT64", "FP32"]),
        ({"shape": [1, 3, 31, 32]}, 12288, ["[1, 3, 31, 32]", "[1, 3, 32, 32]"]),
        ({"shape": [1, 3, 32, -32]}, 12288, ["[1, 3, 32, 32]"]),
        ({}, 12287, ["12287", "12288"]),
        ({"name": "picture"}, 12288, ["picture", "image"]),
    ],
)
def test_a_tensor_of_wrong_type_shape_size_or_name_is_refused_saying_what_was_expected(
    model, channel, changes, size, words
):
    request, _ = _tensors(model, **changes)
    request.raw_input_contents.append(bytes(size))
    message = _refused(channel, request)
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("codec", "payload", "words"),
    [
        ("mp3", b"abc", "mp3"),
        ("uint8", b"abc", "uint8"),
        ("png", b"no picture", "picture"),
        ("float32+zstd", b"no zstd", "zstd"),
    ],
)
def test_a_payload_that_its_codec_did_not_make_is_refused(model, channel, codec, payload, words):
    request, entry = _tensors(model, datatype="BYTES", shape=[1])
    entry.parameters[m.CODEC].string_param = codec
    request.raw_input_contents.append(len(payload).to_bytes(4, "little") + payload)
    assert words in _refused(channel, request)


def test_a_stated_length_that_is_not_the_payloads_is_refused(model, channel):
    request, entry = _tensors(model, datatype="BYTES", shape=[1])
    entry.parameters[m.CODEC].string_param = "uint8"
    request.raw_input_contents.append((99).to_bytes(4, "little") + b"abc")
    assert "99" in _refused(channel, request)


def test_no_tensor_too_many_contents_or_an_unknown_output_are_refused(model, picture, channel):
    assert "none" in _refused(channel, m.ModelInferRequest(model_name="b-alexnet"))
    request, _ = _tensors(model)
    request.raw_input_contents.extend([picture.tobytes()] * 2)
    assert "2 raw contents" in _refused(channel, request)
    request, _ = _tensors(model)
    request.raw_input_contents.append(picture.tobytes())
    request.outputs.add(name="exit9")
    assert "exit9" in _refused(channel, request)


@pytest.mark.parametrize("name", ["resnet", "b-alexnet.x9.u0.d3", "b-alexnet.x0.u5.d3", "b-alexnet.x0.u3.d3", ""])
def test_what_is_not_served_is_said_to_be_not_served(channel, name):
    with pytest.raises(NotServedError):
        channel.call(m.MODEL_INFER, m.ModelInferRequest(model_name=name).SerializeToString(), 20.0)


def test_another_version_is_refused_naming_both(model, channel):
    request = m.ModelInferRequest(model_name="b-alexnet", model_version="0123456789ab")
    message = _refused(channel, request)
    assert "0123456789ab" in message
    assert model.version in message


def test_garbage_is_refused_and_the_next_request_is_answered(model, channel):
    with pytest.raises(RefusedError):
        channel.call(m.MODEL_INFER, b"\xff\xff\xff", 20.0)
    assert m.ServerLiveResponse.FromString(channel.call(m.SERVER_LIVE, b"", 20.0).body).live


def test_an_unknown_method_is_another_protocol(channel):
    with pytest.raises(RefusedError, match="another protocol"):
        channel.call("/inference.GRPCInferenceService/ModelTrain", b"", 20.0)


def test_metadata_tell_the_extension_and_the_tensors_of_any_segment(model, channel):
    assert "edgent" in EdgeClient(channel).extensions(20.0)
    request = m.ModelMetadataRequest(name="b-alexnet.x4.u3.d22")
    found = m.ModelMetadataResponse.FromString(channel.call(m.MODEL_METADATA, request.SerializeToString(), 20.0).body)
    (up, down) = model.branch(4).boundary(3, 22)
    assert [(t.name, t.datatype, tuple(t.shape)) for t in found.inputs] == [(up[0].name, "FP32", up[0].shape)]
    assert [t.name for t in found.outputs] == [down[0].name]
    assert list(found.versions) == [model.version]


def test_readiness_is_that_of_the_name(channel):
    remote = EdgeClient(channel)
    assert remote.ready("b-alexnet", 20.0)
    assert remote.ready("b-alexnet.x1.u0.d16", 20.0)
    assert not remote.ready("b-alexnet.x1.u0.d17", 20.0)


def test_health_is_that_of_grpc(channel):
    request = m.HealthCheckRequest(service="inference.GRPCInferenceService")
    reply = channel.call(m.HEALTH, request.SerializeToString(), 20.0)
    assert m.HealthCheckResponse.FromString(reply.body).status == m.SERVING
    with pytest.raises(NotServedError):
        channel.call(m.HEALTH, m.HealthCheckRequest(service="nobody").SerializeToString(), 20.0)


def test_the_model_can_be_fetched_as_it_is(model, channel):
    files = EdgeClient(channel).fetch("model", model.name, model.digest)
    ((name, size, pieces),) = [(file.name, file.size, list(file.pieces)) for file in files]
    assert name == "b-alexnet.onnx" and size == model.path.stat().st_size
    assert b"".join(pieces) == model.path.read_bytes()
    assert max(map(len, pieces)) <= 1 << 18
    with pytest.raises(NotServedError, match="profile"):
        EdgeClient(channel).document("profile", model.name, "")


def test_another_digest_is_refused_naming_both_at_every_method(model, channel):
    other = "0" * 64
    for version in (other[:12], other, model.digest[:13], model.digest[:11], model.digest.upper()):
        with pytest.raises(RefusedError, match=rf"in version {model.version}, asked for was {version[:12]}:"):
            list(EdgeClient(channel).fetch("model", model.name, version))
        with pytest.raises(RefusedError, match=rf"{model.version}.*{version[:12]}"):
            EdgeClient(channel).infer(model.name, version, [], [], budget=20.0)
        with pytest.raises(RefusedError, match=rf"{model.version}.*{version[:12]}"):
            EdgeClient(channel).prepare("b-alexnet.x0.u0.d1", version, 20.0)


def test_a_digest_that_begins_as_the_models_does_is_another(model, channel):
    digest = model.version + "0" * 52
    with pytest.raises(RefusedError, match="different models"):
        list(EdgeClient(channel).fetch("model", model.name, digest))


def test_the_version_the_digest_and_nothing_are_accepted(model, channel):
    for version in ("", model.version, model.digest):
        assert next(EdgeClient(channel).fetch("model", model.name, version)).name == "b-alexnet.onnx"


def test_a_probe_carries_what_it_was_told_to(channel):
    timed = EdgeClient(channel).probe(1000, 3000, 20.0)
    assert timed.bytes_up >= 1000
    assert len(timed.body) >= 3000
    with pytest.raises(RefusedError):
        EdgeClient(channel).probe(0, 1 << 40, 20.0)


def test_an_edge_reports_what_each_model_has_answered_and_how_long_that_took(model, picture):
    with Edge(model, port=0) as edge:
        channel = GrpcChannel(edge.address, max_message=1 << 20)
        remote = EdgeClient(channel)
        (before,) = remote.report(20.0)
        parcel = raw_parcel(model.inputs[0], picture)
        name = segment_name(model.name, 0, 0, len(model.branches[0].layers))
        answers = [remote.infer(name, model.version, [parcel], [], budget=20.0) for _ in range(3)]
        with pytest.raises(RefusedError):
            remote.infer(name, "0" * 12, [parcel], [], budget=20.0)
        (after,) = remote.report(20.0)
        channel.close()
    assert (before.answered, before.middle) == (0, 0.0)
    assert (after.name, after.answered, after.turned_away) == (model.name, 3, 0)
    assert after.middle == pytest.approx(sum(answer.middle for answer in answers), abs=1e-5)


def test_a_taken_port_is_said_to_be_taken(edge, model):
    with pytest.raises(EdgeError, match="cannot listen"):
        Edge(model, port=int(edge.address.rpartition(":")[2])).start()


def test_a_profile_of_other_layers_than_a_model_has_is_refused_at_the_door(model):
    whole = make_profile(model)
    *others, last = whole.branches
    fewer = replace(last, layers=(last.whole.median / 2,) * 2)
    with pytest.raises(InputError, match=r"found 2 layers of exit \d, expected \d+: measure it again"):
        Edge(model, profiles=[replace(whole, branches=(*others, fewer))])


@pytest.mark.parametrize("segment", ["b-alexnet.x4.u0.d22", "b-alexnet.x0.u0.d12"])
def test_a_probe_may_have_a_part_run_and_says_how_long_that_took(segment):
    clock, model = ManualClock(), load("b-alexnet")
    times = make_profile(model, layer=0.01)
    pace = Emulated("edge", clock=clock)
    edge = Edge(model, profiles=[times], engine=FakeEngine(), pace=pace, clock=clock)
    remote = EdgeClient(FakeLink(edge.service.methods(), clock=clock))
    layers = int(segment.rpartition("d")[2])
    assert remote.probe(0, 0, 10.0).middle == pytest.approx(0.0, abs=1e-3)
    tried = remote.probe(0, 0, 10.0, version=model.version, segment=segment)
    assert tried.middle == pytest.approx(0.01 * layers, abs=1e-3)
    with pytest.raises(RefusedError):
        remote.probe(0, 0, 10.0, version=model.version, segment="b-alexnet.x9.u0.d1")
