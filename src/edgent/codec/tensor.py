"""Tensors to bytes and back.

Only floating tensors have codecs; the values of any other (indices, counts, masks) must arrive exactly, so they
travel as they are whatever the codec says. All numbers are little endian, all tensors in C order.

- `float32` is a tensor's own bytes, also where its type is float16 or float64.
- `float16` rounds to the nearest half. What is beyond ±65504 becomes ±65504; infinities and NaN stay.
- `uint8` keeps the smallest value and a step: ``value = min + step * byte``, the step a 255th of the range. The
  payload is `min` and `step` as float32 and then the bytes, 8 + n in all. A value is off by half a step at most (and
  float32's rounding). A constant tensor has step 0 and arrives exactly; so does, up to 3e-36, one of a range so
  small that the step would be subnormal. NaN, infinities and magnitudes above 8e37 have no place in such a range:
  such a tensor is refused rather than turned into numbers that look healthy.
- `+zstd` compresses the payload at level 1: higher levels take longer and gain nothing on feature maps.
"""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgent.codec.names import ZSTD, CodecError, base_codec, check_tensor_codec

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Array: TypeAlias = NDArray[Any]
Data: TypeAlias = bytes | bytearray | memoryview

_RANGE = struct.Struct("<ff")  # uint8: the smallest value and the step
_STEPS = 255
_SMALLEST_STEP = float(np.finfo(np.float32).tiny)
_LARGEST = float(np.finfo(np.float32).max) / 4  # so that neither a range nor a decoded value overflows
_LARGEST_DECODED = {2: 65519.0, 4: 2 * _LARGEST, 8: 2 * _LARGEST}  # by item size; 65519 still rounds to a half
_LARGEST_HALF = 65504.0

_ZSTD_LEVEL = 1
_ZSTD_WINDOW = {int(zstd.DecompressionParameter.window_log_max): 23}  # 8 MiB; level 1 needs 512 KiB


def encode_tensor(codec: str, array: Array) -> bytes:
    """Turns a tensor into what crosses the link.

    Args:
        codec: A tensor codec; without effect on a tensor that is not floating.
        array: Any shape, also empty and 0-d, of booleans, integers, floating or complex numbers.

    Raises:
        CodecError: the codec is no tensor codec, the type cannot cross, or `uint8` cannot carry the values.
    """
    check_tensor_codec(codec)
    # No copy on a machine that is little endian itself, as nearly all are.
    array = np.asarray(array, dtype=_little_endian(array.dtype))
    if array.dtype.kind != "f":
        return array.tobytes()
    payload = _pack(base_codec(codec), array)
    return zstd.compress(payload, level=_ZSTD_LEVEL) if codec.endswith(ZSTD) else payload


def decode_tensor(codec: str, data: Data, shape: Sequence[int], dtype: str) -> Array:
    """Turns what crossed the link into the tensor it was.

    Args:
        codec: The tensor codec that `data` was made by.
        data: The whole payload. The tensor may share its memory, and is then read-only.
        shape: Shape of the tensor.
        dtype: Its numpy type: "float32".

    Raises:
        CodecError: the payload is not exactly what the codec makes of such a tensor. Never more memory is taken for
            compressed data than the tensor needs.
    """
    check_tensor_codec(codec)
    kind = _little_endian(dtype)
    base = base_codec(codec) if kind.kind == "f" else "float32"
    # Size is known before anything is decoded: it bounds the memory that compressed data may take.
    expected = _payload_size(base, math.prod(shape), kind)
    if codec.endswith(ZSTD) and kind.kind == "f":
        data = _decompress(data, expected)
    if len(data) != expected:
        raise CodecError(
            f"found {len(data)} bytes, expected {expected} for {codec!r} of shape {list(shape)} and type {kind.name}"
        )
    return _unpack(base, data, tuple(shape), kind)


def encoded_size(codec: str, shape: Sequence[int], dtype: str) -> int | None:
    """Bytes of such a tensor when encoded; None where they depend on the values (zstd).

    Raises:
        CodecError: no tensor codec, or a type that cannot cross.
    """
    check_tensor_codec(codec)
    kind = _little_endian(dtype)
    if kind.kind != "f":
        return math.prod(shape) * kind.itemsize
    return None if codec.endswith(ZSTD) else _payload_size(base_codec(codec), math.prod(shape), kind)


def round_trip(codec: str, batch: Array) -> Array:
    """What arrives when each sample of a batch crosses by itself.

    Values are those of `decode_tensor(encode_tensor(sample))`, so an accuracy measured on them is that of the wire.

    Args:
        codec: A tensor codec.
        batch: Axis 0 counts the samples. It is returned itself where the codec loses nothing.

    Raises:
        CodecError: as `encode_tensor`; or the batch is 0-d.
    """
    check_tensor_codec(codec)
    if batch.ndim == 0:
        raise CodecError("found a single number, expected a batch with its samples along axis 0")
    base, kind = base_codec(codec), _little_endian(batch.dtype)
    # Nothing is lost, so nothing has to be computed: the batch itself is returned, and not a copy.
    if base == "float32" or kind.kind != "f":
        return batch
    arrived = np.empty_like(batch, order="C")
    for k, sample in enumerate(batch):
        # zstd is lossless, so packing and unpacking alone give the values of the wire. Each sample by itself, as
        # `uint8` takes its range from one tensor: over a whole batch it would be wider, and the measured accuracy too
        # low.
        arrived[k] = _unpack(base, _pack(base, np.asarray(sample, dtype=kind)), sample.shape, kind)
    return arrived


