"""How far one warm request walks: the files of the product that it enters in its caller's thread, and the moves.

    python benchmarks/request_path.py [--json]

An edge over loopback, a static environment, b-alexnet and a PNG; the device is planned as an emulated board, so slow
that the edge answers. Counted by `sys.setprofile`: each call into and each return to another file is a move. Nothing
may be handed to another thread for a request that only the edge's answer can end.
"""

from __future__ import annotations

import io
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from PIL import Image

import command
import edgent
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgentError
from edgent.evaluation.calibration_files import calibration_for
from edgent.lab.boards.emulation import emulated_profile, find_device
from edgent.model import SHIPPED
from edgent.profiling.model_profiler import profile
from edgent.units import Seconds

ROOT = Path(edgent.__file__).parent
MOST_FILES, MOST_MOVES = 25, 120
DEVICE, DEADLINE = "pi-3b+", Seconds(0.1)
BUDGET, WARM = 3.0, 20
TRACED = 9  # requests, of which the shortest way is shown: one that a full machine delayed has news of the link to tell
BETWEEN = 10  # requests that are not traced, before each one that is


class Walk:
    """What a thread enters: a function for `sys.setprofile`."""

    def __init__(self) -> None:
        self.files: Counter[str] = Counter()
        self.moves = 0
        self.handed_over = 0
        self._at: list[str | None] = [None]
        self._last: str | None = None

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:  # noqa: ARG002 - `sys.setprofile` gives it
        """Takes in a call or a return."""
        if event == "call":
            file = self._room(frame)
            if frame.f_code.co_name == "submit" and "concurrent" in frame.f_code.co_filename:
                self.handed_over += 1
            if file is not None:
                self.files[file] += 1
                self._step(file)
        elif event == "return" and frame.f_back is not None:
            file = self._room(frame.f_back)
            if file is not None and self._room(frame) is not None:
                self._step(file)

    def _step(self, file: str) -> None:
        self.moves += file != self._last and self._last is not None
        self._last = file

    @staticmethod
    def _room(frame: FrameType) -> str | None:
        path = Path(frame.f_code.co_filename)
        return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else None


def main() -> int:
    """Traces some requests and prints where that of the shortest way went."""
    parser = command.options(__doc__)
    options = parser.parse_args()
    model, engine = load("b-alexnet"), OnnxRuntimeEngine()
    host = profile(model, engine, budget=BUDGET)
    slow = emulated_profile(host, find_device(DEVICE))
    settings = {"device_profile": slow, "host_profile": host, "calibration": calibration_for(model), "race": False}
    with (
        Edge(model, port=0, engine=engine, profiles=[host]) as edge,
        Device(model, edge=edge.address, deadline=DEADLINE, **settings) as device,
    ):
        if not device.wait_ready():
            raise EdgentError("the edge is not there")
        picture = png()
        answers = [device.infer(picture) for _ in range(WARM)]
        if {answer.record.by for answer in answers[WARM // 2 :]} != {"edge"}:
            raise EdgentError("the edge did not answer: on a machine this busy the path is another one")
        walks = [walk for _ in range(TRACED) if (walk := shared_walk(device, picture)) is not None]
    if not walks:
        raise EdgentError("the edge answered no request that was traced: this machine is too busy")
    walk = min(walks, key=lambda walk: walk.moves)
    document = {"files": len(walk.files), "moves": walk.moves, "handed_to_threads": walk.handed_over}
    command.show(options, document, lambda: report(walk, document))
    kept = len(walk.files) <= MOST_FILES and walk.moves <= MOST_MOVES and not walk.handed_over
    return 0 if kept else 1


def png() -> bytes:
    """A picture that ships with the package, as a PNG file."""
    with np.load(SHIPPED / "cifar10-256.npz") as images:
        pixels = images["pixels"][0]
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def shared_walk(device: Device, picture: bytes) -> Walk | None:
    """The way of one request that device and edge shared; None: it went another way.

    Tracing makes a request ten times as slow, and a device that saw several such in a row would stay alone. So some
    that are not traced go before it.
    """
    for _ in range(BETWEEN):
        device.infer(picture)
    walk = Walk()
    sys.setprofile(walk)
    try:
        answer = device.infer(picture)
    finally:
        sys.setprofile(None)
    return walk if answer.record.by == "edge" else None


def report(walk: Walk, document: dict[str, int]) -> None:
    """Prints each file with the calls into it."""
    for file, calls in sorted(walk.files.items()):
        print(f"{calls:5}  {file}")
    print(
        f"files entered {document['files']} (at most {MOST_FILES}), moves between them {document['moves']} "
        f"(at most {MOST_MOVES}), handed to other threads {document['handed_to_threads']} (none)"
    )


if __name__ == "__main__":
    command.run(main)
