"""The rival on the device: a network statically quantised to int8, of the same question, so a member of a bundle.

    python -m edgent.lab.rivals.int8 b-alexnet --data DIR --output b-alexnet-int8.onnx

What comes of it holds standard operators only (QLinearConv, MaxPool on bytes), each a layer as before. Activations have
the ranges that they have on training images, weights one scale per channel. Accuracy is measured on the test images,
behind each image codec too, and written into the file and its calibration. How fast it is on a machine, `edgent
profile` says: nothing is assumed here.

Before quantising, what has no place among whole numbers is rewritten, exactly but for the first:

- local response normalisation is left out: in b-alexnet it changes a value by about one part in ten thousand
  (`edgent.training.b_alexnet.network`), and a byte's step is 40 times that;
- dropout, which does nothing at inference, goes;
- a linear layer becomes the convolution of its input's size: ONNX has no int8 linear layer with a bias;
- a ReLU or pooling that reads what another one reads is that other one: the quantiser takes a ReLU into the
  convolution before it, and gets that wrong where there are two.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper, shape_inference

from edgent.codec import fit, normalise
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgentError, InputError
from edgent.evaluation.data.cifar10 import CIFAR10_TEST, Images, load_cifar10
from edgent.evaluation.evaluate import evaluate
from edgent.model import ExitInfo, Model
from edgent.model.configuration.document import KEY, write_json
from edgent.model.metadata import Metadata

CALIBRATING = 1000
"""Training images whose activations give the ranges: the last ones, which b-alexnet was not trained on."""

_BATCH = 100
_NOTHING = {"LRN", "Dropout"}
_SAME = {"Relu", "MaxPool"}


class _Feeds:
    """Images as the quantiser asks for them: a batch at each call, then None."""

    def __init__(self, model: Model, pixels: NDArray[np.uint8]) -> None:
        form = model.metadata.preprocessing
        if form is None or len(model.inputs) != 1:
            raise InputError(f"{model.name} does not say how an image becomes its input: it cannot be calibrated")
        batches = (pixels[start : start + _BATCH] for start in range(0, len(pixels), _BATCH))
        self._feeds: Iterator[Mapping[str, NDArray[np.float32]]] = (
            {model.inputs[0].name: np.concatenate([normalise(fit(one, form), form) for one in batch])}
            for batch in batches
        )

    def get_next(self) -> Mapping[str, NDArray[np.float32]] | None:
        """The next batch's inputs; None after the last."""
        return next(self._feeds, None)


def quantised(model: Model, pixels: NDArray[np.uint8]) -> onnx.ModelProto:
    """The model in int8, its exits as they were, their accuracies unknown.

    Args:
        model: One that says how an image becomes its input.
        pixels: Images whose activations give the ranges, uint8, shape [n, height, width, 3].

    Raises:
        InputError: the model takes no images.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    plain = rewritten(onnx.load(model.path))
    add_pre_process_metadata(plain)  # else a warning asks for what `rewritten` has done
    with tempfile.TemporaryDirectory(prefix="edgent-int8-") as folder:
        target = Path(folder) / "int8.onnx"
        quantize_static(
            plain,
            target,
            _Feeds(model, pixels),
            quant_format=QuantFormat.QOperator,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
        )
        int8 = onnx.load(target)
    int8.producer_name = "edgent"
    return _described(int8, replace(model.metadata, exits=tuple(map(_unmeasured, model.metadata.exits))))


def rewritten(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The same network in nodes that can be quantised; see the module."""
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in shape_inference.infer_shapes(proto).graph.value_info
    }
    return _Rewriting(proto, shapes).run()


