"""How long a model takes on this machine: layers, codecs, pre-processing.

Whole runs without a profiler tell how long a branch takes; the engine's own profiler tells how that divides among the
layers. Every profiled event is booked exactly once, to the layers its node stands for, or to nobody. The layers are
then scaled so that they add up to the whole: a profiler slows small nodes down.
"""

from __future__ import annotations

import io
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgent.codec import (
    IMAGE_CODECS,
    TENSOR_CODECS,
    decode_pixels,
    decode_tensor,
    encode_image,
    encode_tensor,
    fit,
    normalise,
)
from edgent.latency.profile import BranchProfile, CodecTime, Profile, Timing
from edgent.model import Branch, Model
from edgent.model.costs import LayerCost, layer_costs
from edgent.model.optimised import node_layers
from edgent.runtime.engine import Array, Engine, Feeds, Session
from edgent.runtime.verify import random_feeds

Progress = Callable[[int, int], None]

_ROUNDS = 30
_PROFILED_RUNS = 12
_BURST = 0.004  # seconds that one timing lasts at least, so that the clock's and the call's cost do not count
_FLOPS, _BYTES = 4e10, 1e10  # a core's rough speed: it only divides the time of fused layers among them


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """Where the events of a profiled run went; seconds."""

    layers: NDArray[np.float64]
    unassigned: float
    total: float


def profile(
    model: Model,
    engine: Engine,
    *,
    rounds: int = _ROUNDS,
    budget: float = 15.0,
    source: bytes | None = None,
    progress: Progress | None = None,
) -> Profile:
    """Measures this machine.

    Args:
        model: what to time.
        engine: runs it.
        rounds: timings of each thing, all things interleaved; at least 3 are made.
        budget: seconds after which no new round begins.
        source: a typical input as it will come (a coded image); None: one is made.
        progress: called with the rounds done and their number.

    Raises:
        CodecError: `source` is no image.
    """
    feeds = random_feeds(model.inputs, np.random.default_rng(0))
    wholes = [engine.session(model, *_ends(branch)) for branch in model.branches]
    tasks: list[Callable[[], object]] = [_runner(session, feeds) for session in wholes]
    coding = _Coding(model, _activations(model, engine, feeds), source)
    times = _interleaved([*tasks, *coding.tasks], rounds, budget, progress)
    branches = tuple(
        _branch_profile(model, branch, engine, feeds, times[index]) for index, branch in enumerate(model.branches)
    )
    codecs, steps = coding.results(times[len(tasks) :])
    return Profile(
        model=model.name,
        digest=model.digest,
        machine=f"{platform.node()} {platform.machine()}",
        engine=engine.name,
        threads=engine.threads,
        branches=branches,
        codecs=codecs,
        decode_source=steps[0],
        fit=steps[1],
        normalise=steps[2],
    )


def book(events: Sequence[dict[str, Any]], layers: dict[str, tuple[int, ...]], costs: Sequence[LayerCost]) -> Booking:
    """Books every node event exactly once: to the layers its node stands for (by their rough cost), or to nobody.

    Args:
        events: of the engine's profiler; durations in microseconds.
        layers: from `node_layers`.
        costs: of the branch's layers.
    """
    weights = np.array([(cost.flops or 0) / _FLOPS + _bytes(cost) / _BYTES for cost in costs])
    booked, unassigned, total = np.zeros(len(costs)), 0.0, 0.0
    for event in events:
        if event.get("cat") != "Node" or not event["name"].endswith("_kernel_time"):
            continue
        seconds = event["dur"] / 1e6
        total += seconds
        positions = list(layers.get(event["name"].removesuffix("_kernel_time"), ()))
        if not positions:
            unassigned += seconds
            continue
        share = weights[positions]
        whole = share.sum()
        booked[positions] += seconds * (share / whole if whole > 0 else 1 / len(positions))
    return Booking(layers=booked, unassigned=unassigned, total=total)


