"""The facts as the product's own files have them, so that real devices plan by what was measured here."""

from __future__ import annotations

from edgent.codec import Calibration, is_lossless
from edgent.codec.calibration import CodecAccuracy, EncodedSize, ExitAccuracy
from edgent.evaluation.measures.measure import wilson
from edgent.lab.cameras.facts import Facts, Marks, Pair
from edgent.model import Model


def calibration_of(bundle: Model, pair: Pair, facts: Facts, data: str) -> Calibration:
    """Sizes and accuracies of both networks.

    Differences are taken for what they seem, as in the simulation: a rival who sends every picture because the big
    network seems better must not stay at home because some hundred pictures cannot prove it.

    Args:
        bundle: both networks.
        pair: which of its exits they are.
        facts: what they answer.
        data: what the pictures are called.
    """
    (small, big), count, whole = pair.exits, len(facts), facts.big["source"]
    branch = next(branch for branch in bundle.branches if branch.exit == big)
    tensors = tuple(sorted(tensor.name for tensor in branch.inputs))
    return Calibration(
        model=bundle.name,
        digest=bundle.digest,
        data=data,
        metric="top-1",
        exits=(_exit(small, facts.small, whole), _exit(big, whole, whole)),
        sizes=tuple(
            EncodedSize(tensors=tensors, codec=codec, mean_bytes=float(sizes.mean()), samples=count)
            for codec, sizes in facts.nbytes.items()
        ),
        accuracies=tuple(
            CodecAccuracy(exit=big, tensors=tensors, codec=codec, accuracy=float(right.mean()), samples=count)
            for codec, right in facts.big.items()
            if not is_lossless(codec)
        ),
    )


def _exit(number: int, right: Marks, best: Marks) -> ExitAccuracy:
    accuracy, (low, high) = float(right.mean()), wilson(int(right.sum()), len(right))
    change = accuracy - float(best.mean())
    return ExitAccuracy(
        exit=number, accuracy=accuracy, samples=len(right), interval=(low, high), change=(change, change)
    )
