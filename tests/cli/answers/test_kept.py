"""`edgent run` on a detector, a classifier and others: what is printed, kept and drawn, and what one bad input does."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detectors import LABELS, SIDE, detector, in_one_order, passing
from edgent.telemetry import read_records

DEADLINE = ("--deadline", "60s")


def photograph(seed: int = 7) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (6, 10, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((200, 120), Image.Resampling.NEAREST)


def jpeg(seed: int = 7) -> bytes:
    stream = io.BytesIO()
    photograph(seed).save(stream, "JPEG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return detector(tmp_path_factory.mktemp("model") / "detector.onnx")


@pytest.fixture
def folder(tmp_path) -> Path:
    (made := tmp_path / "pictures").mkdir()
    photograph(1).save(made / "a.png")
    photograph(2).save(made / "c.png")
    return made


class Stdin:
    """Standard input that holds these bytes."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


def test_a_line_says_how_many_boxes_there_are_of_what(model, folder, edgent) -> None:
    ended = edgent("run", model, folder, *DEADLINE)
    assert ended.code == 0, ended.err
    for line in ended.out.splitlines():
        assert "boxes: " in line and any(label in line for label in LABELS) and "exit 0 by the device" in line


def test_all_of_an_answer_is_kept_and_the_pictures_drawn(model, folder, tmp_path, edgent) -> None:
    kept = tmp_path / "deep" / "kept"
    ended = edgent(
        "run", model, folder, *DEADLINE, "--output", kept, "--annotate", "--records", tmp_path / "r", "--json"
    )
    assert ended.code == 0, ended.err
    names = {"a.json", "a.npz", "a.annotated.png", "c.json", "c.npz", "c.annotated.png"}
    assert {file.name for file in kept.iterdir()} == names
    document = json.loads((kept / "a.json").read_text())
    assert document == json.loads(ended.out)["answers"][0]
    assert document["files"] == {"tensors": "a.npz", "picture": "a.annotated.png"}
    boxes = document["result"]["boxes"]
    assert len(boxes) > 5 and {box["label"] for box in boxes} <= set(LABELS)
    tensors = np.load(kept / "a.npz")["boxes"]
    np.testing.assert_allclose(tensors[:, 4], [box["score"] for box in boxes])
    (first, _) = read_records(tmp_path / "r")
    assert first.result == document["result"]


def test_two_inputs_of_one_name_are_both_kept(model, folder, tmp_path, edgent) -> None:
    (other := tmp_path / "other").mkdir()
    photograph(9).save(other / "a.png")
    assert edgent("run", model, folder / "a.png", other / "a.png", *DEADLINE, "--output", tmp_path / "k").code == 0
    assert {"a.json", "a-2.json"} <= {file.name for file in (tmp_path / "k").iterdir()}


def test_pictures_come_from_stdin_one_after_another(model, monkeypatch, tmp_path, edgent) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(jpeg(1) + jpeg(2) + jpeg(3)))
    ended = edgent("run", model, "-", *DEADLINE, "--json", "--output", tmp_path)
    assert ended.code == 0, ended.err
    assert [answer["input"] for answer in json.loads(ended.out)["answers"]] == ["stdin-1", "stdin-2", "stdin-3"]
    alone = tmp_path / "two.jpg"
    alone.write_bytes(jpeg(2))
    (same,) = json.loads(edgent("run", model, alone, *DEADLINE, "--json").out)["answers"]
    assert same["result"] == json.loads((tmp_path / "stdin-2.json").read_text())["result"]


@pytest.mark.parametrize(
    ("content", "code", "answered", "said"),
    [
        (b"", 2, 0, "stdin: found nothing, expected JPEG pictures"),
        (b"hello", 2, 0, "stdin: picture 1: found b'hell'"),
        (jpeg(1) + b"hello", 1, 1, "stdin: picture 2: found b'hell'"),
        (jpeg(1) + jpeg(2)[:-50], 1, 1, "stdin: picture 2: ends after"),
        (jpeg(1) + b"\xff\xd8\xff\xd9" + jpeg(2), 1, 2, "stdin-2: "),
    ],
)
def test_a_stream_that_breaks_off_ends_nothing_that_was_answered(
    content, code, answered, said, model, monkeypatch, edgent
) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(content))
    ended = edgent("run", model, "-", *DEADLINE)
    assert (ended.code, len(ended.out.splitlines())) == (code, answered) and said in ended.complaints[0]
    assert len(ended.complaints) == (1 if code == 2 else 2)


