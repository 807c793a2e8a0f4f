from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import onnxruntime
import pytest

from edgent.codec import encode_image, normalise
from edgent.engine.loading import load
from edgent.errors import EdgeError, InputError
from edgent.lab.rivals.rival import Classifier, Rival, RivalServer, preprocessing_of
from edgent.model import Model
from edgent.model.files.named import SHIPPED
from edgent.units import Seconds


@pytest.fixture(scope="module")
def model() -> Model:
    return load("b-alexnet")


@pytest.fixture(scope="module")
def server(model: Model) -> Iterator[RivalServer]:
    with RivalServer(Classifier(model)) as server:
        yield server


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.load(SHIPPED / "cifar10-256.npz")["pixels"][:4]


def rival(server: RivalServer, model: Model, codec: str, **options: object) -> Rival:
    return Rival(server.address, codec=codec, preprocessing=preprocessing_of(model), **options)  # type: ignore[arg-type]


def test_a_lossless_picture_gets_the_answer_of_the_undivided_model_file(
    server: RivalServer, model: Model, pixels: np.ndarray
) -> None:
    whole = onnxruntime.InferenceSession(model.path)
    with rival(server, model, "png") as client:
        for picture in pixels:
            tensor = normalise(picture, preprocessing_of(model))
            expected = whole.run([model.branches[-1].outputs[0].name], {model.inputs[0].name: tensor})[0]
            answer = client.ask(encode_image("webp-lossless", picture))
            np.testing.assert_allclose(answer.scores, expected.reshape(-1), rtol=1e-4, atol=1e-5)


def test_source_sends_the_pictures_own_bytes_and_a_codec_sends_its_own(
    server: RivalServer, model: Model, pixels: np.ndarray
) -> None:
    picture = encode_image("png", pixels[0])
    with rival(server, model, "source") as as_it_is, rival(server, model, "webp-80") as coded:
        assert as_it_is.ask(picture).bytes_up == len(picture) + 4
        assert coded.ask(picture).bytes_up == len(encode_image("webp-80", pixels[0])) + 4


def test_encoding_is_held_to_the_devices_pace(server: RivalServer, model: Model, pixels: np.ndarray) -> None:
    held = []

    class Noting:
        def hold(self, started_at: Seconds, seconds: float) -> None:
            held.append(seconds)

    with rival(server, model, "webp-80", pace=Noting(), seconds=0.123) as client:
        answer = client.ask(encode_image("png", pixels[0]))
    assert held == [0.123]
    assert 0 <= answer.encode <= answer.total


def test_what_is_no_picture_is_refused_and_the_connection_lives_on(
    server: RivalServer, model: Model, pixels: np.ndarray
) -> None:
    with rival(server, model, "source") as client:
        with pytest.raises(InputError, match="could not read"):
            client.ask(b"no picture")
        assert client.ask(encode_image("png", pixels[0])).scores.shape == (10,)


def test_a_server_that_is_not_there_is_an_edge_error(model: Model, pixels: np.ndarray) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # and never listens
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        client = Rival(address, codec="source", preprocessing=preprocessing_of(model))
        with pytest.raises(EdgeError, match="does not answer"):
            client.ask(encode_image("png", pixels[0]))


def test_a_message_of_absurd_length_ends_the_connection(server: RivalServer) -> None:
    host, port = server.address.split(":")
    with socket.create_connection((host, int(port)), 10) as sock:
        sock.sendall(b"\xff\xff\xff\xff")
        assert sock.recv(1) == b""


def test_as_a_process_it_says_where_it_listens_in_one_json_line(model: Model, pixels: np.ndarray) -> None:
    command = [sys.executable, "-m", "edgent.lab.rivals.rival", "--model", "b-alexnet", "--exit", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            with Rival(ready["address"], codec="png", preprocessing=preprocessing_of(model)) as client:
                assert client.ask(encode_image("png", pixels[0])).scores.shape == (10,)
        finally:
            process.kill()


def test_as_a_process_it_fails_in_one_line() -> None:
    command = [sys.executable, "-m", "edgent.lab.rivals.rival", "--model", "b-alexnet", "--exit", "9"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "no exit 9" in done.stderr
