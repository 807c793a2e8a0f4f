"""Everything that decides how a network is trained, in one value."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from edgent.errors import InputError

__all__ = ["RECIPES", "Recipe"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a B-AlexNet is trained; the defaults are those of the shipped `b-alexnet`.

    Attributes:
        epochs: passes over the training images.
        batch: images in one step.
        learning_rate: its highest value; it rises linearly from a tenth of that, then falls to zero along a cosine.
        warm_up: share of all steps in which it rises.
        momentum: Nesterov's.
        weight_decay: on every parameter.
        exit_weights: weight of each exit's loss, earliest first; only their ratios matter.
        trunk_widths: output channels of the trunk's five convolutions; the paper's.
        hidden_widths: values that the trunk's two hidden linear layers give; the paper's.
        exit_widths: output channels of the convolution of each side branch, earliest first.
        label_smoothing: share of the target spread over all classes.
        dropout: share of the values dropped behind the two hidden linear layers.
        shift: images are moved by up to so many pixels.
        held_back: so many images, the last of the training files, are kept for measuring and never trained on.
        images: train on the first so many images only; None takes all.
    """

    epochs: int = 30
    batch: int = 256
    learning_rate: float = 0.3
    warm_up: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    exit_weights: tuple[float, float, float, float, float] = (1.0, 0.6, 0.4, 0.4, 1.0)
    trunk_widths: tuple[int, int, int, int, int] = (32, 64, 96, 96, 64)
    hidden_widths: tuple[int, int] = (256, 128)
    exit_widths: tuple[int, int, int, int] = (64, 32, 64, 16)
    label_smoothing: float = 0.05
    dropout: float = 0.1
    shift: int = 4
    held_back: int = 5000
    images: int | None = None

    def __post_init__(self) -> None:
        """Refuses what cannot be trained."""
        for name in ("epochs", "batch", "learning_rate", "held_back"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name in ("warm_up", "momentum", "label_smoothing", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be in 0..1, below 1")
        if min(self.exit_weights) < 0 or max(self.exit_weights) <= 0:
            raise InputError(f"exit weights {self.exit_weights}: expected 0 or more, and one above 0")
        if min(widths := (*self.trunk_widths, *self.hidden_widths, *self.exit_widths)) < 1:
            raise InputError(f"a layer of {min(widths)} channels: expected 1 or more")
        if self.images is not None and self.images < self.batch:
            raise InputError(f"{self.images} images are less than one batch of {self.batch}; lower the batch")

    @classmethod
    def narrow(cls) -> "Recipe":
        """The same at half of every width: a smaller network for the device, trained on the same data."""
        return cls(trunk_widths=(16, 32, 48, 48, 32), hidden_widths=(128, 64), exit_widths=(32, 16, 32, 8))

    def smoke(self) -> "Recipe":
        """A run of a few seconds which shows that everything works, and learns next to nothing."""
        return dataclasses.replace(self, epochs=1, images=512, batch=128, held_back=500)

    def as_json(self) -> dict[str, Any]:
        """The recipe as the log and the checkpoint keep it: tuples as lists."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(self).items()}


RECIPES: Mapping[str, Recipe] = {"b-alexnet": Recipe(), "b-alexnet-narrow": Recipe.narrow()}
"""What can be trained, by the name of the file that comes of it."""
