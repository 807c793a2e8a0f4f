"""This machine's latency model: a sweep of random networks, and what codecs and the preparing of images take."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from edgent.codec import TENSOR_CODECS, decode_pixels, fit, normalise
from edgent.engine.engine import Engine
from edgent.latency.carried import carried_over
from edgent.latency.kernel_model import fit as fit_kernels
from edgent.latency.latency_model_file import MachineModel, Preparing
from edgent.latency.profile import CodecTime
from edgent.model import Preprocessing
from edgent.profiling.codec_timing import CODED, coder_tasks, tensor_tasks, typical_image
from edgent.profiling.sweep import SpecimenTimer, samples, sweep, usual_references
from edgent.profiling.sweep_file import Checkpoint
from edgent.profiling.timing import Clock, Progress, Task, interleaved, line, machine_name, stopwatch_for

_SIDES = (32, 224)  # images that codecs are timed on
_TENSOR_SIZES = (1 << 10, 1 << 14, 1 << 18)  # numbers in the tensors that codecs are timed on
_CODING_ROUNDS = 7


def sweep_machine(
    engine: Engine,
    *,
    budget: float,
    like: MachineModel | None = None,
    unfinished: Path | None = None,
    progress: Progress | None = None,
) -> MachineModel:
    """Sweeps this machine and fits its latency model.

    Args:
        engine: runs the specimens.
        budget: seconds of timing.
        like: the latency model of another machine; it is carried over, for which a handful of timings is enough.
        unfinished: where to keep what is timed; a sweep that finds it there goes on from it. It is the caller's to
            remove, once the latency model is safe.
        progress: called with the seconds spent and the budget.

    Raises:
        InputError: the budget is too short for this machine, or `unfinished` is no sweep of this machine.
    """
    checkpoint, stopwatch = None, stopwatch_for(engine)
    if unfinished is not None:
        checkpoint = Checkpoint(path=unfinished, head=f"{machine_name()}, {engine.name} x{engine.threads}")
    with tempfile.TemporaryDirectory(prefix="edgent-") as folder:
        timed = sweep(
            SpecimenTimer(engine, Path(folder), stopwatch=stopwatch),
            budget=budget,
            done=checkpoint.read() if checkpoint else (),
            keep=checkpoint.keep if checkpoint else lambda _: None,
            progress=progress,
        )
    coding = _coding(stopwatch)  # before the fit, so that all timings meet the same phase of the machine
    return MachineModel(
        machine=machine_name(),
        engine=engine.name,
        threads=engine.threads,
        options=engine.options,
        seconds=sum(one.seconds for one in timed),
        specimens=len(timed),
        references=usual_references(timed),
        fit=carried_over(like.fit, samples(timed)) if like else fit_kernels(samples(timed)),
        coding=coding,
    )


def _coding(stopwatch: Clock) -> Preparing:
    """Times codecs and the preparing of images at a few sizes, and draws lines through them."""
    tasks: list[Task] = []
    # Half of them 0, as after a Relu, which is where cuts are worth it: zstd depends on that.
    tensors = [np.maximum(np.random.default_rng(0).standard_normal(n), 0).astype(np.float32) for n in _TENSOR_SIZES]
    for codec in TENSOR_CODECS:
        for array in tensors:
            tasks += tensor_tasks(codec, array)
    images = [decode_pixels(typical_image((side, side))) for side in _SIDES]
    for codec in CODED:
        for pixels in images:
            tasks += coder_tasks(codec, pixels)
    tasks += _steps()
    timings = interleaved(tasks, rounds=_CODING_ROUNDS, until=0.0, stopwatch=stopwatch)
    left = [float(np.median(seconds)) for seconds in timings]
    sizes = {name: [float(array.nbytes) for array in tensors] for name in TENSOR_CODECS}
    sizes |= {name: [float(pixels.nbytes) for pixels in images] for name in CODED}
    codecs = []
    for name, bytes_of in sizes.items():
        # Tasks came as encode, decode for each size in turn.
        pairs = np.array([left.pop(0) for _ in range(2 * len(bytes_of))]).reshape(-1, 2)
        encode, decode = (line(np.array(bytes_of), pairs[:, column]) for column in (0, 1))
        codecs.append(
            CodecTime(
                codec=name,
                encode_base=encode[0],
                encode_per_byte=encode[1],
                decode_base=decode[0],
                decode_per_byte=decode[1],
            )
        )
    bytes_of = [float(pixels.nbytes) for pixels in images]
    rows = np.array(left).reshape(len(images), -1)
    names = ("decode_source", "fit", "normalise")
    return Preparing(
        codecs=tuple(codecs),
        steps={name: line(np.array(bytes_of), rows[:, column]) for column, name in enumerate(names)},
    )


def _steps() -> list[Task]:
    tasks: list[Task] = []
    for side in _SIDES:
        form = Preprocessing(
            size=(side, side),
            resize="stretch",
            color="RGB",
            layout="NCHW",
            scale=1 / 255,
            mean=(0.5,) * 3,
            std=(0.5,) * 3,
        )
        data = typical_image((side, side))
        pixels = decode_pixels(data)
        tasks += [
            partial(decode_pixels, data),
            partial(fit, pixels, form),
            partial(normalise, pixels, form),
        ]
    return tasks
