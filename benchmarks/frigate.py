#!/usr/bin/env python3
"""Frigate's detectors ask `edgent frigate` while its edge is killed, stopped, slow and out of reach.

    python benchmarks/frigate.py [--json] [--frames 10000] [--cameras 3] [--rate 20] [--seed 1]
        [--detector FastestDet.onnx] [--pictures DIR]

The endpoint stands in for a Raspberry Pi 4 (emulated) beside an edge of this machine, over an emulated link of 400
Mbit/s and 4 ms; all are processes. The clients speak Frigate's protocol as `frigate_client.py` has it, each with one
question at a time and Frigate's own time-out of 200 ms: half of them as older releases, half as newer ones, which ask
for their model. What a picture's boxes are is asked of the board by itself beforehand. Exit code 1 where a question
timed out, or nothing was reported of a picture in which the board alone finds boxes. About nine minutes; the board
alone computes for 40 ms a picture, so 25 questions a second are all that it could answer.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from PIL import Image

import command
import fastestdet_decode
from edgent.device.device import Device
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import InputError
from edgent.frigate.detector import DEADLINE
from edgent.frigate.messages import picture_of, rows_of
from edgent.lab.chaos.faults import FaultSpell, during, faults
from edgent.lab.chaos.ground import ROUND_TRIP, Ground, SupervisedEdge
from edgent.lab.chaos.real import faults_beside
from edgent.lab.links.link import ShapedLink
from edgent.lab.processes.server_process import ServerProcess
from edgent.latency import Profile
from edgent.profiling.model_profiler import profile
from edgent.units import BitsPerSecond
from frigate_client import FrigateClient
from tables import aligned

BOARD, GOOD = "pi-4", BitsPerSecond(400e6)
KINDS = ("kill", "stop", "delay", "trickle", "black hole", "reset")
SHARED = Path(__file__).resolve().parents[2] / "shared"
CONFIGURATION = 'task = "detection"\npost = "decode.onnx"\n[preprocessing]\nresize = "stretch"\ncolor = "BGR"\n'
PICTURES = 40
ALIKE = 1e-3  # parts of the picture, and of a confidence, that two answers to one picture may differ by

Pixels = NDArray[np.uint8]
Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A picture, and what the board alone finds in it."""

    pixels: Pixels
    rows: Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question: when, how long it took, and what came; `empty` and `other` where it should have been more."""

    at: float
    seconds: float
    timed_out: bool
    empty: bool
    other: bool


def main() -> int:
    """Runs it."""
    options = options_of(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        document = measured(options, Path(folder))
    command.show(options, document, lambda: print(aligned(document["rows"])))
    whole = document["whole"]
    if failed := whole["timed_out"] or whole["empty"]:
        print(
            f"missed: {whole['timed_out']} timed out, {whole['empty']} empty where the board finds boxes",
            file=sys.stderr,
        )
    return int(bool(failed))


def options_of(documentation: str | None) -> argparse.Namespace:
    """What the command line says."""
    parser = command.options(documentation)
    parser.add_argument("--frames", type=command.at_least(1), default=10_000, metavar="N")
    parser.add_argument(
        "--cameras", type=command.at_least(1), default=3, metavar="N", help="detectors that ask at once"
    )
    parser.add_argument("--rate", type=command.at_least(1), default=20, metavar="N", help="questions a second in all")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the faults")
    parser.add_argument("--detector", type=Path, default=SHARED / "models" / "FastestDet.onnx", help="FastestDet")
    parser.add_argument("--pictures", type=Path, default=SHARED / "images" / "coco-128" / "images", metavar="DIR")
    return parser.parse_args()


def measured(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All of it: the figures by fault, and of the whole."""
    path = detector_in(folder, options.detector)
    model, times = load(str(path)), folder / "profile.json"
    profile(model, OnnxRuntimeEngine()).save(times)
    with Device(model, None, deadline=10.0, device_profile=Profile.load(times)) as board:
        known = list(itertools.islice(known_pictures(board, options.pictures), PICTURES))
    if not known:
        raise InputError(f"{options.pictures}: found no picture with boxes, expected some of streets or rooms")
    spells: list[FaultSpell] = []
    with ExitStack() as stack:
        edge = stack.enter_context(SupervisedEdge(str(path), times))
        link = stack.enter_context(ShapedLink(edge.address, uplink=GOOD, downlink=GOOD, round_trip=ROUND_TRIP))
        endpoint = stack.enter_context(endpoint_process(path, times, link.address, folder, options.pictures))
        ground = Ground(link, edge, None, good=GOOD)
        stack.enter_context(faults_beside(ground, faults(options.seed, kinds=KINDS), spells))
        asked = asked_by_all(endpoint.address, known, options)
    return figures(asked, spells) | {"answered": answered(folder / "events")}