def profiled_run(model: Model, branch: Branch, engine: Engine, feeds: Feeds, runs: int = _PROFILED_RUNS) -> Booking:
    """Runs a branch under the engine's profiler and books its events."""
    segment = model.segment(*_ends(branch))
    with tempfile.TemporaryDirectory() as folder:
        optimised = Path(folder) / "optimised.onnx"
        session = engine.build(segment, profile=True, optimised=optimised)
        given = {tensor.name: feeds[tensor.name] for tensor in segment.given}
        for _ in range(runs):
            session.run(given)
        return book(session.end_profiling(), node_layers(optimised, branch), layer_costs(model, branch))


def _branch_profile(
    model: Model, branch: Branch, engine: Engine, feeds: Feeds, times: NDArray[np.float64]
) -> BranchProfile:
    booking = profiled_run(model, branch, engine, feeds)
    whole = _timing(times)
    booked = booking.layers.sum()
    even = np.full(len(branch.layers), 1 / max(1, len(branch.layers)))
    shares = booking.layers / booked if booked > 0 else even
    return BranchProfile(
        exit=branch.exit,
        whole=whole,
        layers=tuple(float(seconds) for seconds in shares * whole.median),
        unassigned=booking.unassigned / booking.total if booking.total > 0 else 0.0,
    )


class _Coding:
    """Timings of codecs on a model's own activations, and of preparing an image."""

    def __init__(self, model: Model, tensors: list[Array], source: bytes | None) -> None:
        self.tensors = tensors
        self.tasks: list[Callable[[], object]] = []
        for codec in TENSOR_CODECS:
            for array in tensors:
                data = encode_tensor(codec, array)
                self.tasks += [_encoder(codec, array), _decoder(codec, data, array)]
        self.images = model.metadata.preprocessing is not None
        if model.metadata.preprocessing is not None:
            self._add_images(model, source)

    def _add_images(self, model: Model, source: bytes | None) -> None:
        form = model.metadata.preprocessing
        assert form is not None
        given = source or _picture(form.size)
        pixels = decode_pixels(given)
        small = fit(pixels, form)
        for codec in _coded():
            data = encode_image(codec, small)
            self.tasks += [lambda c=codec: encode_image(c, small), lambda d=data: decode_pixels(d)]  # type: ignore[misc]
        self.tasks += [lambda: decode_pixels(given), lambda: fit(pixels, form), lambda: normalise(small, form)]

    def results(self, times: Sequence[NDArray[np.float64]]) -> tuple[tuple[CodecTime, ...], list[Timing]]:
        """Codec times, and the timings of decoding, fitting and normalising a source."""
        left = list(times)
        sizes = np.array([array.nbytes for array in self.tensors], dtype=np.float64)
        codecs = []
        for codec in TENSOR_CODECS:
            pairs = [(left.pop(0), left.pop(0)) for _ in self.tensors]
            lines = [_line(sizes, np.array([np.median(pair[way]) for pair in pairs])) for way in (0, 1)]
            codecs.append(_codec_time(codec, *lines))
        if not self.images:
            return tuple(codecs), [_timing(np.zeros(1))] * 3
        for codec in _coded():
            encode, decode = (float(np.median(left.pop(0))) for _ in range(2))
            codecs.append(_codec_time(codec, (encode, 0.0), (decode, 0.0)))
        return tuple(codecs), [_timing(one) for one in left]


def _coded() -> tuple[str, ...]:
    return tuple(codec for codec in IMAGE_CODECS if codec != "source")


def _codec_time(codec: str, encode: tuple[float, float], decode: tuple[float, float]) -> CodecTime:
    return CodecTime(
        codec=codec,
        encode_base=encode[0],
        encode_per_byte=encode[1],
        decode_base=decode[0],
        decode_per_byte=decode[1],
    )


