#!/usr/bin/env python3
"""The device's side from wheels on an ARM processor that qemu plays: alone, and with an edge on this machine.

    python benchmarks/aarch64.py [--wheel FILE] [--folder DIR] [--json]

Needs Debian's `qemu-user-static`, and neither root nor a chroot. Debian's Python for arm64 and the wheels of what
Edgent needs are downloaded into `--folder` and kept there; what a board would download of wheels is added up. Then the
same pictures are answered by a device under qemu (a Cortex-A72, that of the Raspberry Pi 4) and by plain ONNX Runtime:
by the device alone, by the edge alone, and divided between the two at every fourth cut. qemu takes some two hundred
times as long as a board: this shows that it runs, and that answers are the same, and nothing of how fast. Exits with 1
where an answer differs or is not the edge's, or where a board downloads more than `MOST_MB`.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import command
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.errors import InputError
from programs import output
from tables import aligned

QEMU, PROCESSOR = "qemu-aarch64-static", "cortex-a72"
MOST_MB = 80.0  # of wheels, besides the models that ours ships
MODEL = "b-alexnet"
_PYTHON = "3.11"
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
_DEBIAN = f"deb [arch=arm64 signed-by={_KEYS}] http://deb.debian.org/debian bookworm main"
_PACKAGES = (f"python{_PYTHON}", f"libpython{_PYTHON}-stdlib", "libstdc++6")
_TAGS = ("2_34", "2_31", "2_28", "2_27", "2_26", "2_17")
_PATIENCE = 1800.0  # seconds for what runs under qemu
_CLOSE = 1e-3  # relative: kernels of another processor round in another way
_CORES = 4
_CORE = """processor\t: {0}
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3

"""


def main() -> int:
    """The command line."""
    parser = command.options(__doc__)
    parser.add_argument("--wheel", type=Path, help="Edgent's own wheel; built where none is given")
    parser.add_argument("--folder", type=Path, default=Path("build/aarch64"), help="where downloads are kept")
    options = parser.parse_args()
    if shutil.which(QEMU) is None:
        raise InputError(f"found no {QEMU}, expected it: apt-get install qemu-user-static")
    folder = options.folder.resolve()
    wheels = downloaded(folder, options.wheel)
    rows = [checked(folder, name, edge, cuts) for name, edge, cuts in settings()]
    document = {"download": download_rows(wheels), "checks": [row for found in rows for row in found]}
    document["download_mb"] = round(sum(row["mb"] for row in document["download"]), 1)
    command.show(options, document, lambda: _tell(document))
    return int(
        document["download_mb"] > MOST_MB or not all(row["same"] and row["as_planned"] for row in document["checks"])
    )


def settings() -> list[tuple[str, bool, list[tuple[int, int]]]]:
    """What is run: its name, whether with an edge, and where the last branch is cut."""
    count = len(load(MODEL).branches[-1].layers)
    divided = [(cut, count) for cut in range(0, count, 4)] + [(0, count // 2)]
    return [("alone", False, [(count, count)]), ("with an edge", True, divided)]


def downloaded(folder: Path, own: Path | None) -> list[Path]:
    """Makes the folder ready: an ARM Python in `root`, the wheels, and what they hold in `site`."""
    wheels, site = folder / "wheels", folder / "site"
    if not (folder / "root" / "usr" / "bin" / f"python{_PYTHON}").exists():
        _root(folder)
    wheels.mkdir(parents=True, exist_ok=True)
    for older in wheels.glob("edgent-*.whl"):  # pip takes one of the same version for this one
        older.unlink()
    own = own or _built(folder)
    platforms = [word for tag in _TAGS for word in ("--platform", f"manylinux_{tag}_aarch64")]
    _run(
        *(sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--only-binary=:all:"),
        *("--python-version", _PYTHON, *platforms, "-d", str(wheels), str(own)),
    )
    shutil.rmtree(site, ignore_errors=True)
    for wheel in wheels.glob("*.whl"):
        shutil.unpack_archive(wheel, site, "zip")
    return sorted(wheels.glob("*.whl"))


def _root(folder: Path) -> None:
    """Debian's Python for arm64, unpacked and not installed: qemu looks for libraries there first."""
    state, root = folder / "apt", folder / "root"
    for place in (state / "lists" / "partial", state / "archives" / "partial", root / "proc"):
        place.mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    (state / "sources.list").write_text(_DEBIAN + "\n")
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "Dir::State": str(state),
        "Dir::State::status": str(state / "status"),
        "Dir::Cache": str(state),
        "Dir::Etc::sourcelist": str(state / "sources.list"),
        "Dir::Etc::sourceparts": "-",
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "1",
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    _run(*apt, "update")
    _run(*apt, "install", "-y", "--no-install-recommends", "--download-only", *_PACKAGES)
    for package in (state / "archives").glob("*.deb"):
        _run("dpkg-deb", "-x", str(package), str(root))
    # What ONNX Runtime asks about its cores; this machine's own would be those of another architecture.
    (root / "proc" / "cpuinfo").write_text("".join(_CORE.format(core) for core in range(_CORES)))
    cores = root / "sys" / "devices" / "system" / "cpu"
    cores.mkdir(parents=True, exist_ok=True)
    for name in ("possible", "present", "online"):
        (cores / name).write_text(f"0-{_CORES - 1}\n")


