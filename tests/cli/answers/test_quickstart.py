"""The quickstart of docs/answers.md, as it is typed: from a file somebody has to a photograph with boxes on it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import decoders
import edgent
import fastestdet_decode
from detectors import LABELS, detector, in_one_order, plain

SHARED = Path(__file__).parents[4] / "shared"
FASTEST = SHARED / "models" / "FastestDet.onnx"
PHOTOGRAPH = SHARED / "images" / "coco-128" / "images" / "000000000025.jpg"
HOME = Path(edgent.__file__).parent.parent


def environment(**more: str) -> dict[str, str]:
    """That of this process, for commands that are typed in other folders."""
    found = os.environ | more
    return found | {"PYTHONPATH": str(HOME)} if "PYTHONPATH" in found else found


def command(*arguments: object, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    typed = [sys.executable, "-m", "edgent", *map(str, arguments)]
    return subprocess.run(
        typed, cwd=folder, env=environment(**more), capture_output=True, text=True, timeout=250, check=False
    )


@contextmanager
def served(file: Path, edge_cache: Path) -> Iterator[str]:
    """An edge with one model, until it is no longer needed; yields its address."""
    typed = [sys.executable, "-m", "edgent", "serve", file.name, "--port", "0", "--json"]
    variables = environment(XDG_CACHE_HOME=str(edge_cache))
    edge = subprocess.Popen(typed, cwd=file.parent, env=variables, stdout=subprocess.PIPE, text=True)
    try:
        assert edge.stdout is not None
        assert select.select([edge.stdout], [], [], 200)[0], "the edge says nothing"
        text = ""
        while not text.endswith("\n}\n"):
            line = edge.stdout.readline()
            assert line, "the edge has ended"
            text += line
        yield json.loads(text)["address"]
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
    """FastestDet as its author gives it away, a graph that decodes it, and a configuration that was filled in."""
    if not FASTEST.exists():
        pytest.skip("the reference data are not here")
    path = folder / "FastestDet.onnx"
    path.write_bytes(FASTEST.read_bytes())
    onnx.save(fastestdet_decode.decode(), folder / "decode.onnx")
    done = command("init", path.name, folder=folder)
    assert done.returncode == 0, done.stderr
    draft = folder / "FastestDet.edgent.toml"
    names = ", ".join(f'"{number}"' for number in range(80))
    filled = f'task = "detection"\npost = "decode.onnx"\nlabels = [{names}]\n' + draft.read_text()
    draft.write_text(filled.replace("# color =", "color =").replace('"RGB" ', '"BGR" '))
    return path, 352, "stretch"


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


@pytest.mark.parametrize("kind", [export, fastest])
def test_the_same_commands_lead_from_a_file_to_a_photograph_with_boxes(kind, tmp_path) -> None:
    """The edge holds the files; the device has the name, fetches the rest, and is as slow as a Raspberry Pi 4."""
    (there := tmp_path / "edge").mkdir()
    (here := tmp_path / "device").mkdir()
    path, side, way = kind(there)
    photo = photograph(here / "photo.jpg", real=kind is fastest)
    with served(path, tmp_path / "edge-cache") as address:
        wanted = ("--edge", address, "--deadline", "5s", "--output", "answers", "--annotate", "--require-edge")
        device = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
        done = command("run", path.stem, photo.name, *wanted, "--emulate", "pi-4", folder=here, **device)
    assert done.returncode == 0, done.stderr
    assert "boxes: " in done.stdout
    assert "by the edge" in done.stdout or kind is export  # which takes a Pi less time than any link would
    document = json.loads((here / "answers" / "photo.json").read_text())
    found = np.array([[*box["xyxy"], box["score"], box["class"]] for box in document["result"]["boxes"]])
    expected = by_hand(path, side, way, photo)
    assert len(expected) > 3
    np.testing.assert_allclose(in_one_order(found), in_one_order(expected), rtol=1e-3, atol=0.05)
    drawn, plainly = opened(here / "answers" / "photo.annotated.png"), opened(photo)
    assert drawn.size == plainly.size and np.any(np.asarray(drawn) != np.asarray(plainly))
