"""The device answers first: where it is sure nothing is sent, else its answer stands until a better one comes."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from edgent.codec import Calibration, EncodedSize
from edgent.device.device import Device
from edgent.device.gating import combined
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.model import Metadata, Preprocessing
from edgent.model.files.partial import manifest_of, partial
from edgent.model.tasks.fusion import fused
from edgent.planning.gates import LATER_ALONE, Gate, Gates
from edgent.planning.plan import Configuration
from edgent.telemetry import Record
from edgent.testing import FakeLink
from edgent.wire import messages as m
from networks.classifiers import classifier
from shared_fixtures import make_profile

WITHIN = 20.0  # seconds of the test's clock
SMALL, BIG = 16, 28


def gate(**changes) -> Gate:
    usual = Gate(
        exit=0,
        later=1,
        codec="source",
        confidence=0.5,
        accepted=0.6,
        lost=0.01,
        accuracy=0.85,
        ungated=0.86,
        alone=0.86,
        standing=0.4,
        asked=0.7,
        weights=LATER_ALONE,
        gain=(-0.01, 0.02),
        samples=500,
    )
    return replace(usual, **changes)


def gates_of(model, *entries: Gate) -> Gates:
    return Gates(
        model=model.name,
        digest=model.digest,
        data="some",
        measure="accuracy",
        max_drop=0.01,
        confidence_level=0.9,
        gates=entries,
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gates")
    return classifier(folder / "small.onnx", SMALL, 0.6), classifier(folder / "big.onnx", BIG, 0.9)


@pytest.fixture(scope="module")
def here(files):
    return partial(load(files[0]), manifest_of(load("+".join(map(str, files))), ["big"]))


@pytest.fixture(scope="module")
def photograph() -> bytes:
    pixels = np.random.default_rng(3).integers(0, 255, (30, 30, 3)).astype(np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


def shares(file, side: int, photograph: bytes) -> np.ndarray:
    """By Pillow and plain ONNX Runtime."""
    pixels = Image.open(io.BytesIO(photograph)).convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    tensor = (np.asarray(pixels) / 255).transpose(2, 0, 1)[None].astype(np.float32)
    (scores,) = onnxruntime.InferenceSession(str(file)).run(None, {"input": tensor})
    return np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()


@pytest.fixture
def link(files, clock):
    bundle = load("+".join(map(str, files)))
    edge = Edge(bundle, edge_only=["big"], profiles=[make_profile(bundle, layer=1e-4)], clock=clock)
    return FakeLink(edge.service.methods(), clock=clock)


@pytest.fixture
def ready(here, link, clock):
    devices = []

    def make(*entries: Gate, **settings):
        usual = {"deadline": 0.5, "bandwidth": 1e8, "round_trip": 0.001, "channel": link, "clock": clock}
        usual["device_profile"] = make_profile(here, layer=0.002)
        usual["codecs"] = ["source"]
        sizes = [EncodedSize(tensors=(t.name,), codec="source", mean_bytes=2500.0, samples=4) for t in here.inputs]
        usual["expected_sizes"] = Calibration(model=here.name, digest=here.digest, data="some", sizes=tuple(sizes))
        devices.append(Device(here, gates=gates_of(here, *entries) if entries else None, **(usual | settings)))
        assert devices[-1].wait_ready(WITHIN)
        return devices[-1]

    yield make
    for device in devices:
        device.close()


def asked(link) -> int:
    return link.calls.count(m.MODEL_INFER)


def test_a_sure_answer_is_taken_and_nothing_is_sent(ready, link, files, photograph):
    device = ready(gate(confidence=0.0))
    before = asked(link)
    answer = device.infer(photograph)
    assert (answer.record.by, answer.record.exit, answer.record.why) == ("device", 0, "")
    assert answer.record.path == "sure of its first answer"
    assert answer.record.plan.gate == gate(confidence=0.0)
    assert asked(link) == before
    assert answer.label == f"class {shares(files[0], SMALL, photograph).argmax()}"
    assert answer.record.stages.total == pytest.approx(answer.record.total)


@pytest.mark.parametrize("confidence", [1.0, None])
def test_an_unsure_one_asks_the_edge(ready, link, files, photograph, confidence):
    device = ready(gate(confidence=confidence))
    before = asked(link)
    answer = device.infer(photograph)
    assert (answer.record.by, answer.record.exit, answer.record.why) == ("edge", 1, "")
    assert answer.record.path == "not sure of its first answer"
    assert asked(link) == before + 1
    assert answer.label == f"class {shares(files[1], BIG, photograph).argmax()}"
    assert answer.record.stages.total == pytest.approx(answer.record.total)


def test_both_are_combined_where_that_was_measured_to_be_better(ready, files, photograph):
    device = ready(gate(confidence=1.0, weights=(0.5, 2.0)))
    answer = device.infer(photograph)
    product = shares(files[0], SMALL, photograph) ** 0.5 * shares(files[1], BIG, photograph) ** 2
    np.testing.assert_allclose(answer.first, product / product.sum(), rtol=1e-4)
    assert (answer.record.by, answer.record.path) == ("edge", "not sure of its first answer, combined with it")


@pytest.mark.parametrize("race", [True, False])
def test_the_first_answer_stands_where_the_edge_is_late(ready, link, files, photograph, race):
    device = ready(gate(confidence=1.0), race=race)
    link.hold(m.MODEL_INFER)
    answer = device.infer(photograph)
    assert (answer.record.by, answer.record.exit, answer.record.why) == ("device", 0, "edge late")
    assert answer.record.path == ""
    assert answer.record.deadline_met
    assert answer.label == f"class {shares(files[0], SMALL, photograph).argmax()}"
    assert answer.record.stages.total == pytest.approx(answer.record.total)


def test_it_stands_at_once_where_the_edge_is_lost(ready, link, photograph):
    device = ready(gate(confidence=1.0))
    link.cut()
    answer = device.infer(photograph)
    assert (answer.record.by, answer.record.exit) == ("device", 0)
    assert answer.record.total < 0.25


def test_a_given_configuration_has_no_gate(ready, here, photograph):
    device = ready(gate(confidence=0.0))
    whole = Configuration(exit=1, upload_cut=0, download_cut=len(here.remote[0].layers), codec="source")
    assert device.infer(photograph, configuration=whole).record.by == "edge"


def test_gates_of_another_model_are_refused(here, files):
    other = gates_of(load(files[1]), gate())
    with pytest.raises(InputError, match=r"the gates are of big version .*: make it again: edgent gate"):
        Device(here, deadline=0.1, gates=other)


def test_a_record_with_a_gate_is_read_as_it_was(ready, photograph):
    record = ready(gate(confidence=1.0)).infer(photograph).record
    assert Record.from_json(record.to_json()).plan.gate == record.plan.gate == gate(confidence=1.0)


@pytest.mark.parametrize("deadline", [0.014, 0.5])
def test_a_gate_is_put_before_a_plan_only_where_there_is_time_for_both_answers(ready, photograph, deadline):
    """The first answer takes some 12 ms, the edge's 5."""
    plan = ready(gate(confidence=1.0), deadline=deadline).infer(photograph).record.plan
    assert (plan.configuration.exit, plan.gate is None) == (1, deadline < 0.1)