def detector_in(folder: Path, detector: Path) -> Path:
    """FastestDet with what makes boxes of its outputs, and its configuration."""
    path = folder / "FastestDet.onnx"
    try:
        shutil.copy(detector, path)
    except OSError as error:
        raise InputError(
            f"{detector}: cannot be read ({error.strerror}); name FastestDet.onnx with --detector"
        ) from None
    onnx.save(fastestdet_decode.decode(), folder / "decode.onnx")
    path.with_suffix(".edgent.toml").write_text(CONFIGURATION)
    return path


def known_pictures(board: Device, folder: Path) -> Iterator[Known]:
    """Pictures as Frigate sends them, in the model's size, in which the board alone finds boxes."""
    form = board.model.metadata.preprocessing
    assert form is not None, "a detector takes pictures"
    for file in sorted(folder.glob("*.jpg")):
        with Image.open(file) as picture:
            pixels = np.asarray(picture.convert("RGB").resize(form.size[::-1]))
        rows = rows_of(board.infer(picture_of(pixels)).boxes, *form.size)
        if rows.any():
            yield Known(pixels=pixels, rows=rows)


def endpoint_process(path: Path, times: Path, edge: str, folder: Path, pictures: Path) -> ServerProcess:
    """`edgent frigate` at the pace of a board, which keeps a line an answer."""
    where = ("--bind", "tcp://127.0.0.1:*", "--edge", edge, "--json", "--sink", f"jsonl:{folder / 'events'}")
    what = ("--profile", str(times), "--source", str(pictures), "--emulate", BOARD)
    return ServerProcess("-m", "edgent", "frigate", str(path), *where, *what)


def asked_by_all(endpoint: str, known: Sequence[Known], options: argparse.Namespace) -> list[Asked]:
    """Every camera asks its share, at a steady rate."""
    every = options.cameras / options.rate

    def ask(camera: int) -> list[Asked]:
        client = FrigateClient(endpoint, asks_for_model=camera % 2 == 0)
        numbers = range(camera, options.frames, options.cameras)
        began, asked = time.perf_counter() + every * camera / options.cameras, []
        for turn, number in enumerate(numbers):
            # A camera that was held up goes on at its rate, and does not catch up.
            wait.wait(max(0.0, began + turn * every - time.perf_counter()))
            asked.append(one_question(client, known[number % len(known)]))
        client.close()
        return asked

    wait = threading.Event()
    with ThreadPoolExecutor(options.cameras) as cameras:
        return [one for answers in cameras.map(ask, range(options.cameras)) for one in answers]


def one_question(client: FrigateClient, known: Known) -> Asked:
    """Asks, and judges what comes."""
    at = time.perf_counter()
    seen = client.detect(known.pixels[None])
    return Asked(
        at=at,
        seconds=time.perf_counter() - at,
        timed_out=seen.timed_out,
        empty=not seen.rows.any(),
        other=bool(np.abs(seen.rows - known.rows).max() > ALIKE),
    )


def figures(asked: Sequence[Asked], spells: Sequence[FaultSpell]) -> dict[str, Any]:
    """By what went wrong at the time, and of the whole."""
    by_fault: dict[str, list[Asked]] = {}
    for one in asked:
        by_fault.setdefault(during(spells, one.at) or "none", []).append(one)
    rows = [
        {"fault": fault, **row(by_fault[fault])}
        for fault in sorted(by_fault, key=lambda fault: (fault != "none", fault))
    ]
    return {"rows": rows, "whole": row(asked), "faults": len(spells), "deadline_ms": DEADLINE * 1e3}


def row(asked: Sequence[Asked]) -> dict[str, Any]:
    """Some questions in numbers."""
    milliseconds = np.array([one.seconds for one in asked]) * 1e3
    p50, p99, most = (round(float(value), 1) for value in np.percentile(milliseconds, [50, 99, 100]))
    counts = {name: sum(getattr(one, name) for one in asked) for name in ("timed_out", "empty", "other")}
    return {"frames": len(asked), "p50_ms": p50, "p99_ms": p99, "most_ms": most, **counts}


def answered(events: Path) -> dict[str, int]:
    """Who answered, by the endpoint's own records."""
    by = [json.loads(line)["record"]["by"] for line in events.read_text().splitlines()]
    return {who: by.count(who) for who in ("edge", "device")}


if __name__ == "__main__":
    command.run(main)
