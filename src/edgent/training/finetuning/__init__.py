"""Networks with published weights, trained further on pictures: EfficientNet-Lite on clothes."""

from edgent.training.finetuning.recipe import FINE_TUNINGS, FineTuning
from edgent.training.finetuning.trainer import fine_tune

__all__ = ["FINE_TUNINGS", "FineTuning", "fine_tune"]
