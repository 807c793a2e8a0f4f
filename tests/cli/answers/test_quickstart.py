"""The commands of docs/quickstart.md, as they are typed: from a file somebody has to a photograph with boxes on it.

The package is the one that these tests run in; where `EDGENT_WHEEL` names a wheel, `pip install` puts that into an
empty environment first (`make quickstart`).
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import decoders
import edgent
from detectors import LABELS, detector, in_one_order, plain

ROOT = Path(__file__).parents[3]
SHARED = ROOT.parent / "shared"
FASTEST = SHARED / "models" / "FastestDet.onnx"
PHOTOGRAPH = SHARED / "images" / "coco-128" / "images" / "000000000025.jpg"
HOME = Path(edgent.__file__).parent.parent
WHEEL = os.environ.get("EDGENT_WHEEL", "")
PREPARING, FILLED, SERVING, RUNNING = re.findall(
    r"^```(?:sh|toml)\n(.*?)```", (ROOT / "docs" / "quickstart.md").read_text(), re.DOTALL | re.MULTILINE
)[:4]


class Machine:
    """A folder with a cache of its own, and a Python that has the package once `pip install` was typed."""

    def __init__(self, folder: Path) -> None:
        (folder / "here").mkdir(parents=True)
        self.folder, self.home = folder / "here", folder / "home"
        self.python = folder / "venv" / "bin" / "python" if WHEEL else Path(sys.executable)

    def words(self, line: str, *more: str) -> list[str]:
        """A documented line as a process; what it says of edge and port is another's."""
        program, *words = line.split()
        if program == "pip":
            return [str(self.python), "-m", "pip", "install", "-q", WHEEL]
        program_words = {"edgent": ["-m", "edgent"], "python": []}[program]
        scripts = [str(ROOT / word) if (ROOT / word).is_file() else word for word in words]
        return [str(self.python), *program_words, *scripts, *more]

    def type(self, line: str, *more: str) -> str:
        """Types a line, and returns what it prints."""
        if line.startswith("pip"):
            if not WHEEL:
                return ""
            venv.create(self.python.parents[1], with_pip=True)
        variables, line = re.fullmatch(r"((?:[A-Z_]+=\S+ )*)(.*)", line).groups()
        given = dict(variable.split("=", 1) for variable in variables.split())
        done = subprocess.run(
            self.words(line, *more), cwd=self.folder, env=self.environment() | given, capture_output=True, text=True,
            timeout=500, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        sources = {"PYTHONPATH": str(HOME)} if "PYTHONPATH" in os.environ and not WHEEL else {}
        return kept | sources | {"XDG_CACHE_HOME": str(self.home / "cache"), "XDG_DATA_HOME": str(self.home / "data")}

    @contextmanager
    def serving(self, line: str) -> Iterator[dict[str, str]]:
        """Types a line that serves, on free ports of this machine; yields where the edge answers and is joined.

        Like one that listens beyond its machine, it answers those who joined; all that it keeps is in its home.
        """
        ports = ("--port", "0", "--join-port", "0", "--identity", str(self.home / "data" / "edgent" / "edge"))
        typed = self.words(line.replace("0.0.0.0", "127.0.0.1"), *ports, "--json")
        edge = subprocess.Popen(typed, cwd=self.folder, env=self.environment(), stdout=subprocess.PIPE, text=True)
        try:
            assert edge.stdout is not None
            assert select.select([edge.stdout], [], [], 200)[0], "the edge says nothing"
            text = ""
            while not text.endswith("\n}\n"):
                part = edge.stdout.readline()
                assert part, "the edge has ended"
                text += part
            yield json.loads(text)
        finally:
            edge.terminate()
            edge.wait(30)
            edge.stdout.close()


def photograph(path: Path, *, real: bool) -> Path:
    if real:
        path.write_bytes(PHOTOGRAPH.read_bytes())
    else:
        noise = np.random.default_rng(7).integers(0, 256, (6, 10, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((640, 426), Image.Resampling.NEAREST).save(path, quality=95)
    return path


def opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def export(folder: Path) -> tuple[Path, int, str]:
    """A network as Ultralytics exports it: what it is stands in the file."""
    path = detector(folder / "yolo.onnx")
    proto = onnx.load(path)
    del proto.metadata_props[:]
    said = {
        "description": "Ultralytics YOLO11n model", "author": "Ultralytics", "task": "detect", "stride": "32",
        "imgsz": "[64, 64]", "names": str(dict(enumerate(LABELS))), "batch": "1", "channels": "3", "end2end": "False",
    }  # fmt: skip
    for key, value in said.items():
        proto.metadata_props.add(key=key, value=value)
    onnx.save(proto, path)
    return path, 64, "letterbox"


def fastest(folder: Path) -> tuple[Path, int, str]:
    """FastestDet as its author gives it away, with the names of its classes."""
    if not FASTEST.exists():
        pytest.skip("the reference data are not here")
    path = folder / "FastestDet.onnx"
    path.write_bytes(FASTEST.read_bytes())
    (folder / "coco.names").write_text("".join(f"class {number}\n" for number in range(80)))
    return path, 352, "stretch"


def fill_in(draft: Path, lines: str) -> None:
    """Puts each documented line where the draft has its key."""
    text = draft.read_text()
    for line in lines.splitlines():
        key = line.partition(" = ")[0]
        text, count = re.subn(rf"^# {key} = .*$", line, text, count=1, flags=re.MULTILINE)
        assert count, f"the draft says nothing of {key}"
    draft.write_text(text)


def by_hand(path: Path, side: int, way: str, photo: Path) -> np.ndarray:
    """The undivided file in plain ONNX Runtime and a decoder in numpy; boxes in the picture's pixels."""
    picture = opened(photo)
    if way == "letterbox":
        scale = min(side / picture.width, side / picture.height)
        inner = round(picture.width * scale), round(picture.height * scale)
        left, top = (side - inner[0]) // 2, (side - inner[1]) // 2
        canvas = Image.new("RGB", (side, side), (114, 114, 114))
        canvas.paste(picture.resize(inner, Image.Resampling.BILINEAR), (left, top))
        tensor = np.asarray(canvas, np.float32).transpose(2, 0, 1)[None] / np.float32(255)
        boxes = decoders.yolov8(plain(path, {"x": tensor})["output0"])
        shift, ratio = np.array([left, top] * 2), np.array([picture.width / inner[0], picture.height / inner[1]] * 2)
    else:
        tensor = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR), np.float32)[:, :, ::-1]
        boxes = decoders.fastestdet(plain(path, {"input.1": tensor.transpose(2, 0, 1)[None] / np.float32(255)})["758"])
        shift, ratio = np.zeros(4), np.array([picture.width / side, picture.height / side] * 2)
    corners = (boxes[:, :4] - shift) * ratio
    boxes[:, :4] = corners.clip(0, np.array([picture.width, picture.height] * 2))
    return boxes


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", [export, fastest])
def test_the_documented_commands_lead_from_a_file_to_a_photograph_with_boxes(kind, tmp_path) -> None:
    """The device has the model's name only, and is as slow as a Raspberry Pi 4, so that an edge is worth asking."""
    there, here = Machine(tmp_path / "edge"), Machine(tmp_path / "device")
    path, side, way = kind(there.folder)
    photo = photograph(here.folder / "photo.jpg", real=kind is fastest)
    installing, *preparing = PREPARING.splitlines()
    there.type(installing)
    for line in preparing if kind is fastest else ():
        there.type(line)
    if kind is fastest:
        fill_in(there.folder / "FastestDet.edgent.toml", FILLED)
    with there.serving(SERVING.replace("FastestDet", path.stem)) as edge:
        installing, joining, running = RUNNING.splitlines()
        here.type(installing)
        token = there.type("edgent token create").strip()
        here.type(joining.replace("HOST:8002", edge["joining"]).replace("=TOKEN ", f"={token} "))
        asked = running.replace("FastestDet", path.stem).replace("HOST:8001", edge["address"])
        said = here.type(asked, "--require-edge", "--emulate", "pi-4")
    assert "boxes: " in said
    assert "by the edge" in said or kind is export  # which takes a Pi less time than any link would
    document = json.loads((here.folder / "answers" / "photo.json").read_text())
    found = np.array([[*box["xyxy"], box["score"], box["class"]] for box in document["result"]["boxes"]])
    expected = by_hand(path, side, way, photo)
    assert len(expected) > 3
    np.testing.assert_allclose(in_one_order(found), in_one_order(expected), rtol=1e-3, atol=0.05)
    drawn, plainly = opened(here.folder / "answers" / "photo.annotated.png"), opened(photo)
    assert drawn.size == plainly.size and np.any(np.asarray(drawn) != np.asarray(plainly))


def test_the_quickstart_needs_four_commands_and_one_file_on_any_machine() -> None:
    edge, device = PREPARING.splitlines() + SERVING.splitlines(), RUNNING.splitlines()
    assert len(edge) <= 4 and len(device) <= 4
    assert edge[0] == device[0] == "pip install edgent"
    assert FILLED.count(" = ") == 4
