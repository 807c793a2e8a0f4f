"""A fine-tuned EfficientNet-Lite as one ONNX file: a node for each layer, and Edgent's metadata."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from edgent.files import write_whole
from edgent.training.finetuning.network import Block, Conv, EfficientNetLite, same_padding
from edgent.training.finetuning.pictures import MEAN, STD

__all__ = ["export", "to_onnx"]

METADATA_KEY = "edgent"
_OPSET, _IR_VERSION = 17, 8
_LARGEST = 6.0
"""What ReLU6 lets through."""


class _Graph:
    """Nodes and weights as they are appended; each method gives its output's name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, kind: str, name: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [output or name], name=name, **attributes))
        return output or name

    def weight(self, name: str, tensor: Tensor) -> str:
        self.weights.append(numpy_helper.from_array(tensor.detach().contiguous().numpy(), name))
        return name

    def conv(self, name: str, x: str, layer: Conv, size: int) -> tuple[str, int]:
        """A convolution of a map of that height and width; the output's name, and its height and width."""
        conv = layer.conv
        assert conv.bias is not None
        before, behind = same_padding(size, layer.kernel, layer.stride)
        inputs = [x, self.weight(f"{name}.weight", conv.weight), self.weight(f"{name}.bias", conv.bias)]
        attributes = {"kernel_shape": [layer.kernel] * 2, "strides": [layer.stride] * 2, "group": conv.groups}
        y = self.add("Conv", name, inputs, pads=[before, before, behind, behind], **attributes)
        if layer.relu:
            y = self.add("Clip", f"{name}/relu6", [y, "zero", "six"])
        return y, -(-size // layer.stride)

    def block(self, name: str, x: str, block: Block, size: int) -> tuple[str, int]:
        y = x
        for number, layer in enumerate(block.layers):
            assert isinstance(layer, Conv)
            y, size = self.conv(f"{name}/conv{number}", y, layer, size)
        return (self.add("Add", f"{name}/add", [x, y]) if block.skips else y), size


def to_onnx(network: EfficientNetLite, size: int, metadata: dict[str, Any]) -> onnx.ModelProto:
    """The network as a checked ONNX model.

    Args:
        network: trained.
        size: height and width of its pictures.
        metadata: for the key `edgent`; see docs/own-models.md.
    """
    graph = _Graph()
    graph.weight("zero", network.classifier.weight.new_tensor(0.0))
    graph.weight("six", network.classifier.weight.new_tensor(_LARGEST))
    x, extent = "image", size
    for number, part in enumerate([*network.prefix, *network.blocks]):
        add = graph.conv if isinstance(part, Conv) else graph.block
        x, extent = add(f"block{number}", x, part, extent)  # type: ignore[operator]
    x = graph.add("Flatten", "flatten", [graph.add("GlobalAveragePool", "pool", [x])], axis=1)
    classifier = network.classifier
    weights = [graph.weight("classifier.weight", classifier.weight), graph.weight("classifier.bias", classifier.bias)]
    graph.add("Gemm", "classifier", [x, *weights], "logits", transB=1)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "efficientnet-lite",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, size, size])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classifier.out_features])],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="edgent",
    )
    helper.set_model_props(model, {METADATA_KEY: json.dumps(metadata)})
    onnx.checker.check_model(model, full_check=True)
    return model


def export(
    network: EfficientNetLite, labels: Sequence[str], size: int, path: Path, *, accuracy: float, samples: int, data: str
) -> None:
    """Write the network as one ONNX file with its configuration inside.

    Args:
        network: trained.
        labels: the classes' names.
        size: height and width of its pictures.
        path: where the file goes.
        accuracy: share of pictures that it answers rightly.
        samples: of so many.
        data: which pictures, in a few words.
    """
    metadata = {
        "version": 1,
        "task": "classification",
        "head": "logits",
        "labels": list(labels),
        "exits": [{"name": path.stem, "outputs": ["logits"], "accuracy": accuracy, "samples": samples, "data": data}],
        "preprocessing": {"size": [size, size], "resize": "stretch", "mean": list(MEAN), "std": list(STD)},
    }
    write_whole(path, to_onnx(network, size, metadata).SerializeToString())
