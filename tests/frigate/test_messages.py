"""The bytes of Frigate's protocol: what is honest is read exactly, all else is refused in a line."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from edgent.errors import InputError
from edgent.frigate.messages import (
    DetectRequest,
    ModelData,
    ModelRequest,
    picture_of,
    read_request,
    rows_of,
    write_model_refused,
    write_model_there,
    write_nothing,
    write_rows,
)
from edgent.model.tasks.results import Boxes

PIXELS = arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3)))


def request(tensor: np.ndarray, **header) -> list[bytes]:
    says = {"shape": list(tensor.shape), "dtype": tensor.dtype.name, "model_type": "yologeneric"} | header
    return [json.dumps(says).encode(), tensor.tobytes()]


def pixels_of(frames: list[bytes]) -> np.ndarray:
    read = read_request(frames)
    assert isinstance(read, DetectRequest)
    return read.pixels


@given(PIXELS, st.booleans(), st.booleans())
def test_pixels_are_read_exactly_however_frigate_is_told_to_send_them(pixels, first: bool, floats: bool) -> None:
    tensor = pixels[None].transpose(0, 3, 1, 2) if first and pixels.shape[1] != 3 else pixels[None]
    if floats:  # as Frigate makes them
        tensor = tensor.astype(np.float32)
        tensor /= 255
    assert np.array_equal(pixels_of(request(np.ascontiguousarray(tensor))), pixels)


@given(PIXELS)
def test_a_picture_file_holds_the_same_pixels(pixels) -> None:
    with Image.open(io.BytesIO(picture_of(pixels))) as picture:
        assert np.array_equal(np.asarray(picture), pixels)


def test_questions_about_the_model_are_told_apart() -> None:
    asked = read_request([b'{"model_request": true, "model_name": "y.onnx"}'])
    assert asked == ModelRequest(name="y.onnx")
    sent = read_request([b'{"model_data": true, "model_name": "y\\u001b.onnx"}', b"12345"])
    assert sent == ModelData(name="y\\x1b.onnx", size=5)


def test_a_header_may_say_more_than_is_known_today() -> None:
    tensor = np.zeros((1, 4, 4, 3), np.uint8)
    assert pixels_of(request(tensor, layout="nhwc", version=7)).shape == (4, 4, 3)


SMALL = np.zeros((1, 4, 4, 3), np.uint8)
GOOD, BODY = request(SMALL)


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ([], "0 frames"),
        ([GOOD, BODY, BODY], "3 frames"),
        ([GOOD], "header alone"),
        ([b"", BODY], "JSON"),
        ([b"\xff\xfe", BODY], "no text"),
        ([b"[" * 4000, BODY], "JSON"),
        ([b"[1]", BODY], "list"),
        ([b'{"a":' + b"1" * 5000 + b"}", BODY], "5006 bytes"),
        ([GOOD, BODY[:-1]], "47 bytes"),
        ([GOOD, BODY + b"0"], "49 bytes"),
        ([GOOD, b""], "0 bytes"),
        (request(SMALL, dtype="float64"), "float64"),
        (request(SMALL, dtype="object"), "object"),
        (request(SMALL, dtype=["u1"]), "uint8 or float32"),
        (request(SMALL, shape=[4, 4, 3]), "shape"),
        (request(SMALL, shape=[2, 4, 2, 3]), "shape"),
        (request(SMALL, shape=[1, 4, 4, 1]), "shape"),
        (request(SMALL, shape=[1, -4, -4, 3]), "shape"),
        (request(SMALL, shape=[1, 0, 4, 3]), "shape"),
        (request(SMALL, shape=[1, 10**9, 10**9, 3]), "shape"),
        (request(SMALL, shape=[1, 4.0, 4, 3]), "shape"),
        (request(SMALL, shape=[True, 4, 4, 3]), "shape"),
        (request(SMALL, shape="1443"), "shape"),
        (request(np.full((1, 2, 2, 3), 255, np.float32)), "0 to 1"),
        (request(np.full((1, 2, 2, 3), np.nan, np.float32)), "0 to 1"),
        (request(np.full((1, 2, 2, 3), -0.1, np.float32)), "0 to 1"),
        ([b'{"model_request": 1}'], "header alone"),
        ([b'{"model_data": true}'], "header alone"),
    ],
)
def test_what_is_no_request_is_refused_in_a_line_that_says_why(frames: list[bytes], says: str) -> None:
    with pytest.raises(InputError, match=says) as refusal:
        read_request(frames)
    assert "\n" not in str(refusal.value)


def boxes(*rows: tuple[float, ...]) -> Boxes:
    return Boxes(data=np.array(rows, np.float32).reshape(-1, 6))


def test_a_box_is_a_row_of_class_confidence_and_parts_of_the_picture() -> None:
    # x1, y1, x2, y2, score, class in a picture of 200 x 100.
    rows = rows_of(boxes((20, 10, 60, 50, 0.75, 7)), height=100, width=200)
    assert rows[0] == pytest.approx([7, 0.75, 0.1, 0.1, 0.5, 0.3])
    assert not rows[1:].any() and rows.shape == (20, 6) and rows.dtype == np.float32


def test_only_the_twenty_best_boxes_are_told() -> None:
    many = boxes(*((0, 0, 10, 10, 1 - number / 100, number) for number in range(30)))
    assert rows_of(many, 100, 100)[:, 0].tolist() == list(range(20))


def test_a_box_with_a_number_that_is_none_holds_up_no_other_one() -> None:
    broken = boxes((0, 0, np.nan, 10, 0.9, 1), (0, 0, 10, 10, 0.8, 2), (0, np.inf, 1, 1, 0.7, 3))
    rows = rows_of(broken, 100, 100)
    assert rows[0, 0] == 2 and not rows[1:].any() and np.isfinite(rows).all()


def test_no_box_is_no_row() -> None:
    assert not rows_of(boxes(), 100, 100).any()


def test_replies_are_what_the_plugin_reads() -> None:
    rows = np.arange(120, dtype=np.float32).reshape(20, 6)
    header, body = write_rows(rows)
    assert json.loads(header) == {"shape": [20, 6], "dtype": "float32"}
    assert np.array_equal(np.frombuffer(body, np.float32).reshape(20, 6), rows)
    header, body = write_nothing("no answer in time")
    assert json.loads(header)["error"] == "no answer in time" and not np.frombuffer(body, np.float32).any()
    assert json.loads(write_model_there()[0]) == {"model_available": True, "model_loaded": True}
    refused = json.loads(write_model_refused("none")[0])
    assert refused["model_saved"] is refused["model_loaded"] is False
