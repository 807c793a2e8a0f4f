"""What one twig is taught with, and who teaches: what is known of both without PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from edgent.training.exits.twigs import TwigForm, TwigWeights
from edgent.training.subject import Classes


class Lesson(NamedTuple):
    """Maps at one place, and what is right about them.

    Attributes:
        maps: as the twig reads them, shape (n, views, channels, height, width).
        said: the network's own answer to each view: logarithms of probabilities, or vectors; (n, views, outputs).
        classes: the right one of each picture; None: only the network's answer counts.
        is_vector: whether answers are vectors.
    """

    maps: NDArray[Any]
    said: NDArray[Any]
    classes: Classes | None
    is_vector: bool


class Trainer(Protocol):
    """Finds the weights of a twig."""

    def seconds_an_epoch(self, form: TwigForm, lesson: Lesson) -> float:
        """How long it takes to see each picture once, tried out."""
        ...

    def fit(
        self,
        form: TwigForm,
        lesson: Lesson,
        *,
        epochs: int,
        seed: int,
        checkpoint: Path,
        progress: Callable[[int, int], None],
    ) -> TwigWeights:
        """The weights after so many epochs.

        Args:
            form: of the twig.
            lesson: what it learns from.
            epochs: how often each picture is seen.
            seed: of everything random.
            checkpoint: a file that is kept after each epoch; where it is there already, training goes on from it.
            progress: called with the epochs done and their number.
        """
        ...
