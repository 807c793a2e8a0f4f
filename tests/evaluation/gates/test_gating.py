"""Gates of two networks that see a picture in two sizes, beside Pillow, plain ONNX Runtime and counting."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import InputError
from edgent.evaluation.data.examples import opened
from edgent.evaluation.data.recognise import read_listing, recognised
from edgent.evaluation.gates.files import gates_for, keep
from edgent.evaluation.gates.gating import STEPS, Opinions, Promise, answers_of, measure_gates, steps_of
from edgent.planning.gates import LATER_ALONE, Gates
from networks.classifiers import classifier

SMALL, BIG, CLASSES, PICTURES = 16, 28, 3, 60
LOOSE = Promise(0.1, 0.9)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gates")
    return (
        classifier(folder / "small.onnx", SMALL, 0.5, classes=CLASSES),
        classifier(folder / "big.onnx", BIG, 0.9, classes=CLASSES),
    )


@pytest.fixture(scope="module")
def pictures(files, tmp_path_factory) -> Path:
    """Noise; the right class is what the big network says of most of them."""
    root, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    session = onnxruntime.InferenceSession(str(files[1]))
    for number in range(PICTURES):
        colour = rng.integers(0, 255, 3)
        pixels = np.clip(colour + rng.normal(0, 80, (40, 40, 3)), 0, 255).astype(np.uint8)
        said = int(session.run(None, {"input": tensor(pixels, BIG)})[0].argmax())
        right = said if rng.random() < 0.85 else int(rng.integers(CLASSES))
        path = root / f"class {right}" / f"{number:03d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    return root


def tensor(pixels: np.ndarray, side: int) -> np.ndarray:
    small = np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR))
    return (small / 255).transpose(2, 0, 1)[None].astype(np.float32)


def examples_of(root: Path):
    return opened(read_listing(root, recognised(root)))


def plain(file: Path, side: int, examples) -> np.ndarray:
    """Softmax of the scores, by Pillow and ONNX Runtime alone."""
    session, rows = onnxruntime.InferenceSession(str(file)), []
    for row in range(len(examples)):
        pixels = np.asarray(Image.open(io.BytesIO(examples.source(row))).convert("RGB"))
        (scores,) = session.run(None, {"input": tensor(pixels, side)})
        rows.append(np.exp(scores[0] - scores.max()))
    shares = np.stack(rows)
    return shares / shares.sum(axis=1, keepdims=True)


def test_a_gate_is_what_counting_says(files, pictures) -> None:
    examples = examples_of(pictures)
    gates = measure_gates(load("+".join(map(str, files))), examples, engine=Engine(), promise=LOOSE)
    (gate,) = gates.promised
    early, late = plain(files[0], SMALL, examples), plain(files[1], BIG, examples)
    truths = np.array(examples.truths)
    first, last = early.argmax(axis=1) == truths, late.argmax(axis=1) == truths
    assert gate.weights == LATER_ALONE  # the small one is random: it adds nothing
    taken = early.max(axis=1) >= (np.inf if gate.confidence is None else gate.confidence - 1e-6)
    assert (gate.exit, gate.later, gate.codec, gate.samples) == (0, 1, "source", PICTURES)
    assert gate.accepted == pytest.approx(taken.mean())
    assert gate.lost == pytest.approx((taken & last & ~first).mean())
    assert gate.accuracy == pytest.approx(np.where(taken, first, last).mean())
    assert gate.ungated == gate.alone == pytest.approx(last.mean())
    assert gate.standing == pytest.approx(first[~taken].mean())
    assert gate.asked == pytest.approx(last[~taken].mean())
    assert 0 < gate.accepted < 1
    # One more accepted picture, the next in line, would be one loss too many.
    allowed = LOOSE.allowed(PICTURES)
    order = np.argsort(-early.max(axis=1))
    lost = np.cumsum((last & ~first)[order])
    assert lost[taken.sum() - 1] <= allowed < lost[taken.sum()]


def test_each_step_asks_about_a_part_of_what_the_gate_asks_about_and_that_is_the_least_sure(files, pictures) -> None:
    examples = examples_of(pictures)
    answers = answers_of(load("+".join(map(str, files))), examples, Engine(), [])
    whole, *steps = steps_of(answers, 0, "source", LOOSE)
    sure = np.sort(np.exp(answers.by_exit[0]).max(axis=1))
    for step, part in zip(steps, STEPS[1:], strict=True):
        asked = round(step.deferred * PICTURES)
        assert asked == round(part * whole.deferred * PICTURES)
        assert sure[asked - 1] < step.confidence <= sure[asked] + 1e-12
        assert (step.weights, step.ungated, step.alone) == (whole.weights, whole.ungated, whole.alone)


@pytest.mark.parametrize(("unsure", "asked"), [((0.4, 0.45), 1), ((0.4, 0.4, 0.4, 0.45), 3), ((0.4, 0.4), 2)])
def test_a_step_asks_about_one_picture_at_least_and_about_equal_ones_together(unsure, asked) -> None:
    """Where a gate asks about two only, or about pictures between which it cannot tell."""
    sure = np.array([*unsure, *np.linspace(0.8, 0.99, PICTURES - len(unsure))])
    early = np.log(np.stack([sure, (1 - sure) / 2, (1 - sure) / 2], axis=1))
    truths = np.array([1] * len(unsure) + [0] * (PICTURES - len(unsure)))
    late = np.log(np.where(np.arange(CLASSES) == truths[:, None], 0.9, 0.05))
    opinions = Opinions(by_exit={0: early, 1: late}, coded={}, truths=truths, measure="accuracy")
    steps = steps_of(opinions, 0, "source", Promise(0.05, 0.9))
    assert round(steps[0].deferred * PICTURES) == len(unsure)
    assert round(steps[-1].deferred * PICTURES) == asked


def test_without_labels_the_last_exit_is_right_and_nothing_is_better(files, pictures, tmp_path) -> None:
    for number, path in enumerate(sorted(pictures.rglob("*.png"))):
        (tmp_path / f"{number}.png").write_bytes(path.read_bytes())
    gates = measure_gates(load("+".join(map(str, files))), examples_of(tmp_path), engine=Engine(), promise=LOOSE)
    assert gates.measure == "agreement"
    assert (gates.gates[0].ungated, gates.gates[0].asked, gates.gates[0].weights) == (1.0, 1.0, LATER_ALONE)


def test_behind_a_codec_the_last_exit_is_what_it_sees_there(files, pictures) -> None:
    bundle, examples = load("+".join(map(str, files))), examples_of(pictures)
    answers = answers_of(bundle, examples, Engine(), ["jpeg-5"])
    assert not np.allclose(answers.coded["jpeg-5"], answers.by_exit[1])
    gate, *_ = steps_of(answers, 0, "jpeg-5", LOOSE)
    assert gate.ungated == pytest.approx((answers.coded["jpeg-5"].argmax(axis=1) == answers.truths).mean())


def test_what_two_know_together_is_the_last_answer_where_it_is_better(files, pictures) -> None:
    answers = answers_of(load("+".join(map(str, files))), examples_of(pictures), Engine(), [])
    rng = np.random.default_rng(1)
    bump = 1.6 * np.eye(CLASSES)[np.tile(answers.truths, 20)]
    noisy = {exit: np.log(_softmax(rng.normal(size=bump.shape) + bump)) for exit in (0, 1)}
    gate, *_ = steps_of(answers._replace(by_exit=noisy, truths=np.tile(answers.truths, 20)), 0, "source", LOOSE)
    alone = (noisy[1].argmax(axis=1) == np.tile(answers.truths, 20)).mean()
    assert gate.combines and gate.gain[0] > 0
    assert gate.alone == pytest.approx(alone)
    assert gate.ungated > alone + 0.02


def test_gates_are_found_again_by_the_digest(files, pictures, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    bundle = load("+".join(map(str, files)))
    gates = measure_gates(bundle, examples_of(pictures), engine=Engine(), promise=LOOSE)
    assert Gates.from_json(gates.to_json()) == gates
    path = keep(gates)
    assert gates_for(bundle) == gates == gates_for(bundle, path)
    assert gates_for(load(files[0])) is None
    with pytest.raises(InputError, match="make it again: edgent gate"):
        gates_for(load(files[0]), path)


@pytest.mark.parametrize(
    ("model", "promise", "codecs", "words"),
    [
        ("both", Promise(0.01, 0.9), ("source",), "found 60 pictures, expected at least 230"),
        ("both", Promise(0.01, None), ("source",), "found 60 pictures, expected at least 99"),
        ("one", LOOSE, ("source",), "has one exit, expected two"),
        ("both", LOOSE, ("uint8",), "expected one of pictures"),
    ],
)
def test_what_cannot_be_promised_is_refused(files, pictures, model, promise, codecs, words) -> None:
    chosen = load("+".join(map(str, files if model == "both" else files[:1])))
    with pytest.raises(InputError, match=words):
        measure_gates(chosen, examples_of(pictures), engine=Engine(), promise=promise, codecs=codecs)


def _softmax(scores: np.ndarray) -> np.ndarray:
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)
