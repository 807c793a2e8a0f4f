"""An edge that is started anew with other versions, and what is asked of the devices that follow it.

The oracle of an answer is the version's own file, undivided in plain ONNX Runtime.
"""

from __future__ import annotations

import numpy as np
import onnxruntime

from edgent.device.connection.upkeep import IDLE
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.testing import FakeLink
from shared_fixtures import make_profile

INPUT = np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)
WITHIN = 20.0  # seconds of the test's clock


class Site:
    """An edge that is started anew with other models, and the links to it: each device has one of its own."""

    def __init__(self, clock, *models) -> None:
        self.clock, self.links, self.fetched = clock, [], []
        self.start(*models)

    def start(self, *models) -> None:
        self.models = models
        profiles = [make_profile(model, layer=1e-3) for model in models]
        self.methods = Edge(models, profiles=profiles, clock=self.clock).service.methods()
        for link in self.links:
            link.mend(self.methods)

    def stop(self) -> None:
        for link in self.links:
            link.cut()

    def restart(self, *models) -> None:
        """It is away for longer than a connection goes unchecked."""
        self.stop()
        self.clock.sleep(1.5 * IDLE)
        self.start(*models)

    def link(self) -> FakeLink:
        self.links.append(FakeLink(self.methods, clock=self.clock))
        return self.links[-1]

    def fetch(self):
        self.clock.sleep(1.0)
        self.fetched.append(self.models[0])
        return self.models[0]

    def device(self, model, on_version=None, before=None):
        return Device(
            model,
            channel=self.link(),
            deadline=0.1,
            device_profile=make_profile(model, layer=0.03),
            bandwidth=1e8,
            round_trip=0.001,
            clock=self.clock,
            on_version=on_version,
        )


def close(answer, model):
    (expected,) = onnxruntime.InferenceSession(model.path, providers=["CPUExecutionProvider"]).run(None, {"x": INPUT})
    (output,) = answer.outputs.values()
    return output.shape == expected.shape and np.abs(output - expected).max() <= 1e-4 * np.abs(expected).max()


def by_the_edge(following, until):
    return until(lambda: following.infer(INPUT).record.by == "edge")


def records_of_the_move(following, old, new, clock, least):
    """The records of the requests while a device moves over, at least `least`; each answer is that of a version."""
    records = []
    while following.model is old or len(records) < least:
        answer = following.infer(INPUT)
        assert close(answer, old) or close(answer, new)
        records.append(answer.record)
        clock.sleep(0.01)
        assert len(records) < 10_000, "it never moved"
    return records