def test_where_edge_exits_are_not_allowed_nobody_is_asked(ready, photograph):
    assert ready(gate(confidence=1.0), exits=[0]).infer(photograph).record.plan.gate is None


WIDTH, HEIGHT = 200, 100
FUSING = gate(confidence=None, accepted=0.0, weights=(0.5, 1.0))
METADATA = {
    0: Metadata(task="detection", preprocessing=Preprocessing(size=(50, 50), resize="stretch")),
    1: Metadata(task="detection", preprocessing=Preprocessing(size=(100, 100), resize="letterbox")),
}


@pytest.fixture(scope="module")
def picture() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT)).save(data, "PNG")
    return data.getvalue()


def stretched(boxes: np.ndarray) -> np.ndarray:
    """Boxes of the picture on an input of 50 x 50."""
    return np.column_stack([boxes[:, :4] * [0.25, 0.5, 0.25, 0.5], boxes[:, 4:]]).astype(np.float32)


def framed(boxes: np.ndarray) -> np.ndarray:
    """Boxes of the picture in the middle of an input of 100 x 100: half as large, 25 rows of grey above it."""
    return np.column_stack([boxes[:, :4] * 0.5 + [0, 25, 0, 25], boxes[:, 4:]]).astype(np.float32)


def test_boxes_are_fused_in_the_pictures_pixels_and_given_on_the_edges_input(picture) -> None:
    ours = np.array([[20, 20, 80, 60, 0.8, 1], [120, 10, 180, 90, 0.4, 2]], float)
    theirs = np.array([[24, 22, 84, 60, 0.9, 1]], float)
    first, last = {"small": stretched(ours)}, {"boxes": framed(theirs), "other": np.zeros(1)}
    both = combined(FUSING, first, last, METADATA, picture)
    np.testing.assert_allclose(both["boxes"], framed(fused([ours, theirs], (0.5, 1.0))), rtol=1e-4, atol=1e-3)
    assert both["boxes"].dtype == np.float32
    assert both["other"] is last["other"]


def test_a_row_that_says_that_numbers_were_none_is_no_box(picture) -> None:
    flag = np.array([[0, 0, 0, 0, np.nan, 0]], np.float32)
    theirs = framed(np.array([[24, 22, 84, 60, 0.9, 1]], float))
    both = combined(FUSING, {"small": flag}, {"boxes": theirs}, METADATA, picture)
    assert np.isfinite(both["boxes"]).all()
    assert len(both["boxes"]) == 1


def test_a_detector_is_never_sure() -> None:
    assert not FUSING.accepts(np.zeros((3, 6), np.float32))
    assert not replace(FUSING, weights=LATER_ALONE).combines
