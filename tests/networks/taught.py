"""A network that knows what a picture shows long before its end, its pictures, and somebody who teaches nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from edgent.model import Metadata, Preprocessing
from edgent.model.configuration.document import KEY, write_json
from edgent.training.exits.lesson import Lesson
from edgent.training.exits.twigs import TwigForm, TwigWeights, zero_weights

SIDE, CLASSES = 24, 3
LABELS = ("dark", "grey", "light")


def staged(path: Path, *, task: str | None = "classification", softmax: bool = False, residual: bool = True) -> Path:
    """Three stages of convolutions, the middle one with a skip beside it; classes are shades.

    The first stage keeps the mean shade in its first channel, and so do the others.
    """
    rng, shades = np.random.default_rng(0), np.linspace(0, 1, CLASSES, dtype=np.float32)
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def conv(x: str, name: str, inputs: int, outputs: int, stride: int = 1) -> str:
        weight = (rng.standard_normal((outputs, inputs, 3, 3)) / 30).astype(np.float32)
        weight[0] = 0
        weight[0, 0] = 1 / 9
        constants.append(numpy_helper.from_array(weight, f"{name}.w"))
        nodes.append(
            helper.make_node("Conv", [x, f"{name}.w"], [f"{name}.y"], name=name, pads=[1] * 4, strides=[stride] * 2)
        )
        nodes.append(helper.make_node("Relu", [f"{name}.y"], [name], name=f"{name}.relu"))
        return name

    x = conv("image", "one", 3, 8, 2)
    inner = conv(conv(x, "two", 8, 16), "three", 16, 8)
    if residual:
        nodes.append(helper.make_node("Add", [inner, x], ["sum"], name="sum"))
    x = conv("sum" if residual else inner, "four", 8, 24)
    nodes += [
        helper.make_node("GlobalAveragePool", [x], ["pooled"], name="pooled"),
        helper.make_node("Flatten", ["pooled"], ["flat"], name="flat"),
        helper.make_node("Gemm", ["flat", "w", "b"], ["scores" if not softmax else "logits"], name="linear"),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["logits"], ["scores"], name="softmax", axis=1))
    weight = np.zeros((24, CLASSES), np.float32)
    weight[0] = 40 * shades
    scale = 2.0 if residual else 1.0
    constants += [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(-20 * scale * shades**2, "b")]
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", CLASSES])],
        initializer=constants,
    )
    labels = LABELS if task == "classification" else ()
    metadata = Metadata(task=task, labels=labels, preprocessing=Preprocessing(size=(SIDE, SIDE)))  # type: ignore[arg-type]
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(proto, {KEY: write_json(metadata)})
    onnx.save(proto, path)
    return path


def shaded(root: Path, each: int = 30, *, classes: tuple[str, ...] = LABELS, labelled: bool = True) -> Path:
    """Pictures around a shade for each class, in a folder of its own; or all in one, and nobody says what they show."""
    rng = np.random.default_rng(1)
    for place, name in enumerate(classes):
        folder = root / name if labelled else root
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(each):
            middle = 255 * place / (CLASSES - 1)
            noise = rng.normal(middle, 30, (SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(noise).save(folder / f"{name}{number:03d}.png")
    return root


class FixedTrainer:
    """Teaches nothing: twigs whose first channels carry the shade through, and a linear layer that reads it.

    Args:
        slow: seconds that an epoch is said to take.
    """

    def __init__(self, slow: float = 0.01) -> None:
        self.slow = slow
        self.taught: list[tuple[TwigForm, int]] = []

    def seconds_an_epoch(self, form: TwigForm, lesson: Lesson) -> float:
        return self.slow

    def fit(
        self,
        form: TwigForm,
        lesson: Lesson,
        *,
        epochs: int,
        seed: int,
        checkpoint: Path,
        progress: Callable[[int, int], None],
    ) -> TwigWeights:
        self.taught.append((form, epochs))
        progress(epochs, epochs)
        weights = zero_weights(form)
        for layer, (weight, _) in zip(form.convolutions, weights.layers[:-1], strict=True):
            weight[0, 0, layer.kernel // 2, layer.kernel // 2] = 1
        linear, bias = weights.layers[-1]
        shades = np.linspace(0, 1, form.outputs, dtype=np.float32)
        level = lesson.maps[:, 0, 0].astype(np.float32).mean(axis=(1, 2)).max()
        linear[:, 0] = 40 * shades / max(level, 1e-6)
        bias[:] = -20 * shades**2
        return weights
