"""One random network: which blocks follow each other, and which numbers begin with which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgent.model.builder import Builder, Shape
from edgent.model.model import Segment
from edgent.model.specimens import blocks, control_flow, rarer_blocks
from edgent.model.specimens.draw import Draw

_Block = Callable[[Draw, Builder, str], str]

_IMAGE_BLOCKS: dict[str, _Block] = {
    "convs": blocks.convs, "residual": blocks.residual, "separable": blocks.separable, "inception": blocks.inception,
    "dense": blocks.dense, "unfused": blocks.unfused, "shuffled": blocks.shuffled, "grouped": blocks.grouped,
    "pooled": blocks.pooled, "local norm": blocks.local_norm, "upsampled": blocks.upsampled, "chained": blocks.chained,
    "arithmetic": rarer_blocks.arithmetic, "ranked": rarer_blocks.ranked, "rearranged": rarer_blocks.rearranged,
    "reduced": rarer_blocks.reduced, "enlarged": rarer_blocks.enlarged,
    "one-dimensional": rarer_blocks.one_dimensional,
    "quantised": rarer_blocks.quantised, "controlled": control_flow.controlled,
    "quantised on the way": rarer_blocks.quantised_on_the_way,
}  # fmt: skip
_IMAGE_STEPS = (
    *_IMAGE_BLOCKS,
    *("convs", "residual", "separable", "inception") * 4,
    *("dense", "shuffled", "grouped", "pooled") * 2,
    *("shuffled",) * 3,  # groups, counts and maps make many kinds of them
)  # fmt: skip
_TOKEN_BLOCKS: dict[str, _Block] = {
    "attention": blocks.attention, "perceptron": blocks.perceptron, "linears": blocks.linears,
    "recurrent": rarer_blocks.recurrent, "quantised on the way": rarer_blocks.quantised_on_the_way,
}  # fmt: skip
_TOKENS_EVERY = 7  # one specimen in so many is a transformer
FIRST_GO = max(_TOKENS_EVERY * len(_TOKEN_BLOCKS) - _TOKENS_EVERY + 1, len(_IMAGE_BLOCKS) * 7 // 6 + 1)
"""Specimens after which every block was the first of one."""


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


def first_block(seed: int) -> str:
    """What the specimen with a number begins with; every block comes once in the first go round."""
    if seed % _TOKENS_EVERY == 0:
        return list(_TOKEN_BLOCKS)[seed // _TOKENS_EVERY % len(_TOKEN_BLOCKS)]
    return list(_IMAGE_BLOCKS)[(seed - seed // _TOKENS_EVERY - 1) % len(_IMAGE_BLOCKS)]


def specimen(seed: int, most_flops: float = 1e9) -> Specimen:
    """The random network with a number.

    Args:
        seed: the same number always gives the same network.
        most_flops: roughly how much arithmetic it may hold.
    """
    draw = Draw(np.random.default_rng(seed), most_flops)
    builder, names = Builder(), []
    of_tokens = seed % _TOKENS_EVERY == 0
    x = draw.tokens(builder) if of_tokens else draw.image(builder)
    table, steps = (_TOKEN_BLOCKS, tuple(_TOKEN_BLOCKS)) if of_tokens else (_IMAGE_BLOCKS, _IMAGE_STEPS)
    name = first_block(seed)
    # Two to five blocks: enough for neighbours on both sides, few enough that a sweep times many specimens.
    for _ in range(int(draw.random.integers(2, 6 if seed >= FIRST_GO else 3))):
        x = table[name](draw, builder, x)
        names.append(name)
        # In the first go round a block comes twice: of rare kernels a second one tells more than one of the common.
        name = draw.pick(*steps) if seed >= FIRST_GO else name
    if len(builder.shapes[x]) == 4 and draw.chance(0.4):
        x = blocks.classifier(draw, builder, x)
        names.append("classifier")
    return Specimen(segment=builder.segment([builder.corner(x)]), shapes=builder.shapes, blocks=tuple(names))