def _little_endian(dtype: str | np.dtype[Any]) -> np.dtype[Any]:
    try:
        kind = np.dtype(dtype).newbyteorder("<")
    except TypeError:
        raise CodecError(f"found the tensor type {dtype!r}, expected one of numpy's: float32, int64, ...") from None
    # b, i, u, f, c: fixed-size numbers. Objects or text would let the other side choose what is built from its bytes.
    if kind.kind not in "biufc" or kind.itemsize > 16 or (kind.kind == "f" and kind.itemsize > 8):
        raise CodecError(f"found a tensor of type {kind.name}: only booleans and numbers can cross")
    return kind


def _payload_size(base: str, count: int, kind: np.dtype[Any]) -> int:
    if base == "uint8":
        return _RANGE.size + count
    return count * (2 if base == "float16" else kind.itemsize)


def _pack(base: str, array: Array) -> bytes:
    if base == "uint8":
        return _quantise(array)
    return (_halve(array) if base == "float16" else array).tobytes()


def _unpack(base: str, data: Data, shape: tuple[int, ...], kind: np.dtype[Any]) -> Array:
    if base == "uint8":
        return _restore(data, kind).reshape(shape)
    if base == "float16":
        # `ndarray` on a buffer and not `frombuffer`: it takes empty and 0-d tensors too, and copies nothing.
        return np.ndarray(shape, "<f2", data).astype(kind, copy=False)
    array: Array = np.ndarray(shape, kind, data)
    return array.view(np.uint8) != 0 if kind.kind == "b" else array  # a byte of 2 would be a broken boolean


def _halve(array: Array) -> NDArray[np.float16]:
    try:
        # The check is left to the processor's overflow flag: nearly all tensors pass, and pay no second pass.
        with np.errstate(over="raise"):
            return array.astype("<f2", copy=False)
    except FloatingPointError:
        # Infinities are kept: they were there before, and are no effect of the codec.
        finite = np.isfinite(array)
        # numpy's cast alone would turn what is too large into infinity, and an infinite activation spoils all that
        # follows.
        return np.clip(array, -_LARGEST_HALF, _LARGEST_HALF, out=array.copy(), where=finite).astype("<f2")


def _quantise(array: Array) -> bytes:
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and is refused as such
        values = np.asarray(array, dtype=np.float32).ravel()
    if not values.size:
        return _RANGE.pack(0, 0)
    lowest, highest = values.min(), values.max()
    if not (lowest >= -_LARGEST and highest <= _LARGEST):  # also where either is NaN
        raise CodecError("found NaN, infinity or a magnitude above 8e37, which uint8 cannot carry: use float32")
    step = _step(float(highest) - float(lowest))
    # A constant tensor: the smallest value says it all, and 1 / step would divide by 0.
    if not step:
        return _RANGE.pack(lowest, 0) + bytes(values.size)
    # In place, and multiplied by the inverse: a division per value would be several times slower.
    steps = values - lowest
    steps *= np.float32(1 / step)
    steps += np.float32(0.5)  # the cast cuts off: this rounds
    return b"".join((_RANGE.pack(lowest, step), steps.astype(np.uint8)))


def _step(span: float) -> float:
    """A 255th of the range as float32, rounded down so that no decoded value passes the range's end."""
    # The division in double precision is exact to half a unit of float32, but may round up: then 255 steps would end
    # above the greatest value, and a decoded value could pass what was in the tensor (a probability above 1).
    step = np.float32(span / _STEPS)
    if float(step) * _STEPS > span:
        step = np.nextafter(step, np.float32(0))
    # A subnormal step has few digits, and its inverse overflows: such a range counts as constant.
    return float(step) if step >= _SMALLEST_STEP else 0.0


def _restore(data: Data, kind: np.dtype[Any]) -> Array:
    lowest, step = _RANGE.unpack_from(data)
    # The eight bytes come from the other side: without this, decoding would give infinities or NaN without a word. Each
    # comparison is written so that NaN fails it.
    limit = _LARGEST_DECODED[kind.itemsize]
    if not (abs(lowest) <= limit and step >= 0 and lowest + step * _STEPS <= limit):
        raise CodecError(f"found a range from {lowest} in steps of {step}, expected one that {kind.name} holds")
    values = np.frombuffer(data, np.uint8, offset=_RANGE.size).astype(np.float32)
    values *= np.float32(step)
    values += np.float32(lowest)
    return values.astype(kind, copy=False)


def _decompress(data: Data, expected: int) -> bytes:
    decompressor = zstd.ZstdDecompressor(options=_ZSTD_WINDOW)
    try:
        # One byte more than expected is asked for, so that too long data is told from data that fits: a bomb stops
        # there.
        payload = decompressor.decompress(data, max_length=expected + 1)
    except zstd.ZstdError as error:
        raise CodecError(f"found no zstd data ({error})") from None
    if len(payload) > expected:
        raise CodecError(f"found zstd data of more than the expected {expected} bytes")
    # Both ends are checked: data that is cut short could have decompressed to the right size by chance, and data behind
    # the end would be ignored.
    if not decompressor.eof or decompressor.unused_data:
        raise CodecError(f"found zstd data that is {'followed by more' if decompressor.eof else 'cut short'}")
    return payload
