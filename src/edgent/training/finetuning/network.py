"""EfficientNet-Lite: MobileNet's inverted bottlenecks without what weak processors do slowly.

    M. Tan and Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019, table 1.
    The Lite variants have no squeeze-and-excitation, ReLU6 in swish's place, and a first and a last stage that do not
    grow.

Batch normalisation is folded into the convolutions when the published weights are read, and so are its statistics:
those of ImageNet's million photographs serve better than those of a batch. What is trained is what is exported.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgent.errors import InputError

__all__ = ["SIZES", "Block", "Conv", "EfficientNetLite", "Scaling", "same_padding"]

_STAGES = (
    # kernel, stride, expansion, channels, blocks
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_STEM, _HEAD = 32, 1280
_EPSILON = 1e-3
"""Of the batch normalisation that is folded away."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """How a member of the family differs from the first.

    Attributes:
        width: factor of the channels.
        depth: factor of the blocks in a stage.
        size: height and width of the pictures that it was trained on.
    """

    width: float
    depth: float
    size: int

    def channels(self, count: int) -> int:
        """Channels of a layer, a multiple of 8 that is at least nine tenths of the product."""
        scaled = count * self.width
        rounded = max(8, int(scaled + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * scaled else rounded


SIZES: Mapping[str, Scaling] = {
    "lite0": Scaling(width=1.0, depth=1.0, size=224),
    "lite1": Scaling(width=1.0, depth=1.1, size=240),
    "lite2": Scaling(width=1.1, depth=1.2, size=260),
}


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and behind an axis, as TensorFlow's SAME has them: with a stride, the odd one comes behind."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Conv(nn.Module):
    """A convolution with a bias that keeps the size but for its stride, and ReLU6 behind it where asked."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, *, groups: int = 1, relu: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups)
        self.kernel, self.stride, self.relu = kernel, stride, relu

    def forward(self, x: Tensor) -> Tensor:
        """Shape [batch, inputs, height, width] to [batch, outputs, height / stride, width / stride]."""
        before, behind = same_padding(x.shape[-1], self.kernel, self.stride)
        conv, around = self.conv, before
        if before != behind:
            x, around = functional.pad(x, (before, behind, before, behind)), 0
        x = functional.conv2d(x, conv.weight, conv.bias, conv.stride, around, 1, conv.groups)
        return functional.relu6(x) if self.relu else x


class Block(nn.Module):
    """An inverted bottleneck: channels grow, each is convolved on its own, channels shrink again."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        layers = [Conv(inputs, wide)] if expansion > 1 else []
        self.layers = nn.Sequential(
            *layers, Conv(wide, wide, kernel, stride, groups=wide), Conv(wide, outputs, relu=False)
        )
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Shape [batch, inputs, height, width] to [batch, outputs, height / stride, width / stride]."""
        y: Tensor = self.layers(x)
        return x + y if self.skips else y


class EfficientNetLite(nn.Module):
    """A member of the family with a classifier of its own.

    Args:
        scaling: which member.
        classes: number of classes.
        dropout: share of the pooled values that are dropped before the classifier.
        frozen: so many of the blocks, the first ones, and the layer before them are not trained.
    """

    def __init__(self, scaling: Scaling, classes: int, *, dropout: float = 0.0, frozen: int = 0) -> None:
        super().__init__()
        blocks, inputs = [], _STEM
        for number, (kernel, stride, expansion, channels, repeats) in enumerate(_STAGES):
            ends = number in {0, len(_STAGES) - 1}
            outputs = scaling.channels(channels)
            for block in range(repeats if ends else math.ceil(repeats * scaling.depth)):
                blocks.append(Block(inputs, outputs, kernel, stride if block == 0 else 1, expansion))
                inputs = outputs
        self.prefix = nn.Sequential(Conv(3, _STEM, 3, 2), *blocks[:frozen]).requires_grad_(requires_grad=frozen == 0)
        self.blocks = nn.Sequential(*blocks[frozen:], Conv(inputs, _HEAD))
        self.classifier = nn.Linear(_HEAD, classes)
        self.dropout = dropout

        # The gradient of a depthwise kernel takes longer than all other gradients of its block, for 2 % of its weights.
        for module in self.convolutions():
            module.requires_grad_(module.conv.groups == 1 and module.conv.weight.requires_grad)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape [batch, classes], of normalised pictures, shape [batch, 3, height, width]."""
        return self.classify(self.prefix(x))

    def classify(self, x: Tensor) -> Tensor:
        """Logits, shape [batch, classes], of what the prefix makes of pictures."""
        x = self.blocks(x).mean((2, 3))
        result: Tensor = self.classifier(functional.dropout(x, self.dropout, self.training))
        return result

    def convolutions(self) -> Iterator[Conv]:
        """Every convolution, in order."""
        return (module for module in self.modules() if isinstance(module, Conv))

    @torch.no_grad()
    def read(self, path: Path) -> None:
        """Take the published weights of a member's convolutions; the classifier keeps its own.

        norm(Wx) = (Wx - mean) * gain + shift with gain = scale / sqrt(variance + eps), hence W' = gain * W and
        b' = shift - mean * gain, in double precision.

        Raises:
            InputError: no weights of this member.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            # The names differ, the order does not: a convolution's weight, then five tensors of its normalisation.
            tensors = [tensor.double() for name, tensor in state.items() if not name.startswith("_fc.")]
        except Exception as error:  # torch.load has no error type of its own
            raise InputError(
                f"{path} holds no weights ({error}); install the package that it belongs to anew"
            ) from error
        ours = list(self.convolutions())
        if len(tensors) != 6 * len(ours):
            raise InputError(
                f"{path} holds {len(tensors)} tensors, expected {6 * len(ours)}: another network's weights"
            )
        try:
            self._fold(tensors)
        except RuntimeError as error:  # a shape
            raise InputError(f"{path}: {error}: another network's weights") from error

    def _fold(self, tensors: list[Tensor]) -> None:
        for number, module in enumerate(self.convolutions()):
            weight, scale, shift, mean, variance = tensors[6 * number : 6 * number + 5]
            gain = scale / (variance + _EPSILON).sqrt()
            module.conv.weight.copy_(weight * gain.reshape(-1, 1, 1, 1))
            bias = module.conv.bias
            assert bias is not None
            bias.copy_(shift - mean * gain)
