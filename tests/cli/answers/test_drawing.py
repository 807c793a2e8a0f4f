"""What is drawn lies where the answer says, and the picture stays what it was elsewhere."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from edgent.cli.answers.drawing import color_of, draw
from edgent.device.answer import Answer
from edgent.model.metadata import Metadata, Preprocessing
from edgent.planning.plan import Stages
from edgent.telemetry import Record
from edgent.units import Seconds

GREY = (90, 90, 90)


def png(width: int = 200, height: int = 120) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height), GREY).save(stream, "PNG")
    return stream.getvalue()


def drawn(first: np.ndarray, source: bytes, **said: object) -> np.ndarray:
    record = Record(
        input="a", label=None, exit=0, by="device", deadline_met=True, total=Seconds(0.1), stages=Stages(), plan=None
    )
    form = Preprocessing(size=(100, 100))
    metadata = Metadata(preprocessing=form, **said)
    answer = Answer(outputs={"y": first}, label=None, record=record, metadata=metadata, source=source)
    return np.asarray(draw(answer, source))


def is_color(pixels: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return (pixels == np.array(color)).all(-1)


def test_a_box_is_framed_in_the_colour_of_its_class_and_labelled_above() -> None:
    box = np.float32([[20, 50, 60, 80, 0.9, 1]])  # in a picture twice as wide: 40..120 x 60..96
    pixels = drawn(box, png(), task="detection", labels=("cat", "dog"))
    color = color_of(1)
    assert is_color(pixels[96, 41:119], color).all() and is_color(pixels[61:95, 120], color).all()
    assert is_color(pixels[65:90, 45:115], GREY).all() and is_color(pixels[100:], GREY).all()
    above = is_color(pixels[:60], color)
    assert above.any() and not above[:, 150:].any()


def test_a_label_stays_inside_the_picture() -> None:
    box = np.float32([[90, 0, 100, 10, 0.9, 0]])
    pixels = drawn(box, png(), task="detection", labels=("a rather long name",))
    patch = np.argwhere(is_color(pixels, color_of(0)))
    assert patch[:, 1].min() < 120  # shifted to the left, where there is room for it


def test_names_from_anybody_are_drawn_as_one_line() -> None:
    box = np.float32([[1, 1, 9, 9, 0.9, 0]])
    names = ("a\n\u202e\x1b[31m日本", "a plain name")
    heights = [
        np.argwhere(is_color(drawn(box, png(), task="detection", labels=(n,)), color_of(0)))[:, 0] for n in names
    ]
    assert np.ptp(heights[0]) == np.ptp(heights[1])  # a second line would make the patch higher


def test_a_mask_colours_its_classes_and_leaves_the_background() -> None:
    mask = np.zeros((10, 10), np.uint8)
    mask[:, 5:] = 1
    pixels = drawn(mask, png(), task="segmentation")
    assert is_color(pixels[60:, :99], GREY).all() and not is_color(pixels[60:, 101:], GREY).any()


def test_the_best_class_is_written_on_the_picture() -> None:
    pixels = drawn(np.float32([0.1, 0.9]), png(), task="classification", labels=("cat", "dog"))
    assert not is_color(pixels[:12, :30], GREY).any() and is_color(pixels[60:], GREY).all()


def test_neighbouring_classes_never_look_alike() -> None:
    colors = np.array([color_of(number) for number in range(80)], int)
    assert np.abs(np.diff(colors, axis=0)).sum(1).min() > 100


def test_a_tiny_picture_can_be_drawn_on() -> None:
    assert drawn(np.float32([[0, 0, 100, 100, 0.9, 0]]), png(3, 2), task="detection").shape == (2, 3, 3)
