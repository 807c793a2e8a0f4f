"""A detector's boxes in a photograph: what Edgent plans by itself, beside LitServe with the same file.

    python benchmarks/peers_detector.py [--json] [--model FILE] [--pictures DIR] [--repeats N]

A YOLOv8 of 320 px as Ultralytics exports it, its classes biased so that most photographs have 20 boxes, the most that
are asked for; JPEG files of 100 kB and more; a device that stands in for a Raspberry Pi 4; an emulated link of 50
Mbit/s and 5 ms. Edgent has measured neither sizes nor accuracies: its device has its own profile and the edge's, and
the requests tell the rest. LitServe decodes the same file, runs the same export, decodes its boxes with numpy and sends
them as JSON; its client does no more than post the file. One compute thread each, connections kept, requests taken in
turns.

The same over two links: `proxy`, and `tcp`, where TCP goes from end to end and starts slowly (needs root). Exit code 1
where Edgent takes more than 1.05 times as long. LitServe lives in an environment of its own, which this benchmark
makes. About 3 minutes.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import command
from edgent.device.answer import Answer
from edgent.device.device import Device
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgentError, InputError
from edgent.lab.boards.emulation import find_device
from edgent.lab.boards.hidden import hidden_device
from edgent.lab.links.link import ShapedLink
from edgent.lab.links.namespaces import FAR
from edgent.lab.links.tun import TunLink, obstacle
from edgent.lab.processes.server_process import ServerProcess
from edgent.planning.plan import STAGES, Plan, Stages, milliseconds
from edgent.profiling.model_profiler import profile
from edgent.units import BitsPerSecond, Seconds
from litserve_peer import Client, serving
from models import PHOTOGRAPHS_DETECTOR, default_folder, prepared
from tables import aligned
from yolov8_plain import MOST

RATE, ROUND_TRIP = BitsPerSecond(50e6), Seconds(0.005)
BOARD, DEADLINE = "pi-4", Seconds(1.0)
LEAST_BYTES = 100_000
TARGET = 1.05
PICTURES = Path(__file__).resolve().parents[2] / "shared" / "images" / "coco-128" / "images"
_WARM = 12  # of either method, before any counts: the device learns how large they are
_PATIENCE = 30.0  # seconds until the edge is reached
_RESAMPLED = 1000
_NEAR = 1.0  # pixels that corners may be apart, of two decoders of one file


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One picture, asked of both; seconds, and what came."""

    ours: float
    theirs: float
    answer: Answer
    boxes: list[list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to the boxes over one link; `boxes` is the median of a picture's."""

    link: str
    software: str
    pictures: int
    p50_ms: float
    p95_ms: float
    boxes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Edgent beside LitServe over one link.

    Attributes:
        link: which.
        ratio: of the medians.
        low: of the ratio's 95 % interval (bootstrap over the pictures).
        high: the other end.
        same: share of pictures in which both find the same boxes.
        plan: what Edgent chose most often.
        dominates: the stage that its plans said would take longest.
        measured: the stage that did.
        met: whether the target is.
    """

    link: str
    ratio: float
    low: float
    high: float
    same: float
    plan: str
    dominates: str
    measured: str
    met: bool


class Bench:
    """The detector, the pictures, and this machine's profile."""

    def __init__(self, export: Path, pictures: Sequence[Path], folder: Path) -> None:
        self.pictures, self.folder = [path.read_bytes() for path in pictures], folder
        (folder / "detector.edgent.toml").write_text(f"[limits]\nmost = {MOST}\n")
        self.model = load(Path(shutil.copy(export, folder / "detector.onnx")))
        self.host = profile(self.model, OnnxRuntimeEngine(), source=self.pictures[0], budget=8.0)
        self.file = folder / "host.json"
        self.host.save(self.file)

    def edge(self, host: str = "127.0.0.1", prefix: Sequence[str] = ()) -> ServerProcess:
        """Our edge."""
        return ServerProcess.edge(str(self.model.path), self.file, host=host, prefix=prefix)

    def litserve(self, host: str = "127.0.0.1", prefix: Sequence[str] = ()) -> AbstractContextManager[str]:
        """The same export behind LitServe."""
        side = self.model.inputs[0].shape[-1]
        server = ("peers_litserve_detector.py", self.model.path, side)
        return serving(*server, folder=self.folder, host=host, prefix=prefix)

    def device(self, edge: str) -> Device:
        """The slow board, which knows profiles and no data."""
        board = hidden_device(self.host, self.model, find_device(BOARD), seed=0)
        return Device(
            self.model,
            edge=edge,
            deadline=DEADLINE,
            device_profile=board.profile,
            host_profile=board.table,
            pace=board.pace(),
            insecure=True,  # LitServe's client speaks plain text, too; both ends are on this machine
        )

    def turns(self, edge: str, other: str) -> Iterator[Turn]:
        """Every picture once, after some that count for nothing."""
        with self.device(edge) as device, closing(Client(other)) as client:
            if not device.wait_ready(_PATIENCE):
                raise EdgentError("the edge process was not reached")
            for picture in (self.pictures * _WARM)[:_WARM]:
                _turn(device, client, picture, ours_first=True)
            for number, picture in enumerate(self.pictures):
                # Who comes first changes, so that neither always meets what the other has left behind.
                yield _turn(device, client, picture, ours_first=number % 2 == 0)


def _turn(device: Device, client: Client, picture: bytes, *, ours_first: bool) -> Turn:
    if ours_first:
        ours, answer = _timed(lambda: device.infer(picture))
        theirs, boxes = _timed(lambda: client.ask(picture, "boxes"))
    else:
        theirs, boxes = _timed(lambda: client.ask(picture, "boxes"))
        ours, answer = _timed(lambda: device.infer(picture))
    return Turn(ours=ours, theirs=theirs, answer=answer, boxes=boxes)


def _timed(ask: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    answer = ask()
    return time.perf_counter() - began, answer


def over_proxy(bench: Bench) -> list[Turn]:
    """Without root: bytes are shaped, TCP is not."""
    with ExitStack() as stack:
        targets = stack.enter_context(bench.edge()).address, stack.enter_context(bench.litserve())
        links = [ShapedLink(target, uplink=RATE, round_trip=ROUND_TRIP) for target in targets]
        return list(bench.turns(*(stack.enter_context(link).address for link in links)))


def over_tcp(bench: Bench) -> list[Turn]:
    """Packets are shaped, between two network namespaces; this thread is at the near end from then on."""
    if reason := obstacle():
        raise EdgentError(reason)
    with ExitStack() as stack:
        link = stack.enter_context(TunLink(uplink=RATE, round_trip=ROUND_TRIP))
        link.enter_near()
        edge = stack.enter_context(bench.edge(FAR, link.far)).address
        return list(bench.turns(edge, stack.enter_context(bench.litserve(FAR, link.far))))


LINKS = {"proxy": over_proxy, "tcp": over_tcp}


def rows(link: str, turns: Sequence[Turn]) -> list[Row]:
    """Either way."""
    counted = [len(_boxes(turn)) for turn in turns], [len(turn.boxes) for turn in turns]
    seconds = [turn.ours for turn in turns], [turn.theirs for turn in turns]
    return [
        Row(
            link=link,
            software=software,
            pictures=len(turns),
            p50_ms=milliseconds(statistics.median(times)),
            p95_ms=milliseconds(float(np.quantile(times, 0.95))),
            boxes=statistics.median(boxes),
        )
        for software, times, boxes in zip(("edgent", "litserve"), seconds, counted, strict=True)
    ]


def comparison(link: str, turns: Sequence[Turn]) -> Comparison:
    """The ratio, and what Edgent did and said."""
    ours, theirs = np.array([turn.ours for turn in turns]), np.array([turn.theirs for turn in turns])
    drawn = np.random.default_rng(0).integers(0, len(turns), (_RESAMPLED, len(turns)))
    low, high = np.quantile(np.median(ours[drawn], axis=1) / np.median(theirs[drawn], axis=1), (0.025, 0.975))
    ratio, plans = float(np.median(ours) / np.median(theirs)), [_plan(turn) for turn in turns]
    measured = medians(turn.answer.record.stages for turn in turns)
    return Comparison(
        link=link,
        ratio=ratio,
        low=float(low),
        high=float(high),
        same=statistics.fmean(alike(_boxes(turn), np.array(turn.boxes)) for turn in turns),
        plan=statistics.mode(map(_in_words, plans)),
        dominates=statistics.mode(plan.stages.dominating for plan in plans),
        measured=max(measured, key=lambda stage: measured[stage]),
        met=ratio <= TARGET,
    )


def stages(link: str, turns: Sequence[Turn]) -> list[Mapping[str, Any]]:
    """Where Edgent's time was to go, and where it went: medians in milliseconds."""
    found = {
        "predicted": medians(_plan(turn).stages for turn in turns),
        "measured": medians(turn.answer.record.stages for turn in turns),
    }
    return [{"link": link, "what": what, **times} for what, times in found.items()]


def medians(times: Iterable[Stages]) -> dict[str, float]:
    """Of each stage, in milliseconds."""
    listed = list(times)
    return {stage: milliseconds(statistics.median(getattr(one, stage) for one in listed)) for stage in STAGES}


def alike(ours: NDArray[Any], theirs: NDArray[Any]) -> bool:
    """Whether two lists hold the same boxes: each with its class, in any order, a pixel apart at most."""
    if len(ours) != len(theirs):
        return False
    left = list(theirs)
    for box in ours:
        near = [n for n, other in enumerate(left) if other[5] == box[5] and np.abs(other - box)[:4].max() <= _NEAR]
        if not near:
            return False
        del left[near[0]]
    return True


def _boxes(turn: Turn) -> NDArray[np.float32]:
    """In pixels of the model's input, as LitServe has them."""
    (boxes,) = turn.answer.outputs.values()
    return boxes.astype(np.float32)


def _plan(turn: Turn) -> Plan:
    plan = turn.answer.record.plan
    assert plan is not None, "every request was planned"
    return plan


def _in_words(plan: Plan) -> str:
    one = plan.configuration
    return "device only" if one.device_only else f"cuts {one.upload_cut}..{one.download_cut}, {one.codecs}"


def large_pictures(folder: Path, repeats: int) -> list[Path]:
    """The smallest of the JPEG files that are large enough: the larger a file, the more the link hides all else."""
    sizes = {path: path.stat().st_size for path in sorted(folder.glob("*.jpg"))}
    large = sorted((path for path, size in sizes.items() if size >= LEAST_BYTES), key=lambda path: sizes[path])
    if len(large) < repeats:
        raise InputError(
            f"{folder}: found {len(large)} JPEG files of {LEAST_BYTES:,} bytes or more, expected {repeats}"
        )
    return sorted(large[:repeats])


def document(export: Path, pictures: Sequence[Path]) -> dict[str, Any]:
    """All figures; a link that cannot be had says why."""
    found: dict[str, Any] = {"rows": [], "compared": [], "stages": [], "problems": {}}
    for link in LINKS:
        # Each in a process of its own: gRPC's threads stay in the network namespace in which the first of them began.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            figures = process.submit(over_link, link, export, pictures).result()
        if isinstance(figures, str):
            found["problems"][link] = figures
            continue
        for key, listed in figures.items():
            found[key] += listed
    return found


def over_link(link: str, export: Path, pictures: Sequence[Path]) -> dict[str, list[Any]] | str:
    """The figures of one link; where it cannot be had, why."""
    with tempfile.TemporaryDirectory(prefix="edgent-detector-") as folder:
        try:
            turns = LINKS[link](Bench(export, pictures, Path(folder)))
        except EdgentError as error:
            return str(error)
    found = {"rows": list(map(asdict, rows(link, turns))), "compared": [asdict(comparison(link, turns))]}
    return found | {"stages": stages(link, turns)}


def main() -> int:
    """Measures and prints; 1 where the target is missed, or nothing could be measured."""
    parser = command.options(__doc__)
    parser.add_argument("--model", type=Path, help="another YOLOv8 export")
    parser.add_argument("--pictures", type=Path, default=PICTURES, help="a folder of JPEG files")
    parser.add_argument("--repeats", type=int, default=60, help="pictures")
    options = parser.parse_args()
    export = options.model or prepared(PHOTOGRAPHS_DETECTOR, default_folder())
    found = document(export, large_pictures(options.pictures, options.repeats))
    command.show(options, found, lambda: _print(found))
    return 0 if found["compared"] and all(one["met"] for one in found["compared"]) else 1


def _print(found: Mapping[str, Any]) -> None:
    for key in ("rows", "compared", "stages"):
        print(aligned(found[key]), end="\n\n")
    for link, problem in found["problems"].items():
        print(f"{link}: not measured, {problem}")


if __name__ == "__main__":
    command.run(main)
