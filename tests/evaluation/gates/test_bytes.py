"""`benchmarks/gates.py`: what a policy that was fixed on one half of the pictures does on the other, by counting."""

from __future__ import annotations

import numpy as np
import pytest

import gates
from edgent.evaluation.gates.gating import Opinions
from edgent.model.tasks.class_probabilities import log_probabilities

PICTURES, CLASSES = 600, 4
SIZES = {"source": 40_000, "webp-90": 20_000, "jpeg-25": 5_000}


class Sizes:
    """A scorer of pictures of one size."""

    def image_size(self, codec: str, rows: np.ndarray) -> float:
        assert rows.size
        return float(SIZES[codec])


def scores(rng: np.random.Generator, truths: np.ndarray, signal: float) -> np.ndarray:
    noise = rng.normal(size=(len(truths), CLASSES))
    return log_probabilities(noise + signal * np.eye(CLASSES)[truths])


@pytest.fixture(scope="module")
def opinions() -> Opinions:
    """Networks that err independently; behind webp-90 the big one is what it was, behind jpeg-25 worse."""
    rng = np.random.default_rng(0)
    truths = rng.integers(0, CLASSES, PICTURES)
    small, big, poor = (scores(rng, truths, signal) for signal in (3.0, 3.2, 2.4))
    return Opinions({0: small, 1: big}, {"webp-90": big, "jpeg-25": poor}, truths, "accuracy")


def test_both_halves_together_are_all_pictures(opinions) -> None:
    even, odd, both = gates.halves(opinions, Sizes(), list(SIZES), 0)
    for field in ("deferred", "bytes", "accuracy", "over_big"):
        assert getattr(both, field) == pytest.approx((getattr(even, field) + getattr(odd, field)) / 2)
    assert both.bytes <= both.deferred * max(SIZES.values())
    assert both.share == pytest.approx(both.bytes / SIZES[both.coded])


def test_the_codec_beside_it_is_the_smallest_that_costs_half_a_point_at_most(opinions) -> None:
    (*_, both) = gates.halves(opinions, Sizes(), list(SIZES), 0)
    big = (opinions.by_exit[1].argmax(axis=1) == opinions.truths).mean()
    assert both.coded == "webp-90"
    assert both.coded_accuracy == pytest.approx(big)
    assert both.over_big == pytest.approx(100 * (both.accuracy - big))


def test_what_is_scored_has_no_part_in_what_is_fixed(opinions) -> None:
    """With the scored half's truths exchanged the policy of that half stays, and so does what it sends."""
    first = next(gates.halves(opinions, Sizes(), list(SIZES), 0))
    truths = opinions.truths.copy()
    truths[::2] = (truths[::2] + 1) % CLASSES
    other = next(gates.halves(opinions._replace(truths=truths), Sizes(), list(SIZES), 0))
    assert (first.codec, first.deferred, first.bytes) == (other.codec, other.deferred, other.bytes)
    assert other.accuracy < first.accuracy


def test_a_cascade_takes_the_late_answers_of_the_least_sure_alone() -> None:
    early = np.log([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.7, 0.3]])
    late = np.log([[0.2, 0.8]] * 4)
    assert gates._cascade(early, late).argmax(axis=1).tolist() == [0, 1, 0, 0]
