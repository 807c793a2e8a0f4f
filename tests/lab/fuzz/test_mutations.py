"""Changed bytes: the same for the same randomness, of the form that they had, and not what they were."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from random import Random

import numpy as np
import pytest

from edgent.codec import encode_image
from edgent.identity.certificates import new_key
from edgent.lab.fuzz import mutations
from edgent.wire import messages as m

MANY = 300


def request() -> bytes:
    message = m.ModelInferRequest(model_name="net", model_version="1")
    message.inputs.add(name="x", datatype="FP32", shape=[1, 2]).parameters["k"].string_param = "v"
    message.raw_input_contents.append(bytes(8))
    return message.SerializeToString()


def archive() -> bytes:
    made = io.BytesIO()
    np.savez(made, a=np.ones(3, np.float32))
    return made.getvalue()


def array() -> bytes:
    made = io.BytesIO()
    np.save(made, np.ones(3, np.float32))
    return made.getvalue()


def checked(body: bytes) -> bytes:
    return body + b"T" + zlib.crc32(body).to_bytes(4, "little")


SEEDS = {
    "of_bytes": b"some bytes, not many",
    "of_protobuf": request(),
    "of_json": json.dumps({"a": [1, 2.5, None], "b": {"c": "d"}}).encode(),
    "of_lines": b"s,Mbit/s\n0,1.5\n1,2.5\n",
    "of_zip": archive(),
    "of_npy": array(),
    "of_picture": encode_image("png", np.zeros((4, 4, 3), np.uint8)),
    "of_pem": new_key(),
}


def changed(name: str, seed: int = 0) -> list[bytes]:
    mutate = getattr(mutations, name)
    return [mutate(Random(f"{seed} {number}"), SEEDS[name], [SEEDS[name]]) for number in range(MANY)]


@pytest.mark.parametrize("name", SEEDS)
def test_the_same_randomness_gives_the_same_bytes(name):
    assert changed(name) == changed(name) != changed(name, seed=1)


@pytest.mark.parametrize("name", SEEDS)
def test_most_inputs_are_none_that_were_there_before_and_none_is_huge(name):
    inputs = changed(name)
    assert len(set(inputs)) > MANY / 4
    assert sum(data != SEEDS[name] for data in inputs) > MANY / 2
    assert max(map(len, inputs)) <= 1 << 20


@pytest.mark.parametrize("name", SEEDS)
@pytest.mark.parametrize("data", [b"", b"\xff", b"\x89PNG\r\n\x1a\n"])
def test_what_has_no_form_is_changed_all_the_same(name, data):
    mutate = getattr(mutations, name)
    if name in ("of_zip", "of_pem"):
        return  # their seeds are honest always
    for number in range(50):
        assert isinstance(mutate(Random(number), data, [data]), bytes)


def reads_as(name: str, data: bytes) -> bool:
    """Whether other people's reader takes the outer form."""
    try:
        if name == "of_protobuf":
            m.ModelInferRequest.FromString(data)
        elif name == "of_json":
            json.loads(data)
        elif name == "of_zip":
            with zipfile.ZipFile(io.BytesIO(data)) as opened:
                return opened.testzip() is None
        elif name == "of_picture":
            at = 8
            while at < len(data):
                size = int.from_bytes(data[at : at + 4], "big")
                body, kept = data[at + 4 : at + 8 + size], data[at + 8 + size : at + 12 + size]
                if zlib.crc32(body) != int.from_bytes(kept, "big"):
                    return False
                at += 12 + size
    except Exception:
        return False
    return True


@pytest.mark.parametrize("name", ["of_protobuf", "of_json", "of_zip", "of_picture"])
def test_most_inputs_keep_the_form_so_that_what_is_inside_is_read(name):
    inputs = changed(name)
    assert sum(reads_as(name, data) for data in inputs) > MANY / 2


def test_a_message_that_is_not_changed_is_put_together_as_it_was():
    fields = mutations._fields(request())
    assert mutations._joined(fields) == request()
    assert mutations._fields(b"\x00\x01\x02") == []


def test_checksums_are_right_most_of_the_times_and_wrong_sometimes():
    mutate = mutations.with_checksum(mutations.of_bytes, b"T")
    inputs = [mutate(Random(number), checked(b"0123456789"), [checked(b"abc")]) for number in range(MANY)]
    right = sum(data == checked(data[:-5]) for data in inputs)
    assert MANY / 2 < right < MANY
