"""A small detector here and another one there: what both see is put together on the way."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edgent.codec import Calibration, EncodedSize
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.model import ExitInfo, Preprocessing
from edgent.model.files.partial import manifest_of, partial
from edgent.model.metadata import BoxLimits
from edgent.model.tasks.fusion import fused
from edgent.testing import FakeLink
from networks.detectors import detector
from networks.policies import gate, gates
from shared_fixtures import make_profile

FORMS = {"stretched": ("stretch", 0.1), "framed": ("letterbox", 0.2)}
WEIGHTS = (0.5, 1.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detectors")
    for name, (resize, accuracy) in FORMS.items():
        shown = ExitInfo(name="out", outputs=("output0",), accuracy=accuracy, samples=1, data="none")
        form = Preprocessing(size=(64, 64), resize=resize)
        detector(folder / f"{name}.onnx", preprocessing=form, exits=(shown,), limits=BoxLimits(score=0.15))
    return [folder / f"{name}.onnx" for name in FORMS]


@pytest.fixture(scope="module")
def photograph() -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.random.default_rng(8).integers(0, 255, (48, 80, 3)).astype(np.uint8)).save(data, "PNG")
    return data.getvalue()


def seen_alone(file, photograph: bytes, clock) -> np.ndarray:
    model = load(file)
    with Device(model, deadline=1.0, device_profile=make_profile(model), clock=clock) as device:
        return device.infer(photograph).boxes.data


def test_boxes_of_both_are_one_answer(files, photograph, clock) -> None:
    bundle = load("+".join(map(str, files)))
    here = partial(load(files[0]), manifest_of(bundle, ["framed"]))
    edge = Edge(bundle, edge_only=["framed"], profiles=[make_profile(bundle)], clock=clock)
    sizes = [EncodedSize(tensors=(t.name,), codec="source", mean_bytes=2500.0, samples=4) for t in here.inputs]
    fusing = gate(confidence=None, accepted=0.0, weights=WEIGHTS, ungated=0.9, accuracy=0.9)
    with Device(
        here,
        deadline=0.5,
        bandwidth=1e8,
        round_trip=0.001,
        channel=FakeLink(edge.service.methods(), clock=clock),
        clock=clock,
        device_profile=make_profile(here, layer=0.002),
        codecs=["source"],
        expected_sizes=Calibration(model=here.name, digest=here.digest, data="some", sizes=tuple(sizes)),
        gates=replace(gates(fusing), model=here.name, digest=here.digest),
    ) as device:
        assert device.wait_ready(20.0)
        answer = device.infer(photograph)
    assert (answer.record.by, answer.record.plan.gate) == ("edge", fusing)
    alone = [seen_alone(file, photograph, clock) for file in files]
    expected = fused(alone, WEIGHTS)
    assert len(alone[0]) and len(alone[1]) and len(expected)
    np.testing.assert_allclose(answer.boxes.data[:, 4:], expected[:, 4:], rtol=1e-3)
    np.testing.assert_allclose(answer.boxes.data[:, :4], expected[:, :4], atol=0.02)
