"""Blocks of fewer networks: detectors' decoders, sound and text, 8 bits, recurrent layers."""

from __future__ import annotations

import math

from edgent.model.builder import Builder
from edgent.model.specimens.blocks import conv
from edgent.model.specimens.draw import Draw

_OF_ONE = ("Abs", "Erf", "Exp", "Floor", "HardSigmoid", "Neg", "Softplus")
_OF_POSITIVE = ("Sqrt", "Reciprocal", "Log")
_OF_TWO = ("Sub", "Div", "Max", "Min", "Pow")


def arithmetic(draw: Draw, builder: Builder, x: str) -> str:
    """Element-wise arithmetic, as decoders of boxes and hand-written activations have it."""
    # Each is a family of its own and takes next to nothing: many at once, so that a short sweep meets all of them.
    for kind in draw.several(5, *_OF_ONE, *_OF_POSITIVE, *_OF_TWO, "Where"):
        if kind in _OF_TWO:
            x = builder.like(kind, x, builder.constant((1,), 0.1, 2.0))
        elif kind == "Where":
            larger = builder.like(draw.pick("Greater", "Equal", "Less"), x, builder.constant((1,)))
            x = builder.node("Where", [larger, x, x], builder.shapes[x])
        else:
            x = builder.like(kind, builder.activation(x, "Sigmoid") if kind in _OF_POSITIVE else x)
    return builder.activation(x, "Sigmoid")  # so that nothing grows beyond what a network computes with


def ranked(draw: Draw, builder: Builder, x: str) -> str:
    """What comes behind a detector's convolutions: its best places, one per object, and what is known of them."""
    _, channels, height, width = builder.shapes[x]
    places = height * width
    most = min(places, round(draw.between(1, 300)))
    x = builder.reshape(x, 1, channels, places)
    best = builder.node("ReduceMax", [x], (1, 1, places), axes=[1], keepdims=1)
    kinds = builder.node("ArgMax", [x], (1, 1, places), axis=1, keepdims=1)
    top = builder.node("TopK", [best, builder.integers(most)], (1, 1, most), axis=-1)
    where = builder.also(top, (1, 1, most), "where")
    parts = [top, builder.node("GatherElements", [builder.like("Cast", kinds, to=1), where], (1, 1, most), axis=2)]
    if channels >= 4:
        firsts, lasts = builder.integers(0, 0, 0), builder.integers(1, 4, places)
        boxes = builder.transpose(builder.node("Slice", [x, firsts, lasts], (1, 4, places)), 0, 2, 1)
        # Hardly any two of them overlap that much, so that always as many are chosen as may be.
        limits = [builder.integers(most), builder.constant((1,), 0.0, 0.99)]
        chosen = builder.node("NonMaxSuppression", [boxes, best, *limits], (most, 3))
        parts.append(builder.reshape(builder.like("Cast", chosen, to=1), 1, 3, most))
    if draw.chance(0.5):
        # All of them are numbers and none is 0, or nobody knew how many come.
        found = builder.node("NonZero", [builder.activation(top, "Sigmoid")], (3, most))
        parts.append(builder.reshape(builder.like("Cast", found, to=1), 1, 3, most))
    y = builder.concat(parts)
    wide = builder.node("Expand", [y, builder.integers(2, *builder.shapes[y][1:])], (2, *builder.shapes[y][1:]))
    return builder.reshape(wide, 1, 2 * builder.shapes[y][1], most, 1)


def rearranged(draw: Draw, builder: Builder, x: str) -> str:
    """Parts of a tensor split, padded, gathered and joined, casts between them."""
    shape = builder.shapes[x]
    if shape[1] % 2 == 0 and draw.chance(0.6):
        left, right = builder.split(x)
        x = builder.concat([builder.activation(left, draw.act), right])
    if draw.chance(0.5):
        x = builder.node("Gather", [x, builder.integers(*range(shape[1] - 1, -1, -1))], builder.shapes[x], axis=1)
    shape = builder.shapes[x]
    if shape[1] > 1 and draw.chance(0.6):
        kept = round(draw.between(1, shape[1]))
        first, last = builder.integers(*(0,) * len(shape)), builder.integers(shape[0], kept, *shape[2:])
        x = builder.node("Slice", [x, first, last], (shape[0], kept, *shape[2:]))
    if draw.chance(0.5):
        x = builder.like("Cast", builder.like("Cast", x, to=7), to=1)
    shape = builder.shapes[x]
    if draw.chance(0.5):
        return x
    # A border around the map, or one column: that of an even filter.
    begin, end = (
        ((0, 0, 1, 1),) * 2
        if draw.chance(0.6) and len(shape) == 4
        else ((0,) * len(shape), (0,) * (len(shape) - 1) + (1,))
    )
    grown = tuple(length + before + after for length, before, after in zip(shape, begin, end, strict=True))
    return builder.node("Pad", [x, builder.integers(*begin, *end)], grown)


