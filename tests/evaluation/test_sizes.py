"""Sizes from a few pictures: beside the files on disk, and beside encoding each picture by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgent.codec import IMAGE_CODECS, decode_pixels, encode_image, encode_tensor, fit, is_lossless, normalise
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import InputError
from edgent.evaluation.sizes import FEW, expected_sizes, few_pictures, mean_bytes, sizes_of
from edgent.model import Metadata
from evaluation.small_networks import FORM, answers, shades


def noise(folder: Path, count: int, side: int = 12) -> list[Path]:
    """Pictures of different sizes and contents, so that a mean of other ones shows."""
    folder.mkdir()
    random = np.random.default_rng(count)
    files = []
    for number in range(count):
        pixels = random.integers(0, 1 + 25 * (number + 1), (side, side + number, 3)).astype(np.uint8)
        files.append(folder / f"{number:03}.png")
        files[-1].write_bytes(encode_image("png", pixels))
    return files


@pytest.mark.parametrize("count", [1, 3, FEW, 5, 9, 10])
def test_a_few_are_spread_over_the_folder_from_its_first_to_its_last(tmp_path: Path, count: int) -> None:
    files = noise(tmp_path / "d", count)
    chosen = list(few_pictures(tmp_path / "d").files)
    assert len(chosen) == min(FEW, count) == len(set(chosen))
    assert chosen == sorted(chosen)
    assert chosen[0] == files[0] and (count == 1 or chosen[-1] == files[-1])
    places = [files.index(file) for file in chosen]
    gaps = np.diff(places)
    assert count <= FEW or gaps.max() - gaps.min() <= 1


def test_one_picture_is_itself_and_a_folder_without_any_is_refused(tmp_path: Path) -> None:
    (file,) = noise(tmp_path / "d", 1)
    assert few_pictures(file).files == (file,)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no picture"):
        few_pictures(tmp_path / "empty")


def test_the_mean_is_that_of_the_files_as_they_lie(tmp_path: Path) -> None:
    files = noise(tmp_path / "d", 3)
    assert mean_bytes(few_pictures(tmp_path / "d")) == pytest.approx(np.mean([len(f.read_bytes()) for f in files]))


def test_what_loses_nothing_has_its_mean_size_and_nothing_has_an_accuracy(tmp_path: Path) -> None:
    files = noise(tmp_path / "d", 3)
    model = load(shades(tmp_path))
    calibration = sizes_of(model, few_pictures(tmp_path / "d"), Engine())
    fitted = [fit(decode_pixels(file.read_bytes()), FORM) for file in files]
    expected = {"source": np.mean([file.stat().st_size for file in files])}
    for codec in ("png", "webp-lossless"):
        expected[codec] = np.mean([len(encode_image(codec, pixels)) for pixels in fitted])
    tensors = [normalise(pixels, FORM) for pixels in fitted]
    expected["float32+zstd"] = np.mean([len(encode_tensor("float32+zstd", tensor)) for tensor in tensors])
    for codec, size in expected.items():
        assert calibration.size(["image"], codec, np.nan) == pytest.approx(size), codec
    assert not calibration.accuracies and not calibration.exits
    assert all(is_lossless(entry.codec) for entry in calibration.sizes)
    assert {entry.codec for entry in calibration.sizes} >= {codec for codec in IMAGE_CODECS if is_lossless(codec)}


def test_nothing_is_expected_of_a_model_without_pictures_or_of_files_that_are_none(tmp_path: Path) -> None:
    files = noise(tmp_path / "d", 2)
    silent = load(answers(tmp_path, np.ones((1, 2)), Metadata()))
    assert expected_sizes(silent, files, Engine()) is None
    (tmp_path / "notes.png").write_bytes(b"no picture at all")
    model = load(shades(tmp_path))
    assert expected_sizes(model, [tmp_path / "notes.png", tmp_path / "missing.png"], Engine()) is None
    kept = expected_sizes(model, files, Engine())
    assert kept is not None and kept.digest == model.digest
    # Only the picture itself: cuts would have to be run, and nobody has asked for that yet.
    assert {entry.tensors for entry in kept.sizes} == {("image",)}
