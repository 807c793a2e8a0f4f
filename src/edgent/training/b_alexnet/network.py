"""BranchyNet's AlexNet for CIFAR-10 (B-AlexNet), in the form in which it is trained.

The layers, as the paper counts them (a side branch hangs on the output of the trunk layer in brackets)::

     1 conv 5x5  3->32    5 conv 5x5 32->64  [exit 0]    9 conv 3x3 64->96  [exit 1]   13 conv 3x3 96->64  [exit 3]
     2 relu               6 relu                        10 relu                        14 relu, 15 max pool
     3 max pool 3/2       7 max pool 3/2                11 conv 3x3 96->96             16 fc 1024->256, relu, dropout
     4 lrn                8 lrn                         12 relu             [exit 2]   19 fc 256->128, relu, dropout
                                                                                       22 fc 128->10         exit 4

Each side branch has seven layers: relu, max pool, lrn, conv 3x3, relu, max pool, fc->10.
So the branches have 12, 16, 19, 20 and 22 layers.

Three things differ while training, none of them in what is exported:

- every convolution and every hidden linear layer is followed by batch normalisation, which the export folds into it;
- local response normalisation is left out: behind batch normalisation it changes a value by about one part in ten
  thousand, and costs a quarter of an epoch. Evaluation and export have it;
- a ReLU, pooling or normalisation that a side branch would repeat on the same tensor is computed once.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "EXIT_AFTER",
    "HIDDEN",
    "LRN_ALPHA",
    "LRN_BETA",
    "LRN_BIAS",
    "LRN_SIZE",
    "TRUNK",
    "BAlexNet",
    "Folding",
    "local_response_norm",
]

EXIT_AFTER = (5, 9, 12, 13)
"""The trunk layers (counted from 1) whose outputs the side branches read."""

TRUNK, HIDDEN = (32, 64, 96, 96, 64), (256, 128)
"""The paper's widths: channels of the five convolutions, values of the two hidden linear layers."""

LRN_SIZE, LRN_ALPHA, LRN_BETA, LRN_BIAS = 3, 5e-5, 0.75, 1.0
"""BranchyNet's local response normalisation."""


def local_response_norm(x: Tensor) -> Tensor:
    """Normalise each value by those in the two neighbouring channels.

    The same as ``torch.nn.functional.local_response_norm(x, 3, 5e-5, 0.75, 1.0)``, several times faster: that one
    goes through a three-dimensional average pooling and a general power.

    Args:
        x: shape [batch, channels, height, width].

    Returns:
        The same shape.
    """
    squares = x * x
    total = squares.clone()
    total[:, 1:] += squares[:, :-1]
    total[:, :-1] += squares[:, 1:]
    root = (LRN_BIAS + (LRN_ALPHA / LRN_SIZE) * total).rsqrt()
    return x * root * root.sqrt()  # y ** -0.75 is y ** -0.5 times the root of itself


def _pool(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, kernel_size=3, stride=2, padding=1)


class Folding(nn.Module):
    """A convolution or linear layer with batch normalisation behind it, which can be folded into it."""

    def __init__(self, layer: nn.Conv2d | nn.Linear) -> None:
        super().__init__()
        self.layer = layer
        self.norm = (
            nn.BatchNorm2d(layer.out_channels) if isinstance(layer, nn.Conv2d) else nn.BatchNorm1d(layer.out_features)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer, then its batch normalisation."""
        result: Tensor = self.norm(self.layer(x))
        return result

    @torch.no_grad()
    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the single layer that does the same as both in evaluation.

        norm(Wx) = (Wx - mean) * gain + shift with gain = scale / sqrt(variance + eps), hence W' = gain * W and
        b' = shift - mean * gain. In double precision, so that folding adds no error of its own.
        """
        norm = self.norm
        assert norm.running_mean is not None and norm.running_var is not None
        gain = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
        weight = self.layer.weight.double()
        weight = weight * gain.reshape(-1, *[1] * (weight.dim() - 1))
        bias = norm.bias.double() - norm.running_mean.double() * gain
        return weight.float(), bias.float()


def _conv(inputs: int, outputs: int, size: int) -> Folding:
    return Folding(nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False))


def _linear(inputs: int, outputs: int) -> Folding:
    return Folding(nn.Linear(inputs, outputs, bias=False))


class SideBranch(nn.Module):
    """What an exit has beyond the pooled and normalised trunk tensor: conv 3x3, relu, max pool, fc."""

    def __init__(self, channels: int, width: int, side: int, classes: int) -> None:
        super().__init__()
        self.conv = _conv(channels, width, 3)
        self.fc = nn.Linear(width * (side // 2) ** 2, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape [batch, classes], of a tensor of shape [batch, channels, side, side]."""
        result: Tensor = self.fc(_pool(functional.relu(self.conv(x))).flatten(1))
        return result


class BAlexNet(nn.Module):
    """The trunk with its four side branches.

    Args:
        trunk: output channels of the trunk's convolutions; the paper's are `TRUNK`.
        hidden: values that its two hidden linear layers give; the paper's are `HIDDEN`.
        exits: output channels of the convolution of each side branch, earliest first.
        dropout: share of the values dropped behind the hidden linear layers.
        classes: number of classes.
    """

    def __init__(
        self,
        *,
        trunk: tuple[int, int, int, int, int] = TRUNK,
        hidden: tuple[int, int] = HIDDEN,
        exits: tuple[int, int, int, int],
        dropout: float = 0.0,
        classes: int = 10,
    ) -> None:
        super().__init__()
        a, b, c, d, e = trunk
        self.conv1, self.conv2 = _conv(3, a, 5), _conv(a, b, 5)
        self.conv3, self.conv4, self.conv5 = _conv(b, c, 3), _conv(c, d, 3), _conv(d, e, 3)
        self.fc6, self.fc7 = _linear(16 * e, hidden[0]), _linear(*hidden)
        self.fc8 = nn.Linear(hidden[1], classes)
        self.dropout = dropout
        channels, sides = (b, c, d, e), (8, 4, 4, 4)
        self.exits = nn.ModuleList(
            SideBranch(*numbers, classes) for numbers in zip(channels, exits, sides, strict=True)
        )

    def _norm(self, x: Tensor) -> Tensor:
        return x if self.training else local_response_norm(x)

    def features(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """What the side branches read, pooled and normalised, and the trunk after layer 15.

        Args:
            x: normalised images, shape [batch, 3, 32, 32].
        """
        relu = functional.relu
        x = self._norm(_pool(relu(self.conv1(x))))
        after5 = self._norm(_pool(relu(self.conv2(x))))
        after9 = relu(self.conv3(after5))
        after12 = relu(self.conv4(after9))
        after15 = _pool(relu(self.conv5(after12)))
        branches = [after5, self._norm(_pool(after9)), self._norm(_pool(after12)), self._norm(after15)]
        return branches, after15

    def classify(self, x: Tensor) -> Tensor:
        """Layers 16 to 22: logits of the last exit from the trunk after layer 15."""
        for layer in (self.fc6, self.fc7):
            x = functional.dropout(functional.relu(layer(x.flatten(1))), self.dropout, self.training)
        result: Tensor = self.fc8(x)
        return result

    def forward(self, x: Tensor) -> list[Tensor]:
        """Logits of every exit, earliest first, each of shape [batch, classes]."""
        branches, trunk = self.features(x)
        return [branch(y) for branch, y in zip(self.exits, branches, strict=True)] + [self.classify(trunk)]
