"""Random choices, in the ranges of real networks."""

from __future__ import annotations

import math

import numpy as np

from edgent.model.builder import Builder

_SIDES = (4, 6, 7, 8, 10, 13, 14, 16, 20, 26, 27, 28, 32, 40, 52, 54, 55, 56, 64, 80, 112)  # maps that networks have
_IMAGES = (32, 64, 96, 128, 160, 192, 224, 256, 299)


class Draw:
    """Random choices, in the ranges of real networks."""

    def __init__(self, random: np.random.Generator, most_flops: float) -> None:
        self.random = random
        self.most_flops = most_flops
        # One activation for a whole network, as real ones have; Relu is by far the most common.
        self.act = self.pick("Relu", "Relu", "Relu", "Clip", "Silu", "HardSwish", "LeakyRelu", "Sigmoid")

    def chance(self, share: float) -> bool:
        """Whether it happens this time: true in that share of all draws."""
        return bool(self.random.random() < share)

    def pick(self, *choices: str) -> str:
        """One of some names."""
        return str(self.random.choice(choices))

    def several(self, count: int, *choices: str) -> list[str]:
        """So many of some names, each once at most."""
        return [str(name) for name in self.random.choice(choices, count, replace=False)]

    def number(self, *choices: int) -> int:
        """One of some numbers."""
        return int(self.random.choice(choices))

    def between(self, low: float, high: float) -> float:
        """A number between two others; its logarithm is uniformly distributed."""
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
        """A map, or an image with the convolution that reads it."""
        side = self.number(*_SIDES) if self.chance(0.6) else round(self.between(5, 130))
        maps = self.maps(8, min(1200, 4e6 / side**2))
        if self.chance(0.3):
            return self.stem(builder)
        return builder.input((1, maps, side, side))

    def stem(self, builder: Builder) -> str:
        """An image and the convolution that reads it."""
        channels, kernel = self.number(1, 3, 3, 3), self.number(3, 3, 5, 7, 11)
        stride = self.number(1, 2, 2, 4)
        side = self.number(*_IMAGES) if self.chance(0.5) else round(self.between(28, 256))
        side = min(side, 128) if stride == 1 else side
        x = builder.input((1, channels, side, side))
        return finish(self, builder, builder.conv(x, self.maps(8, 96), kernel, stride=stride, padded=self.chance(0.7)))

    def tokens(self, builder: Builder) -> str:
        """Tokens of a sequence."""
        # One token alone is a step of a decoder: products of a row are implementations of their own.
        count, width = 1 if self.chance(0.2) else round(self.between(16, 400)), 64 * round(self.between(1, 14))
        if count * width * width * 2 > self.most_flops / 10:
            width = max(64, 64 * int(math.sqrt(self.most_flops / 20 / count) // 64))
        return builder.input((1, count, width))


def finish(draw: Draw, builder: Builder, x: str) -> str:
    """What follows a convolution: perhaps a normalisation, mostly an activation."""
    x = builder.norm(x) if draw.chance(0.5) else x
    return builder.activation(x, draw.act) if draw.chance(0.85) else x
