"""The networks of the onnx wheel (224 x 224) with random weights, so that their answers depend on their inputs.

Their own are `ConstantOfShape` nodes, so every input gives the same answer and any division would pass. Seeded random
weights, scaled so that activations neither vanish nor explode, take their place.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def with_seeded_weights(path: Path, folder: Path, seed: int = 0) -> Path:
    """Writes a copy of a topology whose constants are random numbers."""
    proto = onnx.load(path)
    random = np.random.default_rng(seed)
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    seeded = {
        n.output[0]: tuple(map(int, shapes[n.input[0]])) for n in proto.graph.node if n.op_type == "ConstantOfShape"
    }
    # What a constant is for is seen from the node that reads it: its operator, and the position among the inputs.
    # Reversed, so that the first reader wins.
    readers = {name: (n.op_type, position) for n in proto.graph.node[::-1] for position, name in enumerate(n.input)}
    # Some constants pass an Unsqueeze first; what reads that one counts.
    through = {n.input[0]: n.output[0] for n in proto.graph.node if n.op_type == "Unsqueeze"}
    weights = {name: _draw(*readers[through.get(name, name)], shape, random) for name, shape in seeded.items()}
    kept = [node for node in proto.graph.node if node.op_type != "ConstantOfShape"]
    del proto.graph.node[:]
    proto.graph.node.extend(kept)
    known = {value.name for value in proto.graph.input}
    for name, array in weights.items():
        proto.graph.initializer.append(numpy_helper.from_array(array, name))
        if name not in known:
            proto.graph.input.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, array.shape))
    target = folder / path.name
    onnx.save(proto, target)
    return target


def _draw(op: str, position: int, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float32]:
    if op == "BatchNormalization":
        # Positions of BatchNormalization: input, scale, bias, mean, variance; a variance near 0 would explode.
        low, high = [(), (0.5, 1.5), (-0.2, 0.2), (-0.2, 0.2), (0.5, 1.5)][position]
        return random.uniform(low, high, shape).astype(np.float32)
    if op in ("Conv", "Gemm", "MatMul") and len(shape) > 1:
        fan = np.prod(shape[1:]) if op == "Conv" else max(shape)
        # He's initialisation: with ReLUs it keeps the variance from layer to layer.
        scaled: NDArray[np.float64] = random.standard_normal(shape) * np.sqrt(2 / fan)
        return scaled.astype(np.float32)
    if op == "Mul":
        return random.uniform(0.5, 1.5, shape).astype(np.float32)
    return random.uniform(-0.1, 0.1, shape).astype(np.float32)
