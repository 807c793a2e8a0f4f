"""PyTorch, asked for in one place, so that its absence is told once and in one line."""

from edgent.errors import MissingExtraError

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError as error:
    raise MissingExtraError("training", "train") from error

__all__ = ["functional", "nn", "torch"]
