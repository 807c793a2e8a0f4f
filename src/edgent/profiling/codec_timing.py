"""Times codecs and the preparation of images on this machine, with the activations that a model really has."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgent.codec import (
    IMAGE_CODECS,
    TENSOR_CODECS,
    decode_pixels,
    decode_tensor,
    encode_image,
    encode_tensor,
    fit,
    normalise,
)
from edgent.engine.engine import Engine
from edgent.engine.feeds import Array, Feeds, random_feeds
from edgent.errors import InputError
from edgent.latency.profile import CodecTime, Timing
from edgent.model import SHIPPED, Model, Preprocessing
from edgent.profiling.timing import Task, line, summary

_SIZES = 5  # boundaries of different sizes that codecs are timed on
_LARGEST = 1e30  # random weights may overflow; a codec's time does not depend on it
CODED = tuple(codec for codec in IMAGE_CODECS if codec != "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class CodingTimes:
    """Timings of codecs and of preparing an image; zero for a model that takes none."""

    codecs: tuple[CodecTime, ...]
    decode_source: Timing
    fit: Timing
    normalise: Timing


class Source:
    """A typical input of a model.

    Args:
        model: the model.
        coded: a coded image; None: one is made. A model that takes no images gets random numbers.

    Raises:
        CodecError: `coded` is no image.
        InputError: `coded` for a model that takes no images.
    """

    def __init__(self, model: Model, coded: bytes | None = None) -> None:
        # The largest of several: what a codec takes for it bounds what it takes for the others.
        self.form = model.largest_form
        if coded is not None and self.form is None:
            raise InputError(f"{model.name} does not say how an image becomes its input: profile it without one")
        # Random numbers, and replaced below where an image can be made: the time of a network hardly depends on values.
        self.feeds: Feeds = random_feeds(model.inputs, np.random.default_rng(0))
        if self.form is None:
            return
        self.data = typical_image(self.form.size) if coded is None else coded
        self.pixels = decode_pixels(self.data)
        self.fitted = fit(self.pixels, self.form)
        for entry in model.inputs:
            form = model.metadata.preprocessing_of(entry.name)
            # Only an input that is that image: others need what an image does not give.
            if form is not None and form.shape == entry.shape:
                self.feeds = {**self.feeds, entry.name: normalise(fit(self.pixels, form), form)}


class Coding:
    """The tasks to time, and the codec times that follow from them."""

    def __init__(self, model: Model, engine: Engine, source: Source) -> None:
        self.tensors = activations(model, engine, source.feeds)
        self.tasks: list[Task] = []
        for codec in TENSOR_CODECS:
            for array in self.tensors:
                self.tasks += tensor_tasks(codec, array)
        self.images = source.form is not None
        if source.form is not None:
            self.tasks += _image_tasks(source, source.form)

    def times(self, seconds: Sequence[NDArray[np.float64]]) -> CodingTimes:
        """The codec times, from the timings of the tasks in their order."""
        # Results are taken off in the order in which `__init__` and `_image_tasks` put the tasks in.
        left = [summary(one) for one in seconds]
        sizes = np.array([array.nbytes for array in self.tensors], dtype=np.float64)
        codecs = []
        for codec in TENSOR_CODECS:
            medians = np.array([left.pop(0).median for _ in range(2 * len(sizes))]).reshape(-1, 2)
            codecs.append(_codec_time(codec, line(sizes, medians[:, 0]), line(sizes, medians[:, 1])))
        for codec in CODED if self.images else ():
            encode, decode = left.pop(0).median, left.pop(0).median
            codecs.append(_codec_time(codec, (encode, 0.0), (decode, 0.0)))
        steps = left or [summary(np.zeros(1))] * 3
        return CodingTimes(codecs=tuple(codecs), decode_source=steps[0], fit=steps[1], normalise=steps[2])


def activations(model: Model, engine: Engine, feeds: Feeds) -> list[Array]:
    """A few boundaries of the longest branch, of different sizes, with the numbers that the input makes of them."""
    # Compression depends on values, so real activations are coded and not noise: after a Relu half of them are 0.
    branch = max(model.branches, key=lambda branch: len(branch.layers))
    crossing = [use.tensor for use in branch.uses if use.since and use.read[0] <= len(branch.layers)]
    sized = {tensor.nbytes: tensor.name for tensor in crossing if tensor.dtype == "float32" and tensor.nbytes}
    # A model of one layer has no boundary inside; sizes of 1 KB to 256 KB stand for those of others.
    if not sized:
        return [np.random.default_rng(0).standard_normal(n).astype(np.float32) for n in (256, 4096, 65536)]
    sizes = sorted(sized)
    # The smallest, the largest and some between: a line through them is wanted, and few points determine it.
    picked = sorted({sizes[round(k)] for k in np.linspace(0, len(sizes) - 1, _SIZES)})
    names = [sized[size] for size in picked]
    inputs = [tensor.name for tensor in branch.inputs]
    values = engine.session(model, inputs, names).run({name: feeds[name] for name in inputs})
    return [np.clip(np.nan_to_num(values[name]), -_LARGEST, _LARGEST) for name in names]


def typical_image(size: tuple[int, int]) -> bytes:
    """A coded image for a model: one of those shipped, as a PNG, if it has that size; else a made-up photo, as a JPEG.

    Args:
        size: height and width.
    """
    shipped = SHIPPED / "cifar10-256.npz"
    if size == (32, 32) and shipped.is_file():
        with np.load(io.BytesIO(shipped.read_bytes())) as images:
            return encode_image("png", images["pixels"][0])
    return encode_image("jpeg-90", _photo(size))


def _photo(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Seeded noise whose amplitudes fall with the frequency, as those of photos do."""
    noise = np.random.default_rng(0).standard_normal((3, *size))
    noise = noise[:1] + 0.3 * noise  # mostly grey
    rows, columns = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None]
    # Photos have amplitudes of about 1 / frequency; white noise would not compress, and take codecs far longer.
    falling = 1 / np.maximum(np.hypot(rows, columns), 1 / max(size))
    planes = np.fft.irfft2(np.fft.rfft2(noise) * falling, s=size)
    pixels = np.clip(127 + 50 * planes / planes.std(), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(pixels.transpose(1, 2, 0))


def tensor_tasks(codec: str, array: Array) -> list[Task]:
    """Encoding and decoding a tensor."""
    # The decoder's input is made once, so that decoding is timed alone.
    data, kind = encode_tensor(codec, array), str(array.dtype)
    return [lambda: encode_tensor(codec, array), lambda: decode_tensor(codec, data, array.shape, kind)]


def _image_tasks(source: Source, form: Preprocessing) -> list[Task]:
    tasks: list[Task] = []
    for codec in CODED:
        tasks += coder_tasks(codec, source.fitted)
    return [
        *tasks,
        lambda: decode_pixels(source.data),
        lambda: fit(source.pixels, form),
        lambda: normalise(source.fitted, form),
    ]


def coder_tasks(codec: str, pixels: NDArray[np.uint8]) -> list[Task]:
    """Encoding and decoding an image."""
    data = encode_image(codec, pixels)
    return [lambda: encode_image(codec, pixels), lambda: decode_pixels(data)]


def _codec_time(codec: str, encode: tuple[float, float], decode: tuple[float, float]) -> CodecTime:
    return CodecTime(
        codec=codec,
        encode_base=encode[0],
        encode_per_byte=encode[1],
        decode_base=decode[0],
        decode_per_byte=decode[1],
    )
