"""Triton's own client against our edge. Run in an environment of its own that has `tritonclient[grpc]`, not Edgent.

    python stock_client.py ADDRESS EXPECTED.npz SRC

EXPECTED.npz holds "image" and the model's outputs; SRC is the folder of our sources, of which only the messages are
imported, beside the client's own: both register the same names.
"""

from __future__ import annotations

import sys

import numpy as np
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2


def inputs_of(image: np.ndarray, *, typed: bool = False) -> list:
    tensor = triton.InferInput("image", list(image.shape), "FP32")
    tensor.set_data_from_numpy(image)
    if typed:
        tensor._raw_content = None
        tensor._input.contents.fp32_contents.extend(image.ravel().tolist())
    return [tensor]


def check_inference(client, expected) -> None:
    image = expected["image"]
    names = [name for name in expected.files if name != "image"]
    for result in (
        client.infer("b-alexnet", inputs_of(image)),
        client.infer("b-alexnet", inputs_of(image), client_timeout=20.0, request_id="7"),
        client.infer("b-alexnet", inputs_of(image), outputs=[triton.InferRequestedOutput(name) for name in names]),
        client.infer("b-alexnet", inputs_of(image, typed=True)),
    ):
        for name in names:
            np.testing.assert_allclose(result.as_numpy(name), expected[name], rtol=1e-4, atol=1e-4)
    last = client.infer("b-alexnet.x4.u0.d22", inputs_of(image))
    np.testing.assert_allclose(last.as_numpy("exit4"), expected["exit4"], rtol=1e-4, atol=1e-4)


def check_metadata(client) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("b-alexnet")
    assert not client.is_model_ready("resnet")
    assert "edgent" in client.get_server_metadata().extensions
    model = client.get_model_metadata("b-alexnet")
    assert [(t.name, t.datatype, list(t.shape)) for t in model.inputs] == [("image", "FP32", [1, 3, 32, 32])]
    assert len(model.outputs) == 5
    assert client.is_model_ready("b-alexnet", model.versions[0])


def check_refusals(client, image) -> None:
    for name, version, given in (
        ("resnet", "", image),
        ("b-alexnet", "1", image),
        ("b-alexnet", "", image[:, :, :31]),
    ):
        try:
            client.infer(name, inputs_of(given), model_version=version)
        except triton.InferenceServerException as error:
            assert "\n" not in error.message()
            continue
        raise AssertionError(f"{name} {version!r} was answered")


def check_messages(src: str) -> int:
    """Every field that we know has the stock client's name, number, type and label; and both read each other."""
    sys.path.insert(0, src)
    from edgent.wire import messages

    names = [name for name in vars(messages) if name.endswith(("Request", "Response")) and hasattr(service_pb2, name)]
    for name in names:
        ours, theirs = getattr(messages, name).DESCRIPTOR, getattr(service_pb2, name).DESCRIPTOR
        assert fields(ours) == fields(theirs), name
    made = service_pb2.ModelInferRequest(model_name="a", raw_input_contents=[b"12"])
    made.inputs.add(name="x", datatype="FP32", shape=[1]).parameters["k"].double_param = 0.5
    read = messages.ModelInferRequest.FromString(made.SerializeToString())
    assert service_pb2.ModelInferRequest.FromString(read.SerializeToString()) == made
    return len(names)


def fields(message) -> set:
    found = {(f.name, f.number, f.type, f.is_repeated) for f in message.fields}
    for field in message.fields:
        if field.message_type is not None:
            found |= {(field.name, *inner) for inner in fields(field.message_type)}
    return found


def main() -> None:
    address, expected_file, src = sys.argv[1:]
    expected = np.load(expected_file)
    client = triton.InferenceServerClient(address)
    check_metadata(client)
    check_inference(client, expected)
    check_refusals(client, expected["image"])
    client.close()
    sys.stdout.write(f"the stock client is content; {check_messages(src)} messages are its own\n")


if __name__ == "__main__":
    main()
