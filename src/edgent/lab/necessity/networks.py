"""Well-known networks for 224 x 224 images: their topologies with random weights, and their published accuracies.

Nine are the topologies inside the onnx wheel, the others are built here. Random weights serve for timing and for
sizes; what a network gets right is the figure that its authors, or who trained it again, published for ImageNet's
validation images, one crop. None of these was measured here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import onnx

from edgent.errors import InputError
from edgent.lab.topologies import LIGHT, with_seeded_weights
from edgent.model import ExitInfo, Metadata, Preprocessing
from edgent.model.builder import Builder
from edgent.model.configuration.document import KEY, write_json

SIDE = 224

PUBLISHED: Mapping[str, float] = {
    "bvlc_alexnet": 0.571,  # BVLC, Caffe's model zoo
    "densenet121": 0.744,  # torchvision
    "efficientnet_lite0": 0.751,  # TensorFlow's repository of EfficientNet-Lite
    "inception_v1": 0.687,  # BVLC GoogLeNet, Caffe's model zoo
    "inception_v2": 0.739,  # TensorFlow Slim
    "mobilenet_v2": 0.719,  # torchvision
    "mobilenet_v3_small": 0.677,  # torchvision
    "resnet152": 0.783,  # torchvision
    "resnet18": 0.698,  # torchvision
    "resnet50": 0.761,  # torchvision
    "shufflenet": 0.676,  # Zhang and others 2017: ShuffleNet 1x, g = 3
    "squeezenet": 0.575,  # Iandola and others 2016
    "vgg19": 0.724,  # torchvision
    "zfnet512": 0.560,  # ONNX model zoo
}
"""Share of ImageNet's validation images that the first answer is right about, as published."""


def network(name: str, folder: Path) -> Path:
    """Writes a network's file, with its published accuracy inside.

    Raises:
        InputError: there is no such network.
    """
    if name not in PUBLISHED:
        raise InputError(f"no 224 x 224 network is called {name!r}: expected {', '.join(PUBLISHED)}")
    if name in _BUILT:
        builder = Builder()
        path = folder / f"{name}.onnx"
        path.write_bytes(builder.segment([_BUILT[name](builder)]).proto)
    else:
        path = with_seeded_weights(LIGHT / f"light_{name}.onnx", folder)
    return _described(path, PUBLISHED[name], folder / f"{name}.onnx")


def _described(path: Path, accuracy: float, target: Path) -> Path:
    proto = onnx.load(path)
    answers = tuple(value.name for value in proto.graph.output)
    exit = ExitInfo(name="output", outputs=answers, accuracy=accuracy, data="ImageNet validation, as published")
    metadata = Metadata(exits=(exit,), preprocessing=Preprocessing(size=(SIDE, SIDE)))
    proto.metadata_props.add(key=KEY, value=write_json(metadata))
    onnx.save(proto, target)
    return target


def _normed(builder: Builder, x: str, maps: int, side: int, *, stride: int = 1, groups: int = 1) -> str:
    return builder.norm(builder.conv(x, maps, side, stride=stride, groups=groups, bias=False))


def _image(builder: Builder, maps: int, side: int, act: str) -> str:
    return builder.activation(_normed(builder, builder.input((1, 3, SIDE, SIDE)), maps, side, stride=2), act)


def _inverted(
    builder: Builder, x: str, wide: int, maps: int, *, side: int, stride: int, act: str, gate: int = 0
) -> str:
    """An inverted residual, with squeeze and excitation of `gate` maps where that is not 0."""
    y = builder.activation(_normed(builder, x, wide, 1), act) if wide != builder.shapes[x][1] else x
    y = builder.activation(_normed(builder, y, wide, side, stride=stride, groups=wide), act)
    if gate:
        excited = builder.activation(builder.conv(builder.mean(y), gate, 1), "Relu")
        y = builder.like("Mul", y, builder.activation(builder.conv(excited, wide, 1), "HardSigmoid"))
    y = _normed(builder, y, maps, 1)
    return builder.add(y, x) if builder.shapes[y] == builder.shapes[x] else y


