"""An input may be a file: what is in it is what is answered."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgent.engine.material import Material
from edgent.errors import InputError

ARRAY = np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)


@pytest.fixture
def picture(tmp_path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "cat.png")
    return tmp_path / "cat.png"


@pytest.mark.parametrize("kind", [Path, str])
def test_the_file_of_a_picture_is_its_bytes(kind, picture, model) -> None:
    material = Material(kind(picture), model)
    assert material.source == picture.read_bytes() and not material.tensors
    assert material.name == str(picture)


@pytest.mark.parametrize("kind", [Path, str])
def test_the_file_of_an_array_is_the_array(kind, tmp_path, model) -> None:
    np.save(tmp_path / "x.npy", ARRAY)
    np.savez(tmp_path / "x.npz", image=ARRAY)
    for name in ("x.npy", "x.npz"):
        material = Material(kind(tmp_path / name), model)
        assert material.source is None and np.array_equal(material.tensors["image"], ARRAY)


@pytest.mark.parametrize("given", [b"bytes", bytearray(b"bytes"), memoryview(b"bytes"), ARRAY, {"image": ARRAY}])
def test_what_comes_from_no_file_has_no_name(given, model) -> None:
    assert Material(given, model).name == ""


def missing(folder: Path) -> Path:
    return folder / "nowhere.png"


def itself(folder: Path) -> Path:
    return folder


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.png")
    return folder / "pipe.png"


def loop(folder: Path) -> Path:
    (folder / "loop.png").symlink_to("loop.png")
    return folder / "loop.png"


def half(folder: Path) -> Path:
    np.save(stream := io.BytesIO(), ARRAY)
    (folder / "half.npy").write_bytes(stream.getvalue()[:100])
    return folder / "half.npy"


def long_name(folder: Path) -> Path:
    return folder / ("n" * 300)


@pytest.mark.parametrize("make", [missing, itself, pipe, loop, half, long_name])
def test_a_file_that_cannot_be_read_is_named_in_one_line(make, tmp_path, model) -> None:
    path = make(tmp_path)
    with pytest.raises(InputError) as caught:
        Material(path, model)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_the_record_of_a_file_bears_its_name_unless_another_is_given(made, picture) -> None:
    device = made(channel=None)
    assert device.infer(picture).record.input == str(picture)
    assert device.infer(picture, name="cat").record.input == "cat"
    assert device.infer(picture.read_bytes()).record.input == ""
    assert device.infer(str(picture)).label == device.infer(picture.read_bytes()).label


def test_more_than_one_is_refused_by_its_shape(tmp_path, model) -> None:
    np.save(tmp_path / "five.npy", np.repeat(ARRAY, 5, axis=0))
    with pytest.raises(InputError, match=r"has shape \[5, .*\], expected \[1, "):
        Material(tmp_path / "five.npy", model)
