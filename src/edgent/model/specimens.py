"""Specimens: random networks made of the blocks that real ones are made of, to be timed in a sweep.

A layer's time depends on its neighbours: what is fused into it, which layout its input has, what is still in the
caches. So layers are timed among the neighbours that they have in real networks, with shapes drawn over the whole
range.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgent.model.builder import Builder, Shape
from edgent.model.model import Segment

_SIDES = (4, 6, 7, 8, 10, 13, 14, 16, 20, 26, 27, 28, 32, 40, 52, 54, 55, 56, 64, 80, 112)  # maps that networks have
_IMAGES = (32, 64, 96, 128, 160, 192, 224, 256, 299)

_Random = np.random.Generator
_Block = Callable[["_Draw", Builder, str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """One random network.

    Attributes:
        segment: what an engine can run; it holds its weights.
        shapes: of every tensor in it.
        blocks: what it is made of.
    """

    segment: Segment
    shapes: dict[str, Shape]
    blocks: tuple[str, ...]


def specimen(seed: int, most_flops: float = 1e9) -> Specimen:
    """The random network with a number.

    Args:
        seed: the same number always gives the same network.
        most_flops: roughly how much arithmetic it may hold.
    """
    draw = _Draw(np.random.default_rng(seed), most_flops)
    builder, blocks = Builder(), []
    of_tokens = seed % _TOKENS_EVERY == 0
    x = draw.tokens(builder) if of_tokens else draw.image(builder)
    table, steps = (_TOKEN_BLOCKS, tuple(_TOKEN_BLOCKS)) if of_tokens else (_IMAGE_BLOCKS, _IMAGE_STEPS)
    names = list(table)
    name = names[(seed // _TOKENS_EVERY if of_tokens else seed) % len(names)]  # the first go round, so that none lacks
    # Two to five blocks: enough for neighbours on both sides, few enough that a sweep times many specimens.
    for _ in range(int(draw.random.integers(2, 6))):
        x = table[name](draw, builder, x)
        blocks.append(name)
        name = draw.pick(*steps)
    if len(builder.shapes[x]) == 4 and draw.chance(0.4):
        x = _classifier(draw, builder, x)
        blocks.append("classifier")
    return Specimen(segment=builder.segment([builder.corner(x)]), shapes=builder.shapes, blocks=tuple(blocks))


class _Draw:
    """Random choices, in the ranges of real networks."""

    def __init__(self, random: _Random, most_flops: float) -> None:
        self.random = random
        self.most_flops = most_flops
        # One activation for a whole network, as real ones have; Relu is by far the most common.
        self.act = self.pick("Relu", "Relu", "Relu", "Clip", "Silu", "HardSwish", "LeakyRelu", "Sigmoid")

    def chance(self, share: float) -> bool:
        return bool(self.random.random() < share)

    def pick(self, *choices: str) -> str:
        return str(self.random.choice(choices))

    def number(self, *choices: int) -> int:
        return int(self.random.choice(choices))

    def between(self, low: float, high: float) -> float:
        """Log-uniform."""
        # Sizes span orders of magnitude: uniform in the logarithm, each of them is drawn as often.
        return float(np.exp(self.random.uniform(np.log(low), np.log(high))))

    def maps(self, low: float = 8, high: float = 1024) -> int:
        """Channels: mostly multiples of 16 or 8, sometimes any multiple of 4 or any number."""
        # Vectorised kernels work on blocks of 8 or 16 channels; odd numbers show what a partly filled block costs.
        grain = self.number(16, 16, 16, 8, 8, 4, 1)
        return max(grain, round(self.between(low, high) / grain) * grain)

    def limited(self, maps: int, cost: float) -> int:
        """As many maps as the layer's share of the arithmetic allows, if that is fewer."""
        # No layer may take more than about a third of a specimen's arithmetic.
        most = max(4, int(0.3 * self.most_flops / cost))
        return maps if maps <= most else max(4, most // 4 * 4)

    def image(self, builder: Builder) -> str:
        side = self.number(*_SIDES) if self.chance(0.6) else round(self.between(5, 130))
        maps = self.maps(8, min(1200, 4e6 / side**2))
        if self.chance(0.3):
            return self.stem(builder)
        return builder.input((1, maps, side, side))

    def stem(self, builder: Builder) -> str:
        channels, kernel = self.number(1, 3, 3, 3), self.number(3, 3, 5, 7, 11)
        stride = self.number(1, 2, 2, 4)
        side = self.number(*_IMAGES) if self.chance(0.5) else round(self.between(28, 256))
        side = min(side, 128) if stride == 1 else side
        x = builder.input((1, channels, side, side))
        return _finish(self, builder, builder.conv(x, self.maps(8, 96), kernel, stride=stride, padded=self.chance(0.7)))

    def tokens(self, builder: Builder) -> str:
        count, width = round(self.between(16, 400)), 64 * round(self.between(1, 14))
        if count * width * width * 2 > self.most_flops / 10:
            width = max(64, 64 * int(math.sqrt(self.most_flops / 20 / count) // 64))
        return builder.input((1, count, width))


def _finish(draw: _Draw, builder: Builder, x: str) -> str:
    x = builder.norm(x) if draw.chance(0.5) else x
    return builder.activation(x, draw.act) if draw.chance(0.85) else x


def _convs(draw: _Draw, builder: Builder, x: str) -> str:
    for _ in range(draw.number(1, 2, 3)):
        kernel = draw.number(1, 1, 3, 3, 3, 5, 7)
        x = _conv(draw, builder, x, draw.maps(), kernel)
    return x


def _conv(draw: _Draw, builder: Builder, x: str, maps: int, kernel: int | tuple[int, int], stride: int = 0) -> str:
    _, channels, height, width = builder.shapes[x]
    stride = stride or (2 if height > 6 and draw.chance(0.25) else 1)
    area = kernel * kernel if isinstance(kernel, int) else math.prod(kernel)
    maps = draw.limited(maps, 2 * channels * area * height * width / stride**2)
    return _finish(draw, builder, builder.conv(x, maps, kernel, stride=stride, bias=draw.chance(0.6)))


def _residual(draw: _Draw, builder: Builder, x: str) -> str:
    """Two or three convolutions around a sum, as ResNets have them."""
    channels = builder.shapes[x][1]
    inner = max(4, channels // draw.number(1, 2, 4))
    y = _conv(draw, builder, x, inner, draw.number(1, 3), 1)
    y = _conv(draw, builder, y, inner, 3, 1) if draw.chance(0.6) else y
    y = builder.conv(y, channels, draw.number(1, 1, 3))
    y = builder.norm(y) if draw.chance(0.6) else y
    x = builder.conv(x, channels, 1) if draw.chance(0.2) else x
    # Either order: an engine may fuse a sum into the convolution of its first input only.
    y = builder.add(*((y, x) if draw.chance(0.5) else (x, y)))
    return builder.activation(y, draw.act) if draw.chance(0.7) else y


def _separable(draw: _Draw, builder: Builder, x: str) -> str:
    """A depthwise convolution between two of one by one, perhaps inverted, perhaps with squeeze and excitation."""
    _, channels, height, width = builder.shapes[x]
    wide = channels * draw.number(1, 3, 4, 6)
    # Inverted residuals on large maps would fill the caches many times over and take the budget of a whole specimen.
    if wide * height * width > 4e6:
        wide = channels
    y = _conv(draw, builder, x, wide, 1, 1) if draw.chance(0.8) else x
    wide, stride = builder.shapes[y][1], draw.number(1, 1, 2) if height > 6 else 1
    y = builder.conv(y, wide, draw.number(3, 3, 5, 7), stride=stride, groups=wide)
    y = _finish(draw, builder, y)
    y = _excited(draw, builder, y) if draw.chance(0.25) else y
    keeps = stride == 1 and draw.chance(0.5)
    y = builder.conv(y, draw.limited(channels if keeps else draw.maps(), 2 * wide * height * width / stride**2), 1)
    return builder.add(y, x) if builder.shapes[y] == builder.shapes[x] else y


def _excited(draw: _Draw, builder: Builder, x: str) -> str:
    channels = builder.shapes[x][1]
    y = builder.activation(builder.conv(builder.mean(x), max(4, channels // draw.number(4, 8, 16)), 1), "Relu")
    y = builder.activation(builder.conv(y, channels, 1), draw.pick("Sigmoid", "HardSigmoid"))
    return builder.like("Mul", x, y)


def _inception(draw: _Draw, builder: Builder, x: str) -> str:
    """Parallel branches, concatenated."""
    branches = [_conv(draw, builder, x, draw.maps(8, 384), 1, 1)]
    for _ in range(draw.number(1, 2, 3)):
        y = _conv(draw, builder, x, draw.maps(8, 256), 1, 1)
        side = draw.number(1, 3, 3, 5)
        kernels: list[int | tuple[int, int]] = [(1, 7), (7, 1)] if draw.chance(0.15) else [side]
        for kernel in kernels:
            y = _conv(draw, builder, y, draw.maps(8, 384), kernel, 1)
        branches.append(y)
    if draw.chance(0.5):
        y = builder.pool(draw.pick("MaxPool", "AveragePool"), x, 3, 1)
        branches.append(_conv(draw, builder, y, draw.maps(8, 256), 1, 1))
    return builder.concat(branches)


def _dense(draw: _Draw, builder: Builder, x: str) -> str:
    """Normalise, activate, convolve and concatenate, as DenseNets do."""
    growth = draw.number(12, 24, 32, 48)
    for _ in range(draw.number(1, 2, 3)):
        y = builder.activation(builder.norm(x), "Relu")
        y = _conv(draw, builder, y, 4 * growth, 1, 1) if draw.chance(0.7) else y
        x = builder.concat([x, builder.conv(y, growth, 3)])
    return x


def _unfused(draw: _Draw, builder: Builder, x: str) -> str:
    """Normalisation and scaling as nodes of their own, as old exporters write them."""
    channels = builder.shapes[x][1]
    x = builder.like("Mul", builder.norm(x), builder.constant((channels, 1, 1), 0.1, 1.0))
    x = builder.like("Add", x, builder.constant((channels, 1, 1), 0.1))
    return builder.activation(x, draw.act)


def _shuffled(draw: _Draw, builder: Builder, x: str) -> str:
    """Grouped convolutions with the channels shuffled between them."""
    _, channels, height, width = builder.shapes[x]
    groups = draw.number(2, 3, 4, 8)
    maps = groups * max(1, round(draw.maps(32, 480) / groups))
    maps = groups * max(1, draw.limited(maps, 2 * channels / groups * height * width) // groups)
    x = x if channels % groups == 0 else builder.conv(x, maps, 1)
    x = _finish(draw, builder, builder.conv(x, maps, 1, groups=groups))
    batch, _, height, width = builder.shapes[x]
    x = builder.reshape(x, batch, groups, maps // groups, height, width)
    x = builder.reshape(builder.transpose(x, 0, 2, 1, 3, 4), batch, maps, height, width)
    y = builder.conv(x, maps, 3, groups=maps, stride=1)
    y = builder.conv(builder.norm(y), maps, 1, groups=groups)
    return builder.activation(builder.node("Sum", [y, x], builder.shapes[y]), "Relu") if draw.chance(0.7) else y


def _grouped(draw: _Draw, builder: Builder, x: str) -> str:
    """A grouped convolution of 3 by 3, as in AlexNet and ResNeXt."""
    _, channels, height, width = builder.shapes[x]
    groups = draw.number(2, 2, 4, 8, 16, 32)
    grain = groups * draw.number(4, 8, 16, 16)
    maps = grain * max(1, round(draw.maps(64, 512) / grain))
    x = x if channels % groups == 0 else _conv(draw, builder, x, maps, 1, 1)
    channels = builder.shapes[x][1]
    if channels % groups or channels * maps * 18 / groups * height * width > draw.most_flops:
        return x
    return _finish(draw, builder, builder.conv(x, maps, draw.number(3, 3, 5), groups=groups))


def _pooled(draw: _Draw, builder: Builder, x: str) -> str:
    height = builder.shapes[x][2]
    side = draw.number(2, 3, 3)
    stride = draw.number(1, 2, 2) if height > 6 else 1
    return builder.pool(draw.pick("MaxPool", "MaxPool", "AveragePool"), x, side, stride, padded=side == 3)


def _local_norm(draw: _Draw, builder: Builder, x: str) -> str:
    return builder.like("LRN", x, size=draw.number(3, 5, 5, 9), alpha=1e-4, beta=0.75, bias=1.0)


def _upsampled(draw: _Draw, builder: Builder, x: str) -> str:
    """Up by two and joined with what is there, as U-Nets and detectors do."""
    _, channels, height, width = builder.shapes[x]
    if channels * height * width * 4 > 2e6:
        return x
    y = builder.resize(x, 2, draw.pick("nearest", "linear"))
    return _conv(draw, builder, y, draw.maps(8, 256), 3, 2)


def _chained(draw: _Draw, builder: Builder, x: str) -> str:
    """Element-wise layers that nothing is fused with."""
    y = builder.activation(x, draw.pick("Relu", "Sigmoid", "Tanh", "HardSwish", "Clip", "LeakyRelu"))
    if draw.chance(0.5):
        y = builder.like(draw.pick("Add", "Mul"), y, x)
    return builder.transpose(builder.transpose(y, 0, 2, 3, 1), 0, 3, 1, 2) if draw.chance(0.2) else y


def _classifier(draw: _Draw, builder: Builder, x: str) -> str:
    """From maps to classes."""
    _, channels, height, width = builder.shapes[x]
    if channels * height * width > 30000 or draw.chance(0.6):
        x = builder.mean(x)
    x = builder.reshape(x, 1, math.prod(builder.shapes[x]))
    return _linears(draw, builder, x)


def _linears(draw: _Draw, builder: Builder, x: str) -> str:
    """Fully connected layers; their weights are read once, so they are limited by bytes."""
    if len(builder.shapes[x]) == 3:
        return builder.activation(builder.linear(x, draw.maps(32, 1024)), draw.pick("Relu", "Gelu", "Tanh"))
    for _ in range(draw.number(1, 1, 2)):
        most = draw.most_flops / draw.number(15, 50, 100, 200) / builder.shapes[x][1]
        x = builder.gemm(x, max(8, min(round(draw.between(10, 6000)), int(most))))
        x = builder.activation(x, "Relu") if draw.chance(0.6) else x
    return builder.like("Softmax", x, axis=-1) if draw.chance(0.6) else x


def _attention(draw: _Draw, builder: Builder, x: str) -> str:
    """Self-attention with its normalisation and sum."""
    _, count, width = builder.shapes[x]
    heads = draw.number(1, 2, 4, 8) if width % 64 == 0 else 1
    y = builder.layer_norm(x)
    split = [builder.reshape(builder.linear(y, width), 1, count, heads, width // heads) for _ in range(3)]
    query, value = (builder.transpose(part, 0, 2, 1, 3) for part in (split[0], split[2]))
    scores = builder.scaled(builder.matmul(query, builder.transpose(split[1], 0, 2, 3, 1)), (width // heads) ** -0.5)
    mixed = builder.transpose(builder.matmul(builder.like("Softmax", scores, axis=-1), value), 0, 2, 1, 3)
    return builder.add(x, builder.linear(builder.reshape(mixed, 1, count, width), width))


def _perceptron(draw: _Draw, builder: Builder, x: str) -> str:
    """A transformer's two linear layers with their normalisation and sum."""
    width = builder.shapes[x][2]
    y = builder.linear(builder.layer_norm(x), width * draw.number(1, 2, 4))
    return builder.add(x, builder.linear(builder.activation(y, draw.pick("Gelu", "Gelu", "Relu")), width))


_IMAGE_BLOCKS: dict[str, _Block] = {
    "convs": _convs, "residual": _residual, "separable": _separable, "inception": _inception, "dense": _dense,
    "unfused": _unfused, "shuffled": _shuffled, "grouped": _grouped, "pooled": _pooled, "local norm": _local_norm,
    "upsampled": _upsampled, "chained": _chained,
}  # fmt: skip
_IMAGE_STEPS = (
    *_IMAGE_BLOCKS,
    *("convs", "residual", "separable", "inception") * 4,
    *("dense", "shuffled", "grouped", "pooled") * 2,
    *("shuffled",) * 3,  # groups, counts and maps make many kinds of them
)  # fmt: skip
_TOKEN_BLOCKS: dict[str, _Block] = {"attention": _attention, "perceptron": _perceptron, "linears": _linears}
_TOKENS_EVERY = 7  # one specimen in so many is a transformer
