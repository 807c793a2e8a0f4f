"""Gates between exits of one network: unsure of the earlier one, the edge goes on from the layers that both share."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from edgent.codec import encode_image
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.planning.candidates import Candidates
from edgent.planning.gates import Gates
from edgent.planning.policy import with_policies
from edgent.testing import FakeLink
from edgent.wire import messages as m
from networks.policies import gate, gates
from shared_fixtures import make_profile

LAST, WITHIN = 4, 20.0


def of_exits(model, **changes) -> Gates:
    return replace(gates(gate(later=LAST, accepted=0.8, **changes)), model=model.name, digest=model.digest)


@pytest.fixture(scope="module")
def image() -> bytes:
    return encode_image("png", np.random.default_rng(3).integers(0, 256, (32, 32, 3), dtype=np.uint8))


@pytest.fixture
def device(model, clock):
    """Layers take 20 ms here and 0.1 ms there, and only tensors cross."""
    link = FakeLink(Edge(model, profiles=[make_profile(model)], clock=clock).service.methods(), clock=clock)
    opened = []

    def make(**changes) -> tuple[Device, FakeLink]:
        opened.append(
            Device(
                model,
                deadline=0.3,
                bandwidth=1e8,
                round_trip=0.001,
                channel=link,
                clock=clock,
                device_profile=make_profile(model, layer=0.02),
                codecs=["float32"],
                gates=of_exits(model, **changes),
            )
        )
        assert opened[-1].wait_ready(WITHIN)
        return opened[-1], link

    yield make
    for one in opened:
        one.close()


def whole(model, image: bytes, exit: int) -> np.ndarray:
    """The undivided network's answer, by plain ONNX Runtime, to the picture."""
    pixels = np.asarray(Image.open(io.BytesIO(image)).convert("RGB"))
    form = model.metadata.preprocessing
    tensor = ((pixels * form.scale - np.array(form.mean)) / np.array(form.std)).transpose(2, 0, 1)[None]
    session = onnxruntime.InferenceSession(str(model.path))
    (name,) = [tensor.name for tensor in model.branch(exit).outputs]
    return session.run([name], {model.inputs[0].name: tensor.astype(np.float32)})[0]


def test_a_sure_exit_ends_it_where_the_network_divides(device, model, image) -> None:
    made, link = device(confidence=0.0)
    before = link.calls.count(m.MODEL_INFER)
    answer = made.infer(image)
    assert (answer.record.by, answer.record.exit, answer.record.why) == ("device", 0, "")
    assert answer.record.plan.configuration.upload_cut > 0
    assert link.calls.count(m.MODEL_INFER) == before
    np.testing.assert_allclose(answer.first, whole(model, image, 0), rtol=1e-4, atol=1e-5)


def test_else_the_edge_goes_on_to_the_last_one(device, model, image) -> None:
    made, _ = device(confidence=1.0)
    answer = made.infer(image)
    assert (answer.record.by, answer.record.exit, answer.record.why) == ("edge", LAST, "")
    assert answer.record.plan.gate is not None
    np.testing.assert_allclose(answer.first, whole(model, image, LAST), rtol=1e-4, atol=1e-5)
    assert answer.record.stages.total == pytest.approx(answer.record.total)


def test_what_both_exits_share_is_computed_once(model) -> None:
    here, there = make_profile(model, layer=0.02), make_profile(model)
    plain = Candidates.build(model, here, there)
    both = with_policies(plain, of_exits(model), model)
    tails = np.flatnonzero((both.gate >= 0) & (both.upload_cut > 0))
    assert tails.size
    first = 0.02 * len(model.branch(0).layers) + 3e-4  # its layers, and the picture prepared
    np.testing.assert_allclose(both.demand[0, tails], first)  # codecs cost nothing on these machines
    own = {name for layer in model.branch(0).layers for name in layer.outputs}
    for cut in np.unique(both.upload_cut[tails]):
        sent = {tensor.name for tensor in model.branch(LAST).boundary(int(cut), len(model.branch(LAST).layers)).up}
        assert sent <= own
    assert not (with_policies(plain, of_exits(model)).upload_cut[len(plain) :] > 0).any()


def test_behind_what_a_codec_loses_no_gate_was_measured(model) -> None:
    both = with_policies(Candidates.build(model, make_profile(model), make_profile(model)), of_exits(model), model)
    used = {both.codecs[place] for place in both.codec[both.gate >= 0]}
    assert used <= {"float32", "float32+zstd", "source", "png", "webp-lossless"}
