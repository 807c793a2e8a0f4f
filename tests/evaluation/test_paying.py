"""Cuts that are left out never pay: beside every cut of random branches, priced by plain arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from edgent.evaluation.paying import paying_cuts
from edgent.model.values import Branch, Layer, Tensor


def branch(random: np.random.Generator) -> Branch:
    """Layers of one tensor each, some of which skip layers; sizes from a byte to a megabyte."""
    n = int(random.integers(2, 12))
    sizes = (10 ** random.uniform(0, 6, n + 1)).astype(int).tolist()
    tensors = {f"t{k}": Tensor(name=f"t{k}", dtype="uint8", shape=(size,)) for k, size in enumerate(sizes)}
    layers = []
    for k in range(1, n + 1):
        skipping = [f"t{j}" for j in range(k - 1) if random.random() < 0.2]
        reads = (f"t{k - 1}", *skipping)
        layers.append(Layer(name=f"{k}", op="Op", nodes=(k,), inputs=reads, outputs=(f"t{k}",), own=(f"t{k}",)))
    ends = {"inputs": (tensors["t0"],), "outputs": (tensors[f"t{n}"],)}
    return Branch(exit=0, name="answer", layers=tuple(layers), tensors=tensors, **ends)


def crossing(of: Branch, cut: int) -> int:
    """Bytes of what exists before a cut and is read behind it; the caller reads the answer."""
    n = len(of.layers)
    before = {name for layer in of.layers[:cut] for name in layer.outputs} | {"t0"}
    behind = {name for layer in of.layers[cut:] for name in layer.inputs} | {f"t{n}"}
    return sum(of.tensors[name].nbytes or 0 for name in before & behind)


def latencies(of: Branch, random: np.random.Generator) -> tuple[list[float], list[float]]:
    """Of every cut, device first and edge first, on an edge that is quicker at each layer."""
    n = len(of.layers)
    device = random.uniform(1e-4, 1e-2, n)
    edge = device * random.uniform(0.01, 1.0, n)
    rate = 10 ** random.uniform(3, 8)
    up = [device[:u].sum() + (crossing(of, u) / rate if u < n else 0.0) + edge[u:].sum() for u in range(n + 1)]
    answer = crossing(of, n) / rate
    for u in range(n):
        up[u] += answer
    sent = crossing(of, 0) / rate
    down = [(sent + crossing(of, d) / rate if d else 0.0) + edge[:d].sum() + device[d:].sum() for d in range(n + 1)]
    return up, down


@pytest.mark.parametrize("seed", range(60))
def test_no_cut_that_is_left_out_is_better_than_the_best_of_those_that_stay(seed: int) -> None:
    random = np.random.default_rng(seed)
    divided = branch(random)
    stay = [0, *paying_cuts(divided), len(divided.layers)]
    for _ in range(20):
        for latency in latencies(divided, random):
            assert min(latency[cut] for cut in stay) <= min(latency) * (1 + 1e-12)


def test_of_a_funnel_every_cut_pays_and_of_its_mirror_none() -> None:
    def chain(sizes: list[int]) -> Branch:
        tensors = {f"t{k}": Tensor(name=f"t{k}", dtype="uint8", shape=(size,)) for k, size in enumerate(sizes)}
        layers = tuple(
            Layer(name=f"{k}", op="Op", nodes=(k,), inputs=(f"t{k - 1}",), outputs=(f"t{k}",), own=(f"t{k}",))
            for k in range(1, len(sizes))
        )
        ends = {"inputs": (tensors["t0"],), "outputs": (tensors[f"t{len(sizes) - 1}"],)}
        return Branch(exit=0, name="answer", layers=layers, tensors=tensors, **ends)

    assert paying_cuts(chain([50, 40, 30, 20, 10])) == [1, 2, 3]
    # Behind each layer more would cross up than the input, and down more than the answer of one byte.
    assert paying_cuts(chain([1, 20, 30, 40, 1])) == []
    # Coming back early pays where less crosses than the answer has.
    assert paying_cuts(chain([5, 10, 20, 40])) == [1, 2]


def test_a_cut_of_unknown_size_is_never_said_to_pay() -> None:
    unknown = Tensor(name="t1", dtype="float32", shape=None)
    tensors = {"t0": Tensor(name="t0", dtype="uint8", shape=(100,)), "t1": unknown}
    tensors["t2"] = Tensor(name="t2", dtype="uint8", shape=(1,))
    layers = tuple(
        Layer(name=f"{k}", op="Op", nodes=(k,), inputs=(f"t{k - 1}",), outputs=(f"t{k}",), own=(f"t{k}",))
        for k in (1, 2)
    )
    ends = {"inputs": (tensors["t0"],), "outputs": (tensors["t2"],)}
    assert paying_cuts(Branch(exit=0, name="a", layers=layers, tensors=tensors, **ends)) == []
