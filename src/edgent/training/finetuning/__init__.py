"""Networks with published weights, trained further on pictures: EfficientNet-Lite on clothes.

What it makes runs without PyTorch.
"""

from edgent.training import pytorch  # noqa: F401 - first, for it says what is missing
from edgent.training.finetuning.recipe import FINE_TUNINGS, FineTuning
from edgent.training.finetuning.trainer import fine_tune

__all__ = ["FINE_TUNINGS", "FineTuning", "fine_tune"]
