"""An engine that computes each answer once."""

from __future__ import annotations

import numpy as np

from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.lab.boards.remembering import RememberingEngine


def test_it_answers_what_onnxruntime_does_and_the_second_time_without_it():
    model = load("b-alexnet")
    branch = model.branches[0]
    given, asked = [tensor.name for tensor in branch.inputs], [tensor.name for tensor in branch.outputs]
    remembering = RememberingEngine().session(model, given, asked)
    plain = OnnxRuntimeEngine().session(model, given, asked)
    pictures = np.random.default_rng(0).random((3, 1, 3, 32, 32), dtype=np.float32)
    computed = []
    computes = remembering._computing.run
    remembering._computing.run = lambda feeds: computed.append(feeds) or computes(feeds)
    for row in (0, 1, 2, 1, 0, 2):
        (mine,), (theirs,) = (session.run({given[0]: pictures[row]}).values() for session in (remembering, plain))
        assert np.array_equal(mine, theirs)
    assert len(computed) == 3