class _Rewriting:
    def __init__(self, proto: onnx.ModelProto, shapes: Mapping[str, Sequence[int]]) -> None:
        self.model = onnx.ModelProto()
        self.model.CopyFrom(proto)
        self.shapes = shapes
        self.weights = {tensor.name: tensor for tensor in self.model.graph.initializer}
        self.answers = {value.name for value in proto.graph.output}
        self.instead: dict[str, str] = {}
        self.known: dict[tuple[str, ...], str] = {}

    def run(self) -> onnx.ModelProto:
        graph = self.model.graph
        nodes = [added for node in graph.node for added in self.node(node)]
        del graph.node[:], graph.value_info[:]
        graph.node.extend(nodes)
        onnx.checker.check_model(self.model, full_check=True)
        return self.model

    def node(self, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
        node.input[:] = [self.instead.get(name, name) for name in node.input]
        if node.op_type in _NOTHING or self._flattens_for_linear(node):
            self.instead[node.output[0]] = node.input[0]
        elif node.op_type in _SAME and (twin := self.known.get(_key(node))):
            self.instead[node.output[0]] = twin
        elif node.op_type == "Gemm":
            yield from self._convolution(node)
        else:
            self.known[_key(node)] = node.output[0]
            yield node

    def _flattens_for_linear(self, node: onnx.NodeProto) -> bool:
        readers = [other for other in self.model.graph.node if node.output[0] in other.input]
        return node.op_type == "Flatten" and all(reader.op_type == "Gemm" for reader in readers)

    def _convolution(self, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
        """A linear layer's weights [out, in] as those of a convolution [out, channels, height, width]."""
        x, weight = node.input[0], self.weights[node.input[1]]
        matrix = numpy_helper.to_array(weight)
        sides = tuple(self.shapes[x][2:]) or (1, 1)
        weight.CopyFrom(numpy_helper.from_array(matrix.reshape(len(matrix), -1, *sides), weight.name))
        (answer,) = node.output
        if answer not in self.answers:
            yield helper.make_node("Conv", node.input, [answer], name=node.name, kernel_shape=sides)
            return
        yield helper.make_node("Conv", node.input, [f"{answer}/scores"], name=node.name, kernel_shape=sides)
        yield helper.make_node("Flatten", [f"{answer}/scores"], [answer], name=f"{answer}/flatten", axis=1)


def _key(node: onnx.NodeProto) -> tuple[str, ...]:
    return node.op_type, *node.input, *(attribute.SerializeToString().hex() for attribute in node.attribute)


def _unmeasured(entry: ExitInfo) -> ExitInfo:
    return replace(entry, accuracy=None, samples=None, data=None)


def _described(proto: onnx.ModelProto, metadata: Metadata) -> onnx.ModelProto:
    helper.set_model_props(proto, {KEY: write_json(metadata)})
    return proto


def measured(path: Path, images: Images) -> None:
    """Writes into a model's file how often each exit is right, and its calibration beside it."""
    examples = images.examples(CIFAR10_TEST)
    evaluation = evaluate(load(path), examples, engine=OnnxRuntimeEngine(threads=2), every_cut=True)
    accuracies, calibration = evaluation.accuracies, evaluation.calibration
    metadata = load(path).metadata
    exits = tuple(
        replace(entry, accuracy=accuracy, samples=len(images.labels), data=calibration.data)
        for entry, accuracy in zip(metadata.exits, accuracies, strict=True)
    )
    path.write_bytes(_described(onnx.load(path), replace(metadata, exits=exits)).SerializeToString())
    calibration.save(path.with_name(f"{path.stem}.calibration.json"))


def main(arguments: list[str]) -> int:
    """Quantises, measures, writes; see the module."""
    parser = argparse.ArgumentParser(
        prog="python -m edgent.lab.rivals.int8", description="a statically quantised network"
    )
    parser.add_argument("model", help="a name or a file")
    parser.add_argument("--data", type=Path, required=True, help="CIFAR-10, from `edgent data cifar10`")
    parser.add_argument("--output", "-o", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        pixels = load_cifar10(options.data, "train").pixels[-CALIBRATING:]
        options.output.write_bytes(quantised(load(options.model), pixels).SerializeToString())
        measured(options.output, load_cifar10(options.data, "test"))
    except EdgentError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"{options.output}: cannot be written ({error.strerror})\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
