"""Small detectors with seeded weights, as files with a configuration inside, and what plain ONNX Runtime answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from edgent.model.configuration.document import write_json
from edgent.model.metadata import Metadata, Preprocessing

SIDE, CLASSES = 64, 5
LABELS = ("cat", "dog", "bird", "car", "bus")


def save(proto: onnx.ModelProto, path: Path, metadata: Metadata) -> Path:
    proto.metadata_props.add(key="edgent", value=write_json(metadata))
    onnx.save(proto, path)
    return path


def detector(path: Path, **said: Any) -> Path:
    """A YOLOv8-like network: [1, 3, 64, 64] -> [1, 9, 256], some thirty boxes on most pictures."""
    random = np.random.default_rng(1)
    weights = {
        "w1": random.normal(0, 0.5, (8, 3, 4, 4)),
        "w2": np.concatenate([random.normal(0, 3, (4, 8, 1, 1)), random.normal(0, 1.2, (CLASSES, 8, 1, 1))]),
        "b2": np.concatenate([np.full(2, 30), np.full(2, 14), np.full(CLASSES, -2.5)]),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["c1"], name="c1", strides=[4, 4]),
        helper.make_node("Tanh", ["c1"], ["t1"], name="t1"),
        helper.make_node("Conv", ["t1", "w2", "b2"], ["c2"], name="c2"),
        helper.make_node("Reshape", ["c2", "flat"], ["r"], name="r"),
        helper.make_node("Split", ["r", "parts"], ["where", "what"], name="split", axis=1),
        helper.make_node("Sigmoid", ["what"], ["scores"], name="scores"),
        helper.make_node("Concat", ["where", "scores"], ["output0"], name="output0", axis=1),
    ]
    constants = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    constants.append(numpy_helper.from_array(np.array([1, 4 + CLASSES, 256]), "flat"))
    constants.append(numpy_helper.from_array(np.array([4, CLASSES]), "parts"))
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 4 + CLASSES, 256])],
        initializer=constants,
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    form = Preprocessing(size=(SIDE, SIDE), resize="letterbox")
    return save(
        proto,
        path,
        Metadata(**{"task": "detection", "head": "yolov8", "labels": LABELS, "preprocessing": form, **said}),
    )


def passing(path: Path, shapes: Mapping[str, Sequence[int]], *, opset: int = 17, kind: int = 1, **said: Any) -> Path:
    """A network whose outputs are its inputs, so that any output can be tried."""
    inputs = [helper.make_tensor_value_info(f"{name}_in", kind, shape) for name, shape in shapes.items()]
    outputs = [helper.make_tensor_value_info(name, kind, shape) for name, shape in shapes.items()]
    nodes = [helper.make_node("Identity", [f"{name}_in"], [name], name=name) for name in shapes]
    graph = helper.make_graph(nodes, "passing", inputs, outputs)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return save(proto, path, Metadata(**said))


def plain(path: Path, feeds: Mapping[str, Any]) -> dict[str, Any]:
    """The undivided file in plain ONNX Runtime; nothing is appended to it."""
    session = onnxruntime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))


def in_one_order(boxes: np.ndarray) -> np.ndarray:
    """Boxes of equal scores come in any order."""
    return boxes[np.lexsort(boxes.T)]
