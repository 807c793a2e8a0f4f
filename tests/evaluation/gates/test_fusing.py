"""Boxes of two made-up detectors, fused where that is better."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import InputError
from edgent.evaluation.data.examples import TrueBoxes, opened
from edgent.evaluation.data.recognise import read_listing, recognised
from edgent.evaluation.gates.fusing import BoxOpinions, gate_of_boxes
from edgent.evaluation.gates.gating import Promise, measure_gates
from edgent.evaluation.measures.average_precision import MeanAveragePrecision
from edgent.model import ExitInfo, Preprocessing
from edgent.planning.gates import LATER_ALONE, Gates
from networks.detectors import LABELS, detector

PICTURES, THINGS = 40, 4


def truths(rng: np.random.Generator) -> list[TrueBoxes]:
    """Things that lie apart."""
    made = []
    for _ in range(PICTURES):
        low = np.array([[10.0, 10.0], [110.0, 10.0], [10.0, 110.0], [110.0, 110.0]]) + rng.uniform(0, 20, (THINGS, 2))
        corners = np.concatenate([low, low + rng.uniform(30, 50, (THINGS, 2))], axis=1)
        made.append(TrueBoxes(corners=corners, classes=rng.integers(0, 2, THINGS)))
    return made


def detected(rng: np.random.Generator, there: list[TrueBoxes], sees: float, off: float) -> list[np.ndarray]:
    """Boxes of a detector that sees a share of the things, some pixels off."""
    answers = []
    for truth in there:
        seen = rng.random(THINGS) < sees
        corners = truth.corners[seen] + rng.normal(0, off, (seen.sum(), 4))
        rest = [rng.uniform(0.5, 1, seen.sum()), truth.classes[seen]]
        answers.append(np.column_stack([corners, *rest]))
    return answers


@pytest.fixture(scope="module")
def measure() -> MeanAveragePrecision:
    return MeanAveragePrecision(truths(np.random.default_rng(0)))


def test_two_that_err_in_their_own_ways_are_better_together(measure) -> None:
    rng = np.random.default_rng(1)
    early, later = (detected(rng, list(measure.truth), 0.7, 4.0) for _ in range(2))
    gate = gate_of_boxes(BoxOpinions({0: early, 1: later}, {}, measure), 0, "source")
    alone = measure.number([measure.judge(boxes, row) for row, boxes in enumerate(later)])
    assert gate.combines
    assert gate.gain[0] > 0
    assert gate.alone == pytest.approx(alone)
    assert gate.accuracy == gate.ungated > alone + 0.05
    assert (gate.confidence, gate.deferred, gate.samples) == (None, 1.0, PICTURES)
    assert gate.overtaken == pytest.approx(gate.ungated - gate.standing)


def test_one_that_sees_nothing_is_left_out(measure) -> None:
    later = detected(np.random.default_rng(2), list(measure.truth), 0.9, 2.0)
    blind = [np.empty((0, 6))] * PICTURES
    gate = gate_of_boxes(BoxOpinions({0: blind, 1: later}, {}, measure), 0, "source")
    assert gate.weights == LATER_ALONE
    assert gate.accuracy == gate.alone > gate.standing == 0


def test_behind_a_codec_the_last_exit_is_what_it_sees_there(measure) -> None:
    rng = np.random.default_rng(3)
    sharp, blurred = (detected(rng, list(measure.truth), sees, 3.0) for sees in (0.9, 0.4))
    gate = gate_of_boxes(BoxOpinions({0: sharp, 1: sharp}, {"jpeg-5": blurred}, measure), 0, "jpeg-5")
    assert gate.alone < gate.standing
    assert gate.codec == "jpeg-5"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """One detector in two forms of picture."""
    folder = tmp_path_factory.mktemp("detectors")
    forms = {"stretched": ("stretch", 0.1), "framed": ("letterbox", 0.2)}
    for name, (resize, accuracy) in forms.items():
        shown = ExitInfo(name="out", outputs=("output0",), accuracy=accuracy, samples=1, data="none")
        detector(folder / f"{name}.onnx", preprocessing=Preprocessing(size=(64, 64), resize=resize), exits=(shown,))
    return load("+".join(str(folder / f"{name}.onnx") for name in forms))


def pictures(root: Path, *, labelled: bool):
    rng = np.random.default_rng(5)
    for folder in ("images", "labels") if labelled else ("images",):
        (root / folder).mkdir(parents=True)
    for number in range(6):
        Image.fromarray(rng.integers(0, 255, (48, 80, 3)).astype(np.uint8)).save(root / "images" / f"{number}.png")
        if labelled:
            (root / "labels" / f"{number}.txt").write_text(f"{number % 2} 0.5 0.5 0.3 0.4\n")
    where = root if labelled else root / "images"
    if labelled:
        (root / "names.yaml").write_text("names:\n" + "".join(f"  {k}: {name}\n" for k, name in enumerate(LABELS)))
    return opened(read_listing(where, recognised(where)))


def test_a_bundle_of_detectors_has_gates_that_accept_nothing(bundle, tmp_path) -> None:
    examples = pictures(tmp_path, labelled=True)
    codecs = ("source", "jpeg-50")
    measured = measure_gates(bundle, examples, engine=Engine(), promise=Promise(0.01, 0.9), codecs=codecs)
    assert [(gate.exit, gate.later, gate.codec) for gate in measured.gates] == [(0, 1, codec) for codec in codecs]
    assert {(gate.confidence, gate.deferred, gate.samples) for gate in measured.gates} == {(None, 1.0, 6)}
    assert measured.measure == "accuracy"
    assert Gates.from_json(measured.to_json()) == measured


def test_without_boxes_nobody_knows_whether_two_see_more(bundle, tmp_path) -> None:
    with pytest.raises(InputError, match="found pictures without labels, expected the boxes that stand in each"):
        measure_gates(
            bundle, pictures(tmp_path, labelled=False), engine=Engine(), promise=Promise(0.01, 0.9), codecs=("source",)
        )
