"""Real topologies: the pieces of every cut, chained, equal the whole; and noise in the boundary would be seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgent.engine.feeds import random_feeds
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.evaluation.original import difference
from edgent.evaluation.verify import verify
from edgent.lab.topologies import LIGHT, with_seeded_weights

TOPOLOGIES = sorted(LIGHT.glob("light_*.onnx"))
MOST_CUTS = 12  # per topology here; `edgent inspect FILE --verify all` takes every one
NOISY_CUTS = 5


@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda path: path.stem.removeprefix("light_"))
def test_cuts_of_a_real_topology(path: Path, tmp_path: Path) -> None:
    model = load(with_seeded_weights(path, tmp_path))
    found = verify(model, Engine(threads=2, capacity=4), most=MOST_CUTS)
    assert found.failed == ()
    assert found.verified == min(MOST_CUTS, found.cuts)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda path: path.stem.removeprefix("light_"))
def test_the_check_can_fail(path: Path, tmp_path: Path) -> None:
    model = load(with_seeded_weights(path, tmp_path))
    branch, engine, random = model.branches[0], Engine(threads=2, capacity=4), np.random.default_rng(0)
    feeds = random_feeds(model.inputs, random)
    last = branch.layers[-1]
    watched = last.inputs[0] if last.op == "Softmax" else branch.outputs[0].name  # random weights fill a softmax
    whole = engine.session(model, list(feeds), [watched]).run(feeds)
    n = len(branch.layers)
    for cut in np.linspace(1, n - 2, NOISY_CUTS).astype(int):
        boundary = random_feeds(branch.boundary(int(cut), n).up, random)
        noise = {name: 3 * array for name, array in boundary.items()}
        answer = engine.session(model, list(noise), [watched]).run(noise)[watched]
        assert difference(answer, whole[watched]).largest > 0.01
