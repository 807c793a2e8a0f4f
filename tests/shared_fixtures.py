"""What the tests of several rooms run: a model, a picture, an edge, and profiles of nobody's machine."""

from __future__ import annotations

import numpy as np
import pytest

from edgent.codec import IMAGE_CODECS, TENSOR_CODECS
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.latency.profile import BranchProfile, CodecTime, Profile, Timing
from edgent.model import Model
from edgent.testing import FakeLink, ManualClock
from edgent.wire.grpc_channel import GrpcChannel


@pytest.fixture(scope="session")
def model() -> Model:
    return load("b-alexnet")


@pytest.fixture(scope="session")
def picture(model) -> np.ndarray:
    return np.random.default_rng(0).normal(size=model.inputs[0].shape).astype("float32")


@pytest.fixture
def clock() -> ManualClock:
    """Of a test's device, edge and link, so that none of them needs real time."""
    return ManualClock()


@pytest.fixture
def until(clock):
    """Lets time pass until something has happened on another thread; whether it has, within a minute."""

    def passes(condition) -> bool:
        give_up_at = clock.now() + 60.0
        while not (found := condition()) and clock.now() < give_up_at:
            clock.sleep(0.005)
        return bool(found)

    return passes


@pytest.fixture
def link(model, fast, clock):
    """To an edge inside this process."""
    return FakeLink(Edge(model, profiles=[fast], clock=clock).service.methods(), clock=clock)


@pytest.fixture
def made(model, slow, link, clock):
    """Devices, closed at the end of the test."""
    devices = []

    def make(**settings):
        given = {"channel": link, "deadline": 0.3, "device_profile": slow, "clock": clock}
        devices.append(Device(model, **(given | settings)))
        return devices[-1]

    yield make
    for device in devices:
        device.close()


@pytest.fixture(scope="module")
def edge(model):
    with Edge(model, port=0) as started:
        yield started


@pytest.fixture
def channel(edge):
    with_limits = GrpcChannel(edge.address, max_message=edge.service.max_message)
    yield with_limits
    with_limits.close()


def make_profile(model: Model, *, layer=1e-4, prepare=1e-4) -> Profile:
    """A made-up machine: every layer takes the same time."""

    def timing(seconds: float) -> Timing:
        return Timing(median=seconds, spread=0.0, samples=1)

    branches = tuple(
        BranchProfile(
            exit=branch.exit,
            whole=timing(layer * len(branch.layers)),
            layers=(layer,) * len(branch.layers),
            unassigned=0.0,
        )
        for branch in model.branches
    )
    nothing = {"encode_base": 0.0, "encode_per_byte": 0.0, "decode_base": 0.0, "decode_per_byte": 0.0}
    return Profile(
        model=model.name,
        digest=model.digest,
        machine="made up",
        engine="fake",
        threads=1,
        branches=branches,
        codecs=tuple(CodecTime(codec=name, **nothing) for name in (*TENSOR_CODECS, *IMAGE_CODECS)),
        decode_source=timing(prepare),
        fit=timing(prepare),
        normalise=timing(prepare),
    )


@pytest.fixture(scope="session")
def slow(model) -> Profile:
    """A device that takes 22 ms for each layer, and 480 ms for the last exit."""
    return make_profile(model, layer=0.022)


@pytest.fixture(scope="session")
def fast(model) -> Profile:
    return make_profile(model)
