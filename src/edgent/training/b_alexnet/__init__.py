"""A multi-exit network from scratch: B-AlexNet on CIFAR-10, in PyTorch, exported to one ONNX file.

What it makes runs without PyTorch.
"""

from edgent.training import pytorch  # noqa: F401 - first, for it says what is missing
from edgent.training.b_alexnet.export import Accuracy, export, measure
from edgent.training.b_alexnet.recipe import RECIPES, Recipe
from edgent.training.b_alexnet.trainer import train_b_alexnet

__all__ = ["RECIPES", "Accuracy", "Recipe", "export", "measure", "train_b_alexnet"]