def _classified(builder: Builder, x: str, *widths: int) -> str:
    """The mean of each map, then fully connected layers."""
    x = builder.reshape(builder.mean(x), 1, builder.shapes[x][1])
    for width in widths:
        x = builder.activation(builder.gemm(x, width), "HardSwish")
    return builder.gemm(x, 1000)


def _mobile(builder: Builder, stages: tuple[tuple[int, int, int, int, int], ...]) -> str:
    """Inverted residuals as in MobileNetV2: widening, kernel, stride of the first, maps, how often."""
    x = _image(builder, 32, 3, "Clip")
    for widening, side, first, maps, repeats in stages:
        for number in range(repeats):
            wide, stride = builder.shapes[x][1] * widening, first if number == 0 else 1
            x = _inverted(builder, x, wide, maps, side=side, stride=stride, act="Clip")
    return _classified(builder, builder.activation(_normed(builder, x, 1280, 1), "Clip"))


def _mobilenet_v2(builder: Builder) -> str:
    """Sandler and others, 2018."""
    stages = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 3, 2, 32, 3), (6, 3, 2, 64, 4), (6, 3, 1, 96, 3))
    return _mobile(builder, (*stages, (6, 3, 2, 160, 3), (6, 3, 1, 320, 1)))


def _efficientnet_lite0(builder: Builder) -> str:
    """Tan and Le, 2019; lite: ReLU6, no squeeze and excitation."""
    stages = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3))
    return _mobile(builder, (*stages, (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)))


def _mobilenet_v3_small(builder: Builder) -> str:
    """Howard and others, 2019."""
    x = _image(builder, 16, 3, "HardSwish")
    blocks = (
        (3, 16, 16, 8, "Relu", 2), (3, 72, 24, 0, "Relu", 2), (3, 88, 24, 0, "Relu", 1),
        (5, 96, 40, 24, "HardSwish", 2), (5, 240, 40, 64, "HardSwish", 1), (5, 240, 40, 64, "HardSwish", 1),
        (5, 120, 48, 32, "HardSwish", 1), (5, 144, 48, 40, "HardSwish", 1), (5, 288, 96, 72, "HardSwish", 2),
        (5, 576, 96, 144, "HardSwish", 1), (5, 576, 96, 144, "HardSwish", 1),
    )  # fmt: skip
    for side, wide, maps, gate, act, stride in blocks:
        x = _inverted(builder, x, wide, maps, side=side, stride=stride, act=act, gate=gate)
    return _classified(builder, builder.activation(_normed(builder, x, 576, 1), "HardSwish"), 1024)


def _residual(builder: Builder, depths: tuple[int, int, int, int], *, deep: bool) -> str:
    """He and others, 2015: blocks of two convolutions, or `deep` ones of three."""
    x = builder.pool("MaxPool", _image(builder, 64, 7, "Relu"), 3, 2)
    for stage, depth in enumerate(depths):
        inner = 64 * 2**stage
        for number in range(depth):
            x = _residual_block(builder, x, inner, 2 if number == 0 < stage else 1, deep=deep)
    return _classified(builder, x)


def _residual_block(builder: Builder, x: str, inner: int, stride: int, *, deep: bool) -> str:
    if deep:
        y = builder.activation(_normed(builder, x, inner, 1), "Relu")
        y = builder.activation(_normed(builder, y, inner, 3, stride=stride), "Relu")
        y = _normed(builder, y, 4 * inner, 1)
    else:
        y = builder.activation(_normed(builder, x, inner, 3, stride=stride), "Relu")
        y = _normed(builder, y, inner, 3)
    if builder.shapes[x] != builder.shapes[y]:
        x = _normed(builder, x, builder.shapes[y][1], 1, stride=stride)
    return builder.activation(builder.add(y, x), "Relu")


_BUILT: Mapping[str, Callable[[Builder], str]] = {
    "efficientnet_lite0": _efficientnet_lite0,
    "mobilenet_v2": _mobilenet_v2,
    "mobilenet_v3_small": _mobilenet_v3_small,
    "resnet18": lambda builder: _residual(builder, (2, 2, 2, 2), deep=False),
    "resnet152": lambda builder: _residual(builder, (3, 8, 36, 3), deep=True),
}
