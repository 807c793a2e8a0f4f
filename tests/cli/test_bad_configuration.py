"""Configurations, models and data that cannot be: one line that names the file, the right exit code, no traceback."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from detectors import passing
from graphs import residual, saved


@pytest.fixture(autouse=True)
def _folder(empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A classifier of ten classes that takes pictures of 8 x 8, a picture, and things that are none."""
    monkeypatch.chdir(tmp_path)
    proto = onnx.load(passing(Path("net.onnx"), {"o": (1, 10)}))
    del proto.metadata_props[:]
    onnx.save(proto, "net.onnx")
    saved(residual(), Path("picture.onnx"))
    Image.new("RGB", (8, 8)).save("picture.png")
    Path("text.onnx").write_text("hello")
    Path("empty.onnx").touch()
    Path("empty").mkdir()


def one_line(ended, code: int = 2) -> str:
    assert ended.code == code and ended.out == "", ended
    (said,) = ended.complaints
    assert "Traceback" not in ended.err and len(said) < 600
    return said


CONFIGURATIONS = {
    "an unknown task": ('task = "detecting"', "task is 'detecting', expected one of classification, detection"),
    "an unknown head": ('task = "detection"\nhead = "yolov99"', "head is 'yolov99', expected one of yolov5, yolov8"),
    "the head of another network": ('task = "detection"\nhead = "yolov8"', "head yolov8: found the outputs 'o'"),
    "the head of another task": ('task = "embedding"\nhead = "yolov8"', "head is 'yolov8', expected one of l2"),
    "too few labels": ('task = "classification"\nlabels = ["a"]', "has 10 classes, but there are 1 labels"),
    "labels of nowhere": ('task = "classification"\nlabels = "no.txt"', "no.txt: "),
    "labels above": ('labels = "../labels.txt"', "expected a file beside the configuration, or below it"),
    "labels that are a folder": ('labels = "empty"', "labels: empty"),
    "labels that are no text": ('labels = "picture.png"', "labels: picture.png"),
    "a graph of nowhere": ('task = "raw"\npost = "no.onnx"', "post: no.onnx"),
    "a graph that is a picture": ('task = "raw"\npost = "picture.png"', "is no ONNX file"),
    "a graph of another network": ('task = "raw"\npost = "picture.onnx"', "reads 'x' of shape [1, 3, 8, 8]"),
    "pictures for a model of arrays": ("[preprocessing]\nsize = [8, 8]", "but input 'o_in' takes [1, 10]"),
    "pictures of no size": ("[preprocessing]\nsize = [0, 8]", "expected height and width"),
    "an unknown table": ("[preprocesing]\nsize = [8, 8]", "did you mean 'preprocessing'"),
    "an unknown limit": ("[limits]\nscores = 0.5", "did you mean 'score'"),
    "a limit that is none": ('task = "raw"\n[limits]\nscore = 2', "expected fractions"),
    "a dimension nobody has": ("[dims]\nwidth = 8", "no input has a free dimension 'width'"),
    "an input nobody has": ('[inputs.oin]\nfill = "pad"', "has an input 'oin' (did you mean 'o_in'?)"),
    "half a line": ("task = ", "found no TOML"),
    "a key twice": ('task = "raw"\ntask = "raw"', "found no TOML"),
    "a date": ("task = 2020-01-01", "found a date"),
    "infinity": ("[limits]\nscore = inf", "an infinity"),
    "no text": (b"\xff\xfe task", "found no text"),
    "deep brackets": ("labels = " + "[" * 100_000, "TOML"),
    "a number of thousands of digits": ("[dims]\na = " + "9" * 9999, "TOML"),
}


