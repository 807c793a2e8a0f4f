"""What stands between a place and an answer: a few narrow convolutions, a mean over the picture, one linear layer.

The layers are the *form* of a twig, and all that is known of it before it is trained: so its operations are counted,
its file is written and its cost is weighed without PyTorch. A twig may take a given share of the network's operations,
and is as wide as that allows; where not even a narrow one is allowed, it has no convolutions:

    [means of p x p] -> 3x3, stride 2 -> 3x3 -> 1x1, four times as wide -> mean of the picture -> linear

Convolutions of single channels would take fewer operations, and several times as long for each of them.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.files import write_whole
from edgent.training.exits.places import ExitPlace

Floats = NDArray[np.float32]

_LARGEST_MAP = 16  # on a side, that a twig reads; a larger one is made smaller by means first
_STRIDE_FROM = 9  # on a side: a smaller map keeps its size
_STEP = 8  # channels by which widths differ
_WIDEST = 512
_SPREAD = 4  # times as many features as channels are what the last layer reads


class Convolution(NamedTuple):
    """One layer of a twig, with a ReLU behind it; it keeps the size of the map but for its stride.

    Attributes:
        inputs: channels.
        outputs: channels.
        kernel: its side, odd.
        stride: in both directions.
    """

    inputs: int
    outputs: int
    kernel: int = 1
    stride: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TwigForm:
    """The layers of a twig.

    Attributes:
        shape: of the map that it reads: channels, height, width.
        pool: side of the squares of the map whose means are taken first; 1: none are.
        convolutions: in their order.
        outputs: numbers of its answer.
        is_share: whether the answer is a softmax.
    """

    shape: tuple[int, int, int]
    pool: int
    convolutions: tuple[Convolution, ...]
    outputs: int
    is_share: bool

    @property
    def read(self) -> tuple[int, int, int]:
        """Shape of the map behind the means, which is all that the twig learns from."""
        channels, height, width = self.shape
        return channels, height // self.pool, width // self.pool

    @property
    def features(self) -> int:
        """Numbers that the linear layer reads."""
        return self.convolutions[-1].outputs if self.convolutions else self.shape[0]

    @property
    def operations(self) -> float:
        """A multiply-add counts two, as `edgent.model.flops` counts them."""
        _, height, width = self.read
        total = float(math.prod(self.read) * self.pool**2) if self.pool > 1 else 0.0
        for layer in self.convolutions:
            height, width = -(-height // layer.stride), -(-width // layer.stride)
            results = layer.outputs * height * width
            total += results * (2 * layer.inputs * layer.kernel**2 + 1)  # one more for the ReLU
        answer = 2.0 * self.features * self.outputs + (self.outputs if self.is_share else 0)
        return total + self.features * height * width + answer


class TwigWeights(NamedTuple):
    """Weights and bias of each layer: the convolutions' [outputs, inputs, side, side], then the linear's."""

    layers: tuple[tuple[Floats, Floats], ...]

    def cooled(self, temperature: float) -> TwigWeights:
        """The same twig with its scores divided by a temperature: its choices stay, its confidence changes."""
        *layers, (weight, bias) = self.layers
        factor = np.float32(1 / temperature)
        return TwigWeights((*layers, (weight * factor, bias * factor)))

    def save(self, path: Path) -> None:
        """Writes them, whole or not at all."""
        content = io.BytesIO()
        np.savez(content, *(array for layer in self.layers for array in layer))
        write_whole(path, content.getvalue())

    @classmethod
    def load(cls, path: Path) -> TwigWeights:
        """Reads what `save` wrote."""
        try:
            with np.load(path) as arrays:
                flat = [arrays[name] for name in arrays.files]
            return cls(tuple(zip(flat[::2], flat[1::2], strict=True)))
        except (OSError, ValueError, BadZipFile):
            raise InputError(f"{path}: holds no twig; remove its folder to begin anew") from None


def form_of(place: ExitPlace, outputs: int, is_share: bool, most: float) -> TwigForm:
    """The widest twig that takes at most so many operations; one without convolutions where none does."""
    pool = min(max(1, -(-max(place.shape[1:]) // _LARGEST_MAP)), *place.shape[1:])
    linear = TwigForm(shape=place.shape, pool=pool, convolutions=(), outputs=outputs, is_share=is_share)
    forms = (replace(linear, convolutions=_convolutions(linear.read, width)) for width in range(_WIDEST, 0, -_STEP))
    return next((form for form in forms if form.operations <= most), linear)


def zero_weights(form: TwigForm) -> TwigWeights:
    """Weights of a twig that is not trained."""
    shapes = [(c.outputs, c.inputs, c.kernel, c.kernel) for c in form.convolutions]
    last = (form.outputs, form.features)
    return TwigWeights(tuple((np.zeros(s, np.float32), np.zeros(s[0], np.float32)) for s in (*shapes, last)))


def pooled_map(values: NDArray[Any], pool: int) -> Floats:
    """Means of the squares of a map [channels, height, width]; what is left over at its ends is not read."""
    channels, height, width = values.shape
    rows, columns = height // pool, width // pool
    squares = values[:, : rows * pool, : columns * pool].reshape(channels, rows, pool, columns, pool)
    means: Floats = squares.mean(axis=(2, 4), dtype=np.float32)
    return means


def _convolutions(read: tuple[int, int, int], width: int) -> tuple[Convolution, ...]:
    channels, *sides = read
    stride = 2 if min(sides) >= _STRIDE_FROM else 1
    return (
        Convolution(channels, width, kernel=3, stride=stride),
        Convolution(width, width, kernel=3),
        Convolution(width, _SPREAD * width),
    )
