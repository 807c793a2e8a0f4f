"""What Frigate's ZMQ plugin says and wants to hear, as bytes; everything that comes is somebody's, and has a bound.

Two generations of the plugin speak: one sends a header and a tensor, and nothing else. The newer one asks first whether
its model is there, in one frame of JSON, and sends the model's file where it is not.

Learned from Frigate's `frigate/detectors/plugins/zmq_ipc.py`, of which nothing is copied.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgent.document import parse
from edgent.errors import InputError
from edgent.model.tasks.results import Boxes
from edgent.text import brief

ROWS, COLUMNS = 20, 6
"""Frigate takes no more boxes, and no other shape."""

MOST_FRAME = 32 << 20
"""Bytes of one frame of a message: a picture of 1280 x 1280 in 32 bits has 19.7 million."""

_MOST_HEADER = 4096  # bytes; Frigate's has some 80
_MOST_SIDE = 1280  # pixels; Frigate's models have 320 or 640
_MOST_NAME = 100
_DTYPES: dict[str, np.dtype[Any]] = {"uint8": np.dtype(np.uint8), "float32": np.dtype("<f4")}
_WRITE = "write input_tensor: nhwc, input_dtype: int and input_pixel_format: rgb in Frigate's model section"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DetectRequest:
    """What is in this picture? Pixels are uint8 [height, width, 3], RGB."""

    pixels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """Is the model of this name there, and loaded?"""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelData:
    """Here is the model of this name: so many bytes."""

    name: str
    size: int


FrigateRequest = DetectRequest | ModelRequest | ModelData


def read_request(frames: Sequence[bytes]) -> FrigateRequest:
    """Reads the frames of one request.

    Raises:
        InputError: what was found in place of one.
    """
    if not 1 <= len(frames) <= 2:
        raise InputError(f"found a request of {len(frames)} frames, expected a header, or a header and a tensor")
    header = _header(frames[0])
    name = brief(str(header.get("model_name", "")), _MOST_NAME)
    if header.get("model_request") is True:
        return ModelRequest(name=name)
    if len(frames) < 2:
        raise InputError("found a header alone that is no model_request, expected the tensor behind it")
    if header.get("model_data") is True:
        return ModelData(name=name, size=len(frames[1]))
    return DetectRequest(pixels=_pixels(header, frames[1]))


def picture_of(pixels: NDArray[np.uint8]) -> bytes:
    """The pixels as the bytes of a picture file that loses nothing and takes no time: a PPM."""
    height, width, _ = pixels.shape
    return b"P6\n%d %d\n255\n" % (width, height) + pixels.tobytes()


def rows_of(boxes: Boxes, height: int, width: int) -> NDArray[np.float32]:
    """Boxes in a picture's pixels as Frigate takes them: float32 [20, 6], the best first.

    A box whose numbers are not all finite is left out: Frigate would stop at it.
    """
    data = boxes.data[np.isfinite(boxes.data).all(axis=1)][:ROWS]
    rows = np.zeros((ROWS, COLUMNS), np.float32)
    left, top, right, bottom, score, cls = data.T
    columns = (cls, score, top / height, left / width, bottom / height, right / width)
    rows[: len(data)] = np.stack(columns, axis=1)
    rows[: len(data), 2:] = rows[: len(data), 2:].clip(0, 1)
    return rows


def write_rows(rows: NDArray[np.float32], problem: str = "") -> list[bytes]:
    """The reply to a picture; with a problem, why the rows are all zeros, which Frigate does not read."""
    header: dict[str, object] = {"shape": list(rows.shape), "dtype": "float32"}
    return [_json(header | ({"error": problem} if problem else {})), rows.astype("<f4").tobytes()]


def write_nothing(problem: str) -> list[bytes]:
    """The reply where there is no answer: *nothing seen*."""
    return write_rows(np.zeros((ROWS, COLUMNS), np.float32), problem)


def write_model_there() -> list[bytes]:
    """The reply to a model's name: it is there, whatever it is called over there."""
    return [_json({"model_available": True, "model_loaded": True})]


def write_model_refused(why: str) -> list[bytes]:
    """The reply to a model's file: it is not taken."""
    return [_json({"model_saved": False, "model_loaded": False, "error": why})]


def _json(document: dict[str, object]) -> bytes:
    return json.dumps(document).encode("ascii")


def _header(frame: bytes) -> dict[str, object]:
    if len(frame) > _MOST_HEADER:
        raise InputError(f"found a header of {len(frame)} bytes, expected some 80, and {_MOST_HEADER} at most")
    try:
        header = parse(frame.decode("utf-8"))
    except UnicodeDecodeError:
        raise InputError("found a header that is no text, expected JSON") from None
    if not isinstance(header, dict):
        raise InputError(f"found a header that is a {type(header).__name__}, expected an object of JSON")
    return header


def _pixels(header: dict[str, object], body: bytes) -> NDArray[np.uint8]:
    shape, dtype = _shape(header.get("shape")), _DTYPES.get(str(header.get("dtype")))
    if dtype is None:
        raise InputError(
            f"found a tensor of {brief(repr(header.get('dtype')), 40)}, expected uint8 or float32; {_WRITE}"
        )
    if len(body) != dtype.itemsize * int(np.prod(shape)):
        raise InputError(f"found {len(body)} bytes behind the header, expected {dtype} of the shape {list(shape)}")
    # Channels last as Frigate has them by itself, or first where its configuration says so.
    values = np.frombuffer(body, dtype).reshape(shape)[0]
    values = values if shape[3] == 3 else values.transpose(1, 2, 0)
    return np.ascontiguousarray(values if dtype == np.uint8 else _from_floats(values))


def _shape(value: object) -> tuple[int, int, int, int]:
    if isinstance(value, list) and len(value) == 4 and all(type(size) is int for size in value):
        one, *rest = value
        if one == 1 and 3 in (rest[0], rest[2]) and all(1 <= size <= _MOST_SIDE for size in rest):
            return one, rest[0], rest[1], rest[2]
    raise InputError(
        f"found a tensor of the shape {brief(repr(value), 60)}, expected [1, height, width, 3] with sides of at most "
        f"{_MOST_SIDE}; {_WRITE}"
    )


def _from_floats(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Frigate divides its pixels by 255, and this is the way back, exactly."""
    if not (values.min() >= 0 and values.max() <= 1):  # nor where one is NaN
        raise InputError(f"found numbers that are not from 0 to 1, as no pixels are; {_WRITE}")
    pixels: NDArray[np.uint8] = np.rint(values * np.float32(255)).astype(np.uint8)
    return pixels
