"""A device and an edge that lies: whatever it says, the device answers, right and in time, and finds a better edge."""

from __future__ import annotations

import logging
import threading

import numpy as np
import pytest

from edgent.codec import encode_image
from edgent.edge.edge import Edge
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.planning.plan import Configuration
from edgent.testing import FakeLink
from edgent.wire import messages as m
from hostile.edge import everywhere, replies

WITHIN = 20.0  # seconds of the test's clock
DEADLINE = 0.3
LIES = replies()


@pytest.fixture(scope="module")
def image():
    return encode_image("png", np.random.default_rng(3).integers(0, 256, (32, 32, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def engine():
    return OnnxRuntimeEngine()


@pytest.fixture
def honest(model, fast, clock, engine):
    return Edge(model, profiles=[fast], clock=clock, engine=engine).service.methods()


@pytest.fixture
def truth(model, engine, image):
    """What each exit answers, by a device that knows no edge; of a plan without codecs that loses something."""

    def of(device, answer):
        exit = answer.record.exit
        n = len(model.branch(exit).layers)
        return device.infer(image, configuration=Configuration(exit=exit, upload_cut=n, download_cut=n))

    return of


def answers_well(device, image, truth, clock):
    """Asks some times; each answer is the device's own or an honest one, and in time."""
    for _ in range(3):
        answer = device.infer(image)
        assert answer.record.deadline_met, answer.record
        alone = truth(device, answer)
        for name, array in answer.outputs.items():
            np.testing.assert_allclose(array, alone.outputs[name], rtol=1e-3, atol=1e-4)
        clock.sleep(0.5)


@pytest.mark.parametrize("lie", LIES, ids=[lie.name for lie in LIES])
def test_whatever_an_edge_says_the_device_answers_right_and_in_time_and_says_it_in_few_lines(
    lie, made, honest, clock, image, truth, until, caplog
):
    # Who is another edge from the first on is an error that a program is told; who becomes one is passed over.
    link = FakeLink(honest if lie.refuses else lie.told_by(honest), clock=clock)
    device = made(channel=link, deadline=DEADLINE, codecs=("float32", "png"))
    with caplog.at_level(logging.WARNING, "edgent"):
        device.wait_ready(WITHIN)
        link.cut()
        assert until(lambda: not device.connected)
        link.mend(lie.told_by(honest))
        answers_well(device, image, truth, clock)
        clock.sleep(10.0)
        answers_well(device, image, truth, clock)
    assert len(caplog.messages) <= 4, caplog.messages
    assert all(len(line) < 1_200 and line.isprintable() for line in caplog.messages)
    watches = [thread for thread in threading.enumerate() if thread.name == "edgent-watch"]
    assert watches
    link.mend(honest)
    assert until(lambda: device.connected)
    answers_well(device, image, truth, clock)


@pytest.mark.parametrize("error", [ValueError("odd"), MemoryError(), RecursionError("deep"), OSError(24, "files")])
def test_whatever_reading_a_reply_throws_the_device_answers(error, made, honest, clock, image, truth, until):
    link = FakeLink(honest, clock=clock)
    device = made(channel=link, deadline=DEADLINE)
    assert device.wait_ready(WITHIN)
    plain = link.exchange

    def throws(method, message, timeout):
        if method == m.MODEL_INFER:
            raise error
        return plain(method, message, timeout)

    link.call = link.exchange = throws
    device._connection.remote._ask = throws
    answers_well(device, image, truth, clock)
    link.methods = everywhere(honest, error)
    answers_well(device, image, truth, clock)
