"""The facts as the product's own files have them, so that real devices plan by what was measured here."""

from __future__ import annotations

import numpy as np

from edgent.codec import Calibration, is_lossless
from edgent.codec.calibration import CodecAccuracy, EncodedSize, ExitAccuracy
from edgent.evaluation.measures.measure import wilson
from edgent.lab.cameras.facts import Facts, Marks, Pair
from edgent.lab.cameras.verdicts import ahead, draws_of
from edgent.model import Model


def calibration_of(bundle: Model, pair: Pair, facts: Facts, data: str) -> Calibration:
    """Sizes and accuracies of both networks, as `edgent evaluate` would write them.

    Args:
        bundle: both networks.
        pair: which of its exits they are.
        facts: what they answer.
        data: what the pictures are called.
    """
    (small, big), count = pair.exits, len(facts)
    whole, branch = facts.big["source"], next(b for b in bundle.branches if b.exit == big)
    tensors = tuple(sorted(tensor.name for tensor in branch.inputs))
    draws = draws_of(count)
    return Calibration(
        model=bundle.name,
        digest=bundle.digest,
        data=data,
        metric="top-1",
        exits=(_exit(small, facts.small, whole, draws), _exit(big, whole, whole, draws)),
        sizes=tuple(
            EncodedSize(tensors=tensors, codec=codec, mean_bytes=float(sizes.mean()), samples=count)
            for codec, sizes in facts.nbytes.items()
        ),
        accuracies=tuple(
            CodecAccuracy(
                exit=big,
                tensors=tensors,
                codec=codec,
                accuracy=float(right.mean()),
                samples=count,
                change=_change(right, whole, draws),
            )
            for codec, right in facts.big.items()
            if not is_lossless(codec)
        ),
    )


def _exit(number: int, right: Marks, best: Marks, draws: np.ndarray) -> ExitAccuracy:
    low, high = wilson(int(right.sum()), len(right))
    return ExitAccuracy(
        exit=number,
        accuracy=float(right.mean()),
        samples=len(right),
        interval=(low, high),
        change=_change(right, best, draws),
    )


def _change(right: Marks, before: Marks, draws: np.ndarray) -> tuple[float, float]:
    change = ahead(draws @ right, draws @ before)
    return change.low, change.high