@pytest.mark.parametrize("kind", CONFIGURATIONS)
def test_a_configuration_that_cannot_be_is_refused_in_a_line_that_names_the_file(kind: str, edgent: Callable) -> None:
    text, expected = CONFIGURATIONS[kind]
    Path("net.edgent.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    said = one_line(edgent("inspect", "net.onnx"))
    assert expected in said and said.startswith("edgent: net.onnx: ")


def test_a_folder_in_the_place_of_a_configuration_is_named(edgent: Callable) -> None:
    Path("net.edgent.toml").mkdir()
    assert "net.edgent.toml: is a folder" in one_line(edgent("inspect", "net.onnx"))


@pytest.mark.parametrize("verb", ["init", "inspect", "profile", "serve", "run", "evaluate"])
@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("empty", "is a folder with 0 ONNX files"),
        (".", "is a folder with 4 ONNX files"),
        ("text.onnx", "is no ONNX file but text"),
        ("empty.onnx", "is no ONNX file: it is empty"),
        ("picture.png", "is no ONNX file"),
        ("none.onnx", "no such file"),
        ("net.onnx/x.onnx", "no such file"),
    ],
)
def test_what_is_no_model_is_refused_by_every_verb(model: str, expected: str, verb: str, edgent: Callable) -> None:
    more = {"run": ("picture.png", "--deadline", "1s"), "evaluate": ("--data", "."), "serve": ("--port", "0")}
    assert expected in one_line(edgent(verb, model, *more.get(verb, ())))


def test_a_picture_for_a_model_that_does_not_say_what_to_do_with_it_leads_to_init(edgent: Callable) -> None:
    assert "edgent init" in one_line(edgent("run", "picture.onnx", "picture.png", "--deadline", "1s"))


DATA = {
    "an empty folder": (lambda data: None, "found no data"),
    "pictures without labels": (
        lambda data: [
            *((data / name).mkdir() for name in ("images", "labels")),
            picture(data / "images" / "a.png"),
            names(data),
        ],
        "found 1 pictures and boxes for none",
    ),
    "labels without pictures": (
        lambda data: [(data / "labels").mkdir(), (data / "labels" / "a.txt").write_text("0 .5 .5 .2 .2"), names(data)],
        "found no data",
    ),
    "no column of labels": (
        lambda data: (data / "l.csv").write_text("a;b\n"),
        "expected the columns' names: file,label",
    ),
    "a row without a file": (
        lambda data: [picture(data / "a.png"), (data / "l.csv").write_text("file,label\na.png,1\nb.png,1\n")],
        "line 3: there is no file 'b.png'",
    ),
}


def picture(path: Path) -> None:
    Image.new("RGB", (8, 8)).save(path)


def names(data: Path) -> None:
    (data / "classes.txt").write_text("a\nb\n")


@pytest.mark.parametrize("kind", DATA)
def test_data_that_cannot_be_measured_on_is_refused(kind: str, edgent: Callable) -> None:
    make, expected = DATA[kind]
    Path("picture.edgent.toml").write_text('task = "raw"\n[preprocessing]\nresize = "stretch"\n')
    make(Path("empty"))
    data = "empty/l.csv" if Path("empty/l.csv").exists() and kind == "a row without a file" else "empty"
    assert expected in one_line(edgent("evaluate", "picture.onnx", "--data", data))


def test_a_folder_of_broken_pictures_names_each_with_its_folder(edgent: Callable) -> None:
    Path("picture.edgent.toml").write_text('task = "raw"\n[preprocessing]\nresize = "stretch"\n')
    for name in ("a.png", "b.jpg"):
        (Path("empty") / name).write_bytes(b"nonsense")
    ended = edgent("evaluate", "picture.onnx", "--data", "empty")
    assert ended.code == 2 and ended.out == ""
    assert [line.partition(": found")[0] for line in ended.complaints[:2]] == [
        f"edgent: empty{os.sep}{name}" for name in ("a.png", "b.jpg")
    ]
    assert "no picture that can be opened" in ended.complaints[2]


def test_a_reference_of_another_task_is_no_relative(edgent: Callable) -> None:
    for name, task in (("picture", "raw"), ("other", "embedding")):
        saved(residual(), Path(f"{name}.onnx"))
        Path(f"{name}.edgent.toml").write_text(f'task = "{task}"\n[preprocessing]\nresize = "stretch"\n')
    picture(Path("empty/a.png"))
    said = one_line(edgent("evaluate", "picture.onnx", "--data", "empty", "--reference", "other.onnx"))
    assert "other is no reference for picture" in said


@pytest.mark.parametrize("output", ["picture.png", "picture.png/x", "/proc/nowhere/x"])
def test_a_place_for_answers_that_cannot_be_made_is_refused_before_the_work(output: str, edgent: Callable) -> None:
    np.save("a.npy", np.zeros((1, 10), np.float32))
    assert "no folder can be made there" in one_line(
        edgent("run", "net.onnx", "a.npy", "--deadline", "9s", "--output", output)
    )
