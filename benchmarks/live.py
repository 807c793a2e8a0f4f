"""A demo that is left on: a camera, a device, an edge, a link that fails now and then, and the live page.

    python benchmarks/live.py [--page :8080] [--video FILE] [--sink SINK ...] [--phase S] [--seconds S] [--folder DIR]

The camera is a video, played again and again: one of your own, or one that is made here of the pictures that come with
Edgent. The device is an emulated board; the link between it and the edge is quick, slow, and cut in turn, half a minute
each (--phase). The page shows all of it until Ctrl-C; what was answered is kept as records in the folder.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from itertools import cycle
from pathlib import Path

import numpy as np
from PIL import Image

import command
from edgent.demo.paper.run import test_images
from edgent.engine.loading import load
from edgent.errors import EdgentError, MissingExtraError
from edgent.lab.links.link import ShapedLink
from edgent.lab.processes.server_process import ServerProcess
from edgent.profiling.kept_profile import profile
from edgent.units import BitsPerSecond
from programs import running

MODEL, BOARD, DEADLINE = "b-alexnet", "paper-pi3-resident", "100ms"
RATE, SIZE = 10, 320  # frames a second; pixels of a side
PICTURES, SHOWN = 12, 20  # of the video; frames that each is seen in
PHASE = 30  # seconds
PHASES = (BitsPerSecond(20e6), BitsPerSecond(1e6), None)  # of the link, in turn; None: it is cut
_ENDING = 30.0  # seconds that the device has for that


def frames(pictures: Sequence[bytes]) -> Iterator[np.ndarray]:
    """Each picture for a while, seen by a camera that comes closer."""
    for picture in pictures:
        whole = Image.open(io.BytesIO(picture)).convert("RGB").resize((SIZE * 5 // 4, SIZE * 5 // 4))
        for step in range(SHOWN):
            edge = step * SIZE // 8 // SHOWN
            part = whole.crop((edge, edge, whole.width - edge, whole.height - edge))
            yield np.asarray(part.resize((SIZE, SIZE)))


def make_video(path: Path, pictures: Sequence[bytes]) -> None:
    """Writes a video of pictures.

    Raises:
        MissingExtraError: PyAV is not installed.
    """
    try:
        import av
    except ImportError:
        raise MissingExtraError("making a video", "video") from None
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(RATE))
        stream.width = stream.height = SIZE
        stream.pix_fmt, stream.bit_rate = "yuv420p", 2_000_000
        for pixels in frames(pictures):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))


def move(link: ShapedLink, ended: threading.Event, phase: float = PHASE) -> None:
    """Has the link go through its phases until the end."""
    for rate in cycle(PHASES):
        if rate is None:
            link.cut()
        else:
            link.restore()
            link.set(uplink=rate, downlink=rate)
        if ended.wait(phase):
            return


def device(edge: str, video: Path, measured: Path, records: Path, page: str, sinks: Sequence[str]) -> list[str]:
    """The command of the device, as it could be typed."""
    link = ["--edge", edge, "--environment", "dynamic", "--deadline", DEADLINE, "--refine", "1s"]
    machine = ["--profile", str(measured), "--emulate", BOARD]
    shown = ["--records", str(records), "--dashboard", page, *(word for sink in sinks for word in ("--sink", sink))]
    source = ["--source", f"camera={video}", "--again", "--fps", str(RATE)]
    return [sys.executable, "-m", "edgent", "run", MODEL, *source, *link, *machine, *shown]


def run(options: argparse.Namespace, folder: Path, stack: ExitStack) -> int:
    """Starts all, and ends it; the exit code of the device."""
    video: Path = options.video or folder / "live.mp4"
    measured = folder / "device.json"
    if not video.exists():
        make_video(video, test_images()[:PICTURES])
    profile(load(MODEL)).save(measured)
    edge = stack.enter_context(ServerProcess.edge(MODEL, measured))
    link, ended = stack.enter_context(ShapedLink(edge.address, uplink=BitsPerSecond(20e6))), threading.Event()
    typed = device(link.address, video, measured, folder / "live.jsonl", options.page, options.sink)
    with running(typed) as process:
        mover = threading.Thread(target=move, args=(link, ended, options.phase), daemon=True)
        mover.start()
        try:
            process.wait(options.seconds)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait(_ENDING)
        except KeyboardInterrupt:  # the device has had it as well
            process.wait(_ENDING)
        ended.set()
        mover.join()
    return process.returncode


def main() -> int:
    """Runs until it is ended."""
    parser = command.parser(__doc__)
    parser.add_argument("--page", default=":8080", help="where the page listens (:8080)")
    parser.add_argument("--video", type=Path, help="a video of your own")
    parser.add_argument("--sink", action="append", default=[], help="where events go as well, as `edgent run --sink`")
    parser.add_argument("--phase", type=command.at_least(1), default=PHASE, help="seconds of each state of the link")
    parser.add_argument("--seconds", type=command.at_least(1), help="end after so long; else at Ctrl-C")
    parser.add_argument("--folder", type=Path, help="where video and records are kept; else a temporary one")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgent-live-")))
        if not folder.is_dir():
            raise EdgentError(f"{folder}: is no folder; make it first")
        return run(options, folder, stack)


if __name__ == "__main__":
    command.run(main)