def reduced(draw: Draw, builder: Builder, x: str) -> str:
    """A tensor beside a reduction of itself over one axis, as hand-written normalisations have it."""
    y = builder.reduced(draw.pick("ReduceMean", "ReduceMax", "ReduceSum"), x)
    y = builder.like(draw.pick("Sub", "Mul"), x, y)
    if draw.chance(0.5):
        y = builder.like("Softmax", y, axis=draw.number(1, -1))
    if len(builder.shapes[y]) == 4 and draw.chance(0.4):
        peak = builder.node("GlobalMaxPool", [y], (*builder.shapes[y][:2], 1, 1))
        y = builder.like("Add", y, peak)
    return y


def enlarged(draw: Draw, builder: Builder, x: str) -> str:
    """A transposed convolution, as decoders of segmentation have it."""
    _, channels, height, width = builder.shapes[x]
    if channels * height * width * 16 > 2e6:
        return builder.pool("MaxPool", x, 2, 2)
    maps = draw.limited(draw.maps(8, 128), 8 * channels * height * width)
    return conv(draw, builder, builder.transposed(x, maps, 2), draw.maps(8, 128), 3, 2)


def one_dimensional(draw: Draw, builder: Builder, x: str) -> str:
    """Convolutions over a sequence, as networks for sound and text have them."""
    batch, channels, height, width = builder.shapes[x]
    y = builder.reshape(x, batch, channels, height * width)
    if channels * height * width > 2048 and draw.chance(0.4):
        # As a spectrum is taken of a signal: one channel, a long window that moves by its half.
        window = draw.number(64, 128, 256)
        y = builder.reshape(x, batch, 1, channels * height * width)
        maps = draw.limited(window + 2, 4 * channels * height * width)
        y = builder.conv(y, maps, (window,), stride=window // 2, padded=False)
    for _ in range(draw.number(1, 2)):
        side = draw.number(1, 3, 5)
        maps = draw.limited(draw.maps(16, 256), 2 * side * math.prod(builder.shapes[y]))
        y = builder.activation(builder.conv(y, maps, (side,)), draw.act)
    return builder.reshape(y, *builder.shapes[y], 1)


def quantised(draw: Draw, builder: Builder, x: str) -> str:
    """A residual block of 8 bits, its middle perhaps depthwise."""
    _, channels, height, width = builder.shapes[x]
    x = y = builder.quantised(x)
    wide = draw.limited(draw.maps(16, 512), 2 * channels * height * width)
    side, groups = draw.number(3, 3, 5), wide if draw.chance(0.5) else 1
    if groups == 1 and 2 * side**2 * wide**2 * height * width > draw.most_flops / 2:
        groups = wide
    for maps, kernel, parts in ((wide, 1, 1), (wide, side, groups), (channels, 1, 1)):
        y = builder.conv(y, maps, kernel, groups=parts, bias=False, eight_bit=True)
        y = builder.quantised(y)  # from 0 up, so that it is a Relu as well
    y = builder.quantised(builder.add(x, y)) if draw.chance(0.6) else y
    if draw.chance(0.2) and channels * height * width < 5e5:
        image = builder.quantised(builder.input((1, 3, 2 * height, 2 * width)))
        stem = builder.conv(image, channels, 3, stride=2, bias=False, eight_bit=True)
        y = builder.quantised(builder.add(y, builder.quantised(stem)))
    if draw.chance(0.4):
        y = builder.reshape(builder.quantised(builder.mean(y)), 1, channels)
        wide = draw.maps(16, 1000)
        weights = builder.quantised_constant((channels, wide))
        product = builder.node(draw.pick("MatMul", "Gemm"), [y, weights], (1, wide))
        return builder.reshape(builder.quantised(product), 1, wide, 1, 1)
    return y


def quantised_on_the_way(draw: Draw, builder: Builder, x: str) -> str:
    """Weights of 8 bits whose inputs are quantised as they come, as networks for text and sound have them."""
    shape = builder.shapes[x]
    y, scale, zero = builder.quantised_now(x)
    if len(shape) == 4:
        side = draw.number(1, 3, 3)
        maps = draw.limited(draw.maps(16, 256), 2 * side**2 * math.prod(shape))
        product = builder.integer_conv(y, zero, maps, side)
    else:
        product = builder.integer_product(y, zero, 64 * round(draw.between(1, 8)))
    return builder.like(
        "Mul", builder.like("Cast", product, to=1), builder.node("Mul", [scale, builder.constant((1,))], (1,))
    )


def recurrent(draw: Draw, builder: Builder, x: str) -> str:
    """An LSTM and a GRU along the tokens."""
    width = builder.shapes[x][-1]
    if draw.chance(0.5):
        # One step, as networks that work on a stream take it; their state comes from the step before.
        x = builder.node("Slice", [x, builder.integers(0, 0, 0), builder.integers(1, 1, width)], (1, 1, width))
    y = builder.transpose(x, 1, 0, 2)
    for kind in ("LSTM", "GRU"):
        y = builder.recurrent(kind, y, 16 * round(draw.between(1, 32)))
    return builder.linear(builder.transpose(y, 1, 0, 2), width, bias=draw.chance(0.5))