def _interleaved(
    tasks: Sequence[Callable[[], object]], rounds: int, budget: float, progress: Progress | None
) -> list[NDArray[np.float64]]:
    """Seconds of each task in each round; a slow phase of the machine hits all tasks alike."""
    counts = [_burst_length(task) for task in tasks]
    until = time.perf_counter() + budget
    times: list[list[float]] = [[] for _ in tasks]
    for done in range(max(3, rounds)):
        if done >= 3 and time.perf_counter() > until:
            break
        for task, count, seconds in zip(tasks, counts, times, strict=True):
            seconds.append(_timed(task, count))
        if progress:
            progress(done + 1, rounds)
    return [np.array(seconds) for seconds in times]


def _burst_length(task: Callable[[], object]) -> int:
    task()
    once = _timed(task, 1)
    return max(1, min(50, int(_BURST / max(once, 1e-9))))


def _timed(task: Callable[[], object], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        task()
    return (time.perf_counter() - start) / count


def _timing(seconds: NDArray[np.float64]) -> Timing:
    low, median, high = np.percentile(seconds, [25, 50, 75])
    return Timing(
        median=float(median), spread=float((high - low) / median) if median > 0 else 0.0, samples=len(seconds)
    )


def _line(sizes: NDArray[np.float64], seconds: NDArray[np.float64]) -> tuple[float, float]:
    """Base and slope of a line through timings, neither below zero; relative errors count alike."""
    weights = 1 / np.maximum(seconds, 1e-9)
    columns = np.stack([np.ones_like(sizes), sizes], axis=1) * weights[:, None]
    base, slope = np.linalg.lstsq(columns, seconds * weights, rcond=None)[0]
    if base < 0:
        return 0.0, float(np.median(seconds / sizes))
    return (float(base), float(slope)) if slope >= 0 else (float(np.median(seconds)), 0.0)


def _activations(model: Model, engine: Engine, feeds: Feeds) -> list[Array]:
    """A few real boundaries of different sizes, float32, smallest first."""
    branch = model.branches[-1]
    sized = {
        tensor.nbytes: tensor.name
        for layer in branch.layers
        for tensor in (model.tensors[layer.outputs[-1]],)
        if tensor.dtype == "float32" and tensor.nbytes
    }
    sizes = sorted(sized)
    picked = [sizes[int(k)] for k in np.unique(np.linspace(0, len(sizes) - 1, 5).astype(int))] if sizes else []
    if not picked:
        return [np.random.default_rng(0).standard_normal(n).astype(np.float32) for n in (256, 4096, 65536)]
    names = [sized[size] for size in picked]
    made = engine.session(model, [tensor.name for tensor in branch.inputs], names).run(feeds)
    return [made[name] for name in names]


def _picture(size: tuple[int, int]) -> bytes:
    """A picture of the model's size, smooth with some noise, as a PNG."""
    from PIL import Image

    height, width = size
    y, x = np.mgrid[0:height, 0:width]
    smooth = 127 + 80 * np.sin(x / width * 5)[..., None] * np.cos(y / height * 4)[..., None] * np.array([1, 0.7, -0.5])
    pixels = np.clip(smooth + np.random.default_rng(0).normal(0, 8, (height, width, 3)), 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _ends(branch: Branch) -> tuple[list[str], list[str]]:
    return [tensor.name for tensor in branch.inputs], [tensor.name for tensor in branch.outputs]


def _runner(session: Session, feeds: Feeds) -> Callable[[], object]:
    given = {tensor.name: feeds[tensor.name] for tensor in session.segment.given}
    return lambda: session.run(given)


def _encoder(codec: str, array: Array) -> Callable[[], object]:
    return lambda: encode_tensor(codec, array)


def _decoder(codec: str, data: bytes, array: Array) -> Callable[[], object]:
    return lambda: decode_tensor(codec, data, array.shape, str(array.dtype))


def _bytes(cost: LayerCost) -> int:
    return (cost.bytes_in or 0) + (cost.bytes_out or 0) + cost.bytes_weights
