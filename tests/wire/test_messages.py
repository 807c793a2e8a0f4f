"""Our messages against bytes written by hand from the protocol's own definition, and against the stock client's."""

from __future__ import annotations

import numpy as np

from edgent.wire import messages as m


def field(number: int, payload: bytes) -> bytes:
    """A length-delimited protobuf field, from the encoding's specification."""
    assert len(payload) < 128
    return bytes([number << 3 | 2, len(payload)]) + payload


def test_an_inference_request_has_the_protocols_field_numbers():
    request = m.ModelInferRequest(model_name="net", model_version="1", id="7")
    tensor = request.inputs.add(name="x", datatype="FP32", shape=[1, 2])
    tensor.parameters["k"].string_param = "v"
    request.outputs.add(name="y").parameters["q"].bool_param = True
    request.raw_input_contents.append(b"\0" * 8)
    parameter = field(1, b"k") + field(2, field(3, b"v"))
    assert request.SerializeToString() == (
        field(1, b"net")
        + field(2, b"1")
        + field(3, b"7")
        + field(5, field(1, b"x") + field(2, b"FP32") + field(3, bytes([1, 2])) + field(4, parameter))
        + field(6, field(1, b"y") + field(2, field(1, b"q") + field(2, bytes([1 << 3, 1]))))
        + field(7, b"\0" * 8)
    )


def test_typed_contents_are_fields_of_their_own():
    contents = m.ModelInferRequest.InferInputTensor(name="x").contents
    contents.fp32_contents.extend([1.0, -2.0])
    assert contents.SerializeToString() == field(6, np.array([1, -2], "<f4").tobytes())


def test_an_inference_response_has_the_protocols_field_numbers():
    response = m.ModelInferResponse(model_name="net", model_version="1")
    response.outputs.add(name="y", datatype="FP32", shape=[1])
    response.raw_output_contents.append(b"\0" * 4)
    assert response.SerializeToString() == (
        field(1, b"net")
        + field(2, b"1")
        + field(5, field(1, b"y") + field(2, b"FP32") + field(3, bytes([1])))
        + field(6, b"\0" * 4)
    )


def test_metadata_have_the_protocols_field_numbers():
    model = m.ModelMetadataResponse(name="net", versions=["1", "2"], platform="p")
    model.inputs.add(name="x", datatype="FP32", shape=[3])
    model.outputs.add(name="y")
    tensor = field(1, b"x") + field(2, b"FP32") + field(3, bytes([3]))
    assert model.SerializeToString() == (
        field(1, b"net")
        + field(2, b"1")
        + field(2, b"2")
        + field(3, b"p")
        + field(4, tensor)
        + field(5, field(1, b"y"))
    )
    server = m.ServerMetadataResponse(name="s", version="1", extensions=["e"])
    assert server.SerializeToString() == field(1, b"s") + field(2, b"1") + field(3, b"e")


def test_a_healthy_server_says_serving_as_the_health_protocol_numbers_it():
    assert m.HealthCheckResponse(status=m.SERVING).SerializeToString() == bytes([1 << 3, 1])


def test_the_same_names_may_be_registered_by_somebody_else():
    """Building them again in another private pool does not clash; tritonclient's live in the default one."""
    from google.protobuf import descriptor_pool

    from edgent.wire.protobuf import build

    assert build("inference", {"ServerLiveRequest": ()})["ServerLiveRequest"] is not m.ServerLiveRequest
    try:
        descriptor_pool.Default().FindMessageTypeByName("inference.ModelInferRequest")
    except KeyError:
        return
    raise AssertionError("our messages are in the default pool")
