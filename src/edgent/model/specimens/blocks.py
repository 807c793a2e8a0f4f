"""The blocks that most networks are made of."""

from __future__ import annotations

import math

from edgent.model.builder import Builder
from edgent.model.specimens.draw import Draw, finish


def convs(draw: Draw, builder: Builder, x: str) -> str:
    """One to three convolutions in a row."""
    for _ in range(draw.number(1, 2, 3)):
        kernel = draw.number(1, 1, 3, 3, 3, 5, 7)
        x = conv(draw, builder, x, draw.maps(), kernel)
    return x


def conv(draw: Draw, builder: Builder, x: str, maps: int, kernel: int | tuple[int, int], stride: int = 0) -> str:
    """A convolution with what follows it; `stride` 0: drawn."""
    _, channels, height, width = builder.shapes[x]
    stride = stride or (2 if height > 6 and draw.chance(0.25) else 1)
    area = kernel * kernel if isinstance(kernel, int) else math.prod(kernel)
    maps = draw.limited(maps, 2 * channels * area * height * width / stride**2)
    return finish(draw, builder, builder.conv(x, maps, kernel, stride=stride, bias=draw.chance(0.6)))


def residual(draw: Draw, builder: Builder, x: str) -> str:
    """Two or three convolutions around a sum, as ResNets have them."""
    channels = builder.shapes[x][1]
    inner = max(4, channels // draw.number(1, 2, 4))
    y = conv(draw, builder, x, inner, draw.number(1, 3), 1)
    y = conv(draw, builder, y, inner, 3, 1) if draw.chance(0.6) else y
    y = builder.conv(y, channels, draw.number(1, 1, 3))
    y = builder.norm(y) if draw.chance(0.6) else y
    x = builder.conv(x, channels, 1) if draw.chance(0.2) else x
    # Either order: an engine may fuse a sum into the convolution of its first input only.
    y = builder.add(*((y, x) if draw.chance(0.5) else (x, y)))
    return builder.activation(y, draw.act) if draw.chance(0.7) else y


def separable(draw: Draw, builder: Builder, x: str) -> str:
    """A depthwise convolution between two of one by one, perhaps inverted, perhaps with squeeze and excitation."""
    _, channels, height, width = builder.shapes[x]
    wide = channels * draw.number(1, 3, 4, 6)
    # Inverted residuals on large maps would fill the caches many times over and take the budget of a whole specimen.
    if wide * height * width > 4e6:
        wide = channels
    y = conv(draw, builder, x, wide, 1, 1) if draw.chance(0.8) else x
    wide, stride = builder.shapes[y][1], draw.number(1, 1, 2) if height > 6 else 1
    y = builder.conv(y, wide, draw.number(3, 3, 5, 7), stride=stride, groups=wide)
    y = finish(draw, builder, y)
    y = excited(draw, builder, y) if draw.chance(0.25) else y
    keeps = stride == 1 and draw.chance(0.5)
    y = builder.conv(y, draw.limited(channels if keeps else draw.maps(), 2 * wide * height * width / stride**2), 1)
    return builder.add(y, x) if builder.shapes[y] == builder.shapes[x] else y


def excited(draw: Draw, builder: Builder, x: str) -> str:
    """Squeeze and excitation."""
    channels = builder.shapes[x][1]
    y = builder.activation(builder.conv(builder.mean(x), max(4, channels // draw.number(4, 8, 16)), 1), "Relu")
    y = builder.activation(builder.conv(y, channels, 1), draw.pick("Sigmoid", "HardSigmoid"))
    return builder.like("Mul", x, y)


def inception(draw: Draw, builder: Builder, x: str) -> str:
    """Parallel branches, concatenated."""
    branches = [conv(draw, builder, x, draw.maps(8, 384), 1, 1)]
    for _ in range(draw.number(1, 2, 3)):
        y = conv(draw, builder, x, draw.maps(8, 256), 1, 1)
        side = draw.number(1, 3, 3, 5)
        kernels: list[int | tuple[int, int]] = [(1, 7), (7, 1)] if draw.chance(0.15) else [side]
        for kernel in kernels:
            y = conv(draw, builder, y, draw.maps(8, 384), kernel, 1)
        branches.append(y)
    if draw.chance(0.5):
        y = builder.pool(draw.pick("MaxPool", "AveragePool"), x, 3, 1)
        branches.append(conv(draw, builder, y, draw.maps(8, 256), 1, 1))
    return builder.concat(branches)


def dense(draw: Draw, builder: Builder, x: str) -> str:
    """Normalise, activate, convolve and concatenate, as DenseNets do."""
    growth = draw.number(12, 24, 32, 48)
    for _ in range(draw.number(1, 2, 3)):
        y = builder.activation(builder.norm(x), "Relu")
        y = conv(draw, builder, y, 4 * growth, 1, 1) if draw.chance(0.7) else y
        x = builder.concat([x, builder.conv(y, growth, 3)])
    return x


def unfused(draw: Draw, builder: Builder, x: str) -> str:
    """Normalisation and scaling as nodes of their own, as old exporters write them."""
    channels = builder.shapes[x][1]
    x = builder.like("Mul", builder.norm(x), builder.constant((channels, 1, 1), 0.1, 1.0))
    x = builder.like("Add", x, builder.constant((channels, 1, 1), 0.1))
    return builder.activation(x, draw.act)


def shuffled(draw: Draw, builder: Builder, x: str) -> str:
    """Grouped convolutions with the channels shuffled between them."""
    _, channels, height, width = builder.shapes[x]
    groups = draw.number(2, 3, 4, 8)
    maps = groups * max(1, round(draw.maps(32, 480) / groups))
    maps = groups * max(1, draw.limited(maps, 2 * channels / groups * height * width) // groups)
    x = x if channels % groups == 0 else builder.conv(x, maps, 1)
    x = finish(draw, builder, builder.conv(x, maps, 1, groups=groups))
    batch, _, height, width = builder.shapes[x]
    x = builder.reshape(x, batch, groups, maps // groups, height, width)
    x = builder.reshape(builder.transpose(x, 0, 2, 1, 3, 4), batch, maps, height, width)
    y = builder.conv(x, maps, 3, groups=maps, stride=1)
    y = builder.conv(builder.norm(y), maps, 1, groups=groups)
    return builder.activation(builder.node("Sum", [y, x], builder.shapes[y]), "Relu") if draw.chance(0.7) else y


def grouped(draw: Draw, builder: Builder, x: str) -> str:
    """A grouped convolution of 3 by 3, as in AlexNet and ResNeXt."""
    _, channels, height, width = builder.shapes[x]
    groups = draw.number(2, 2, 4, 8, 16, 32)
    grain = groups * draw.number(4, 8, 16, 16)
    maps = grain * max(1, round(draw.maps(64, 512) / grain))
    x = x if channels % groups == 0 else conv(draw, builder, x, maps, 1, 1)
    channels = builder.shapes[x][1]
    if channels % groups or channels * maps * 18 / groups * height * width > draw.most_flops:
        return x
    return finish(draw, builder, builder.conv(x, maps, draw.number(3, 3, 5), groups=groups))


def pooled(draw: Draw, builder: Builder, x: str) -> str:
    """A pooling."""
    height, width = builder.shapes[x][2:]
    side = draw.number(2, 3, 3) if min(height, width) > 1 else 3  # padded, for a window of 2 finds no place there
    stride = draw.number(1, 2, 2) if height > 6 else 1
    return builder.pool(draw.pick("MaxPool", "MaxPool", "AveragePool"), x, side, stride, padded=side == 3)


def local_norm(draw: Draw, builder: Builder, x: str) -> str:
    """Local response normalisation."""
    return builder.like("LRN", x, size=draw.number(3, 5, 5, 9), alpha=1e-4, beta=0.75, bias=1.0)


def upsampled(draw: Draw, builder: Builder, x: str) -> str:
    """Up by two and joined with what is there, as U-Nets and detectors do."""
    _, channels, height, width = builder.shapes[x]
    if channels * height * width * 4 > 2e6:
        return x
    y = builder.resize(x, 2, draw.pick("nearest", "linear"))
    return conv(draw, builder, y, draw.maps(8, 256), 3, 2)


def chained(draw: Draw, builder: Builder, x: str) -> str:
    """Element-wise layers that nothing is fused with."""
    y = builder.activation(x, draw.pick("Relu", "Sigmoid", "Tanh", "HardSwish", "Clip", "LeakyRelu"))
    if draw.chance(0.5):
        y = builder.like(draw.pick("Add", "Mul"), y, x)
    return builder.transpose(builder.transpose(y, 0, 2, 3, 1), 0, 3, 1, 2) if draw.chance(0.2) else y


def classifier(draw: Draw, builder: Builder, x: str) -> str:
    """From maps to classes."""
    _, channels, height, width = builder.shapes[x]
    if channels * height * width > 30000 or draw.chance(0.6):
        x = builder.mean(x)
    x = builder.reshape(x, 1, math.prod(builder.shapes[x]))
    return linears(draw, builder, x)


def linears(draw: Draw, builder: Builder, x: str) -> str:
    """Fully connected layers; their weights are read once, so they are limited by bytes."""
    if len(builder.shapes[x]) == 3:
        return builder.activation(
            builder.linear(x, draw.maps(32, 1024), bias=draw.chance(0.6)), draw.pick("Relu", "Gelu", "Tanh")
        )
    for _ in range(draw.number(1, 1, 2)):
        most = draw.most_flops / draw.number(15, 50, 100, 200) / builder.shapes[x][1]
        x = builder.gemm(x, max(8, min(round(draw.between(10, 6000)), int(most))))
        x = builder.activation(x, "Relu") if draw.chance(0.6) else x
    return builder.like("Softmax", x, axis=-1) if draw.chance(0.6) else x


def attention(draw: Draw, builder: Builder, x: str) -> str:
    """Self-attention with its normalisation and sum."""
    _, count, width = builder.shapes[x]
    heads = draw.number(1, 2, 4, 8) if width % 64 == 0 else 1
    y = builder.layer_norm(x)
    split = [builder.reshape(builder.linear(y, width), 1, count, heads, width // heads) for _ in range(3)]
    query, value = (builder.transpose(part, 0, 2, 1, 3) for part in (split[0], split[2]))
    scores = builder.scaled(builder.matmul(query, builder.transpose(split[1], 0, 2, 3, 1)), (width // heads) ** -0.5)
    mixed = builder.transpose(builder.matmul(builder.like("Softmax", scores, axis=-1), value), 0, 2, 1, 3)
    return builder.add(x, builder.linear(builder.reshape(mixed, 1, count, width), width))


def perceptron(draw: Draw, builder: Builder, x: str) -> str:
    """A transformer's two linear layers with their normalisation and sum."""
    width = builder.shapes[x][2]
    y = builder.linear(builder.layer_norm(x), width * draw.number(1, 2, 4))
    return builder.add(x, builder.linear(builder.activation(y, draw.pick("Gelu", "Gelu", "Relu")), width))