def _built(folder: Path) -> Path:
    project = Path(__file__).resolve().parents[1]
    _run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder / "own"), str(project))
    (wheel,) = (folder / "own").glob("edgent-*.whl")
    return wheel


def checked(folder: Path, name: str, with_edge: bool, cuts: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """Answers of a device under qemu beside those of the undivided model here."""
    model = load(MODEL)
    (given,), (output,) = model.inputs, model.branches[-1].outputs
    inputs = np.random.default_rng(0).normal(size=(2, *(given.shape or ()))).astype(given.dtype)
    plain = onnxruntime.InferenceSession(str(model.path), providers=["CPUExecutionProvider"])
    expected = np.stack([plain.run([output.name], {given.name: picture})[0] for picture in inputs])
    with tempfile.TemporaryDirectory(prefix="edgent-aarch64-") as scratch:
        pictures, answers = Path(scratch) / "pictures.npy", Path(scratch) / "answers.npz"
        np.save(pictures, inputs)
        with Edge(model, port=0) as edge:
            said = under_qemu(folder, edge.address if with_edge else "", str(pictures), str(answers), json.dumps(cuts))
        found = dict(np.load(answers))
    return [
        {
            "run": name,
            "machine": said["machine"],
            "upload": row["upload"],
            "download": row["download"],
            "by": " ".join(row["by"]),
            "as_planned": row["by"] == ["edge" if with_edge else "device"],
            "why": row["why"],
            "difference": difference(found[f"{row['upload']}-{row['download']}"], expected),
            "same": difference(found[f"{row['upload']}-{row['download']}"], expected) <= _CLOSE,
        }
        for row in said["rows"]
    ]


def difference(found: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> float:
    """Relative to the largest number, as in every page of results."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def under_qemu(folder: Path, *arguments: str) -> dict[str, Any]:
    """Runs the device's program on the ARM Python."""
    root = folder / "root"
    python = (QEMU, "-cpu", PROCESSOR, "-L", str(root), str(root / "usr" / "bin" / f"python{_PYTHON}"))
    environment = {
        "PYTHONHOME": str(root / "usr"),
        "PYTHONPATH": str(folder / "site"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    program = Path(__file__).with_name("aarch64_device.py")
    printed = output(*python, program, MODEL, *arguments, environment=environment, patience=_PATIENCE)
    said: dict[str, Any] = json.loads(printed)
    return said


def download_rows(wheels: Sequence[Path]) -> list[dict[str, Any]]:
    """What a board downloads: each wheel's size; of ours without the models in it."""
    rows = []
    for wheel in wheels:
        size = wheel.stat().st_size - (_models_in(wheel) if wheel.name.startswith("edgent-") else 0)
        rows.append(
            {"wheel": wheel.name.split("-")[0], "version": wheel.name.split("-")[1], "mb": round(size / 1e6, 2)}
        )
    return sorted(rows, key=lambda row: -row["mb"])


def _models_in(wheel: Path) -> int:
    with zipfile.ZipFile(wheel) as opened:
        return sum(entry.compress_size for entry in opened.infolist() if "/model/shipped/" in entry.filename)


def _run(*words: str) -> None:
    output(*words, patience=_PATIENCE)


def _tell(document: dict[str, Any]) -> None:
    print(aligned(document["download"]), f"{document['download_mb']} MB in all", sep="\n", end="\n\n")
    print(aligned(document["checks"]))


if __name__ == "__main__":
    command.run(main)
