"""A multi-exit network from scratch: B-AlexNet on CIFAR-10, in PyTorch, exported to one ONNX file.

Only this folder imports PyTorch (the extra ``train``); what it makes runs without.
"""

from edgent.errors import MissingExtraError

try:
    import torch  # noqa: F401 - asked for here, so that its absence is told once and in one line
except ImportError as error:
    raise MissingExtraError("training", "train") from error

from edgent.training.export import Accuracy, export, measure
from edgent.training.recipe import RECIPES, Recipe
from edgent.training.trainer import train_b_alexnet

__all__ = ["RECIPES", "Accuracy", "Recipe", "export", "measure", "train_b_alexnet"]