def test_one_broken_file_is_named_and_the_others_are_kept(model, folder, tmp_path, edgent) -> None:
    (folder / "b.jpg").write_bytes(jpeg()[:300])
    ended = edgent("run", model, folder, *DEADLINE, "--output", tmp_path / "k", "--annotate")
    assert ended.code == 1 and len(ended.complaints) == 2 and f"{folder}/b.jpg" in ended.complaints[0]
    assert {file.stem for file in (tmp_path / "k").glob("*.json")} == {"a", "c"}


def test_a_drawing_needs_a_place(model, folder, edgent) -> None:
    ended = edgent("run", model, folder, *DEADLINE, "--annotate")
    assert ended.code == 2 and "--output DIR" in ended.err and len(ended.complaints) == 1


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/none"])
def test_a_place_that_is_no_folder_is_refused_before_the_work(place, model, folder, tmp_path, edgent) -> None:
    (tmp_path / "file").touch()
    ended = edgent("run", model, folder, *DEADLINE, "--output", tmp_path / place)
    assert ended.code == 2 and ended.out == "" and len(ended.complaints) == 1 and "--output" in ended.err


SHAPES = {
    "classification": ((1, 5), {"labels": LABELS}, ["cat 1,"]),
    "embedding": ((1, 512), {}, ["embedding of 512 numbers"]),
    "segmentation": ((1, 3, 4, 4), {"labels": ("road", "car", "sky")}, ["mask 4 x 4: road 100.0 %"]),
    "raw": ((1, 85, 22, 22), {}, ["o float32 [1, 85, 22, 22]"]),
    None: ((1, 85, 22, 22), {}, ["o float32 [1, 85, 22, 22]"]),
}


@pytest.mark.parametrize("task", SHAPES)
def test_a_line_is_in_the_words_of_the_task(task, tmp_path, edgent) -> None:
    shape, said, expected = SHAPES[task]
    path = passing(tmp_path / "m.onnx", {"o": shape}, task=task, **said)
    np.save(tmp_path / "ones.npy", np.ones(shape, np.float32))
    ended = edgent("run", path, tmp_path / "ones.npy", *DEADLINE, "--output", tmp_path / "k")
    assert ended.code == 0, ended.err
    assert all(words in ended.out for words in expected) and len(ended.out.splitlines()) == 1
    assert (tmp_path / "k" / "ones.mask.png").exists() == (task == "segmentation")


def test_a_mask_is_kept_in_the_classes_of_the_pixels(tmp_path, edgent) -> None:
    scores = np.random.default_rng(0).random((1, 3, 20, 30), dtype=np.float32)
    path = passing(tmp_path / "m.onnx", {"o": scores.shape}, task="segmentation")
    np.save(tmp_path / "s.npy", scores)
    assert edgent("run", path, tmp_path / "s.npy", *DEADLINE, "--output", tmp_path / "k").code == 0
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "k" / "s.mask.png")), scores[0].argmax(0))
    shares = json.loads((tmp_path / "k" / "s.json").read_text())["result"]["mask"]["classes"]
    assert sum(one["share"] for one in shares) == pytest.approx(1, abs=1e-4)


def test_what_is_no_number_is_said(tmp_path, edgent) -> None:
    path = passing(tmp_path / "m.onnx", {"o": (1, 5)}, task="classification", labels=LABELS)
    np.save(tmp_path / "n.npy", np.float32([[np.nan, np.inf, 1, 2, 3]]))
    ended = edgent("run", path, tmp_path / "n.npy", *DEADLINE)
    assert ended.code == 0 and "2 of its numbers are NaN or infinite" in ended.out
    (answer,) = json.loads(edgent("run", path, tmp_path / "n.npy", *DEADLINE, "--json").out)["answers"]
    assert answer["result"]["not_finite"] == 2


def test_boxes_in_one_order_are_those_of_the_file_whatever_the_input_came_as(model, tmp_path, edgent) -> None:
    photograph(3).save(tmp_path / "p.png")
    pixels = np.full((SIDE, SIDE, 3), 114, np.uint8)
    pixels[13:51] = np.asarray(photograph(3).resize((64, 38), Image.Resampling.BILINEAR))
    np.save(tmp_path / "p.npy", (pixels.transpose(2, 0, 1)[None] / np.float32(255)).astype(np.float32))
    for name in ("p.png", "p.npy"):
        assert edgent("run", model, tmp_path / name, *DEADLINE, "--output", tmp_path / name[2:]).code == 0
    one, other = (np.load(tmp_path / kind / "p.npz")["boxes"] for kind in ("png", "npy"))
    np.testing.assert_allclose(in_one_order(one), in_one_order(other), rtol=1e-4)
