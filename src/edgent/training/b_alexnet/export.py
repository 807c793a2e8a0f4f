"""A trained B-AlexNet as one ONNX file: one node per layer of the paper, batch normalisation folded away.

Built node by node, since a traced export turns local response normalisation into nine nodes and drops dropout.
Nodes stand in the trunk's order, each side branch right behind the trunk layer whose output it reads; the only nodes
that are no layers are the ``Flatten`` before the linear ones, which only change the shape.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from edgent.evaluation.data.cifar10 import Images
from edgent.training.b_alexnet.augment import MEAN, STD, normalised
from edgent.training.b_alexnet.network import (
    EXIT_AFTER,
    LRN_ALPHA,
    LRN_BETA,
    LRN_BIAS,
    LRN_SIZE,
    BAlexNet,
    Folding,
    SideBranch,
)

__all__ = ["METADATA_KEY", "Accuracy", "export", "measure", "to_onnx"]

METADATA_KEY = "edgent"
_OPSET, _IR_VERSION = 17, 8

Run = Callable[[NDArray[np.float32]], Sequence[NDArray[np.float32]]]
"""Answers of all exits to images of shape [batch, 3, 32, 32], earliest exit first."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Shares of images answered rightly, measured on the exported file.

    Attributes:
        exits: one share per exit, earliest first.
        samples: number of images.
        data: which images, in a few words.
    """

    exits: tuple[float, ...]
    samples: int
    data: str


class _Graph:
    """Nodes and weights as they are appended; each method adds one layer and returns its output's name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, kind: str, name: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """One node; its output has the node's name unless another one is given."""
        output = output or name
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=name, **attributes))
        return output

    def _weighted(self, name: str, x: str, weight: Tensor, bias: Tensor) -> list[str]:
        names = [f"{name}.weight", f"{name}.bias"]
        for tensor, own in zip((weight, bias), names, strict=True):
            self.weights.append(numpy_helper.from_array(tensor.detach().contiguous().numpy(), own))
        return [x, *names]

    def conv(self, name: str, x: str, layer: Folding) -> str:
        """A convolution that keeps height and width."""
        weight, bias = layer.folded()
        # Half the kernel on each side keeps the size of the map.
        around = weight.shape[-1] // 2
        inputs = self._weighted(name, x, weight, bias)
        return self.add("Conv", name, inputs, kernel_shape=list(weight.shape[2:]), pads=[around] * 4, strides=[1, 1])

    def linear(self, name: str, x: str, layer: Folding | nn.Linear, output: str | None = None) -> str:
        """A fully connected layer."""
        weight, bias = layer.folded() if isinstance(layer, Folding) else (layer.weight, layer.bias)
        return self.add("Gemm", name, self._weighted(name, x, weight, bias), output, transB=1)

    def pool(self, name: str, x: str) -> str:
        """Max pooling that halves height and width."""
        return self.add("MaxPool", name, [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)

    def lrn(self, name: str, x: str) -> str:
        """Local response normalisation."""
        return self.add("LRN", name, [x], size=LRN_SIZE, alpha=LRN_ALPHA, beta=LRN_BETA, bias=LRN_BIAS)

    def dropout(self, name: str, x: str) -> str:
        """Dropout as it is at inference: nothing happens (no ratio, no training mode)."""
        return self.add("Dropout", name, [x])

    def side_branch(self, exit_name: str, x: str, branch: SideBranch) -> None:
        """The seven layers of an early exit."""
        y = self.add("Relu", f"{exit_name}/relu1", [x])
        y = self.lrn(f"{exit_name}/lrn", self.pool(f"{exit_name}/pool1", y))
        y = self.conv(f"{exit_name}/conv", y, branch.conv)
        y = self.pool(f"{exit_name}/pool2", self.add("Relu", f"{exit_name}/relu2", [y]))
        y = self.add("Flatten", f"{exit_name}/flatten", [y], axis=1)
        self.linear(f"{exit_name}/fc", y, branch.fc, output=exit_name)


def to_onnx(network: BAlexNet, labels: Sequence[str], accuracy: Accuracy | None = None) -> onnx.ModelProto:
    """The network in evaluation as a checked ONNX model with Edgent's metadata.

    Args:
        network: trained.
        labels: the classes' names.
        accuracy: of the exits; None writes null, for unknown.
    """
    graph = _Graph()
    _trunk(graph, network)
    exits = [f"exit{number}" for number in range(len(EXIT_AFTER) + 1)]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "b-alexnet",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 32, 32])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", len(labels)]) for name in exits],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="edgent",
    )
    helper.set_model_props(model, {METADATA_KEY: json.dumps(_metadata(exits, labels, accuracy))})
    # With full_check shapes are inferred as well: a wrong pad shows here and not on a device.
    onnx.checker.check_model(model, full_check=True)
    return model


def export(network: BAlexNet, labels: Sequence[str], path: Path, accuracy: Accuracy | None = None) -> None:
    """Write the network as one ONNX file; the file appears only once it is whole."""
    temporary = path.with_name(path.name + ".part")
    try:
        temporary.write_bytes(to_onnx(network, labels, accuracy).SerializeToString())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def measure(run: Run, images: Images, data: str, batch: int = 500) -> Accuracy:
    """Accuracy of every exit of an exported network.

    Args:
        run: runs the exported file, so that this is measured and not the network in PyTorch.
        images: labelled images it was not trained on.
        data: what they are, for the metadata.
        batch: how many images are run at a time.
    """
    right: list[int] = []
    for start in range(0, len(images.labels), batch):
        part = images.part(start, start + batch)
        x = np.ascontiguousarray(normalised(part.pixels).numpy())
        hits = [int((answer.argmax(1) == part.labels).sum()) for answer in run(x)]
        right = [a + b for a, b in zip(right or [0] * len(hits), hits, strict=True)]
    count = len(images.labels)
    return Accuracy(exits=tuple(hits / count for hits in right), samples=count, data=data)


def _trunk(graph: _Graph, network: BAlexNet) -> None:
    """Layers 1 to 22 in the paper's order, each side branch behind its trunk layer."""
    exits = [branch for branch in network.exits if isinstance(branch, SideBranch)]

    def behind(layer: int, x: str) -> None:
        number = EXIT_AFTER.index(layer)
        graph.side_branch(f"exit{number}", x, exits[number])

    # Relu and pooling are written out for trunk and side branch alike, as the paper counts them, though both compute
    # the same.
    x = graph.conv("conv1", "image", network.conv1)
    x = graph.lrn("lrn1", graph.pool("pool1", graph.add("Relu", "relu1", [x])))
    x = graph.conv("conv2", x, network.conv2)
    behind(5, x)
    x = graph.lrn("lrn2", graph.pool("pool2", graph.add("Relu", "relu2", [x])))
    x = graph.conv("conv3", x, network.conv3)
    behind(9, x)
    x = graph.conv("conv4", graph.add("Relu", "relu3", [x]), network.conv4)
    x = graph.add("Relu", "relu4", [x])
    behind(12, x)
    x = graph.conv("conv5", x, network.conv5)
    behind(13, x)
    x = graph.pool("pool5", graph.add("Relu", "relu5", [x]))
    x = graph.add("Flatten", "flatten", [x], axis=1)
    for name, layer in (("6", network.fc6), ("7", network.fc7)):
        x = graph.linear(f"fc{name}", x, layer)
        x = graph.dropout(f"drop{name}", graph.add("Relu", f"relu{name}", [x]))
    graph.linear("fc8", x, network.fc8, output="exit4")


def _metadata(exits: Sequence[str], labels: Sequence[str], accuracy: Accuracy | None) -> dict[str, Any]:
    shares = accuracy.exits if accuracy else (None,) * len(exits)
    return {
        "version": 1,
        "exits": [
            {
                "name": name,
                "outputs": [name],
                "accuracy": share,
                "samples": accuracy.samples if accuracy else None,
                "data": accuracy.data if accuracy else None,
            }
            for name, share in zip(exits, shares, strict=True)
        ],
        "labels": list(labels),
        "preprocessing": {
            "size": [32, 32],
            "resize": "stretch",
            "color": "RGB",
            "layout": "NCHW",
            "scale": 1 / 255,
            "mean": list(MEAN),
            "std": list(STD),
        },
    }
