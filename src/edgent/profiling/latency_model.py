"""A machine's latency model, from the sweep to the profile of a model that was never run."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from edgent.codec import TENSOR_CODECS, decode_pixels, fit, normalise
from edgent.engine.engine import Engine
from edgent.errors import InputError
from edgent.files import read_text
from edgent.latency.carried import carried_over
from edgent.latency.gaussian import NINETY
from edgent.latency.latency_model import fit as fit_machine
from edgent.latency.latency_model_file import MachineModel, Preparing, is_machine_model
from edgent.latency.prediction import BranchWork, Prediction
from edgent.latency.profile import BranchProfile, CodecTime, Profile, Timing
from edgent.model import Branch, Model, Preprocessing
from edgent.model.bodies import shapes_inside
from edgent.model.costs import layer_costs
from edgent.model.kernels import kernels
from edgent.model.optimised import named, node_layers
from edgent.profiling.codec_timing import CODED, coder_tasks, tensor_tasks, typical_image
from edgent.profiling.sweep import SpecimenTimer, samples, stopwatch_for, sweep, usual_references
from edgent.profiling.sweep_file import Checkpoint
from edgent.profiling.timing import Progress, Task, interleaved, line, machine_name

_SIDES = (32, 224)  # images that codecs are timed on
_TENSOR_SIZES = (1 << 10, 1 << 14, 1 << 18)  # numbers in the tensors that codecs are timed on
_CODING_ROUNDS = 7
_QUARTILES = 1.349  # from a standard deviation to an interquartile range


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
    checkpoint = None
    if unfinished is not None:
        checkpoint = Checkpoint(path=unfinished, head=f"{machine_name()}, {engine.name} x{engine.threads}")
    with tempfile.TemporaryDirectory(prefix="edgent-") as folder:
        timed = sweep(
            SpecimenTimer(engine, Path(folder), stopwatch=stopwatch_for(engine)),
            budget=budget,
            done=checkpoint.read() if checkpoint else (),
            keep=checkpoint.keep if checkpoint else lambda _: None,
            progress=progress,
        )
    coding = _coding()  # before the fit, so that all timings meet the same phase of the machine
    return MachineModel(
        machine=machine_name(),
        engine=engine.name,
        threads=engine.threads,
        options=engine.options,
        seconds=sum(one.seconds for one in timed),
        specimens=len(timed),
        references=usual_references(timed),
        fit=carried_over(like.fit, samples(timed)) if like else fit_machine(samples(timed)),
        coding=coding,
    )


def branch_work(model: Model, branch: Branch, engine: Engine) -> BranchWork:
    """What running a branch is made of, as the engine would run it: it optimises the graph and times nothing."""
    ends = ([tensor.name for tensor in side] for side in (branch.inputs, branch.outputs))
    with tempfile.TemporaryDirectory(prefix="edgent-") as folder:
        # The engine optimises when it builds a session; the graph it writes is the one that it would run.
        optimised, segment = Path(folder) / "optimised.onnx", named(model.segment(*ends))
        engine.build(segment, optimised=optimised)
        shapes = {name: tensor.shape for name, tensor in model.tensors.items()}
        shapes |= shapes_inside(segment)
        return BranchWork(
            exit=branch.exit,
            costs=layer_costs(model, branch),
            kernels=kernels(optimised, shapes),
            layers=node_layers(optimised, branch),
        )


def predicted_profile(machine: MachineModel, model: Model, engine: Engine) -> tuple[Profile, tuple[str, ...]]:
    """The profile that a model would have on a machine, and the kinds of kernels that were guessed.

    Args:
        machine: the latency model.
        model: need not ever have run there.
        engine: optimises the graph here; it should be the one of the machine, for another fuses otherwise.
    """
    predictions = [machine.fit.predict(branch_work(model, branch, engine)) for branch in model.branches]
    form = model.metadata.preprocessing
    pixels = 3.0 * form.size[0] * form.size[1] if form is not None else 0.0
    steps = {name: machine.coding.step(name, pixels) for name in machine.coding.steps} if form else {}
    none = Timing(median=0.0, spread=0.0, samples=1)
    profile = Profile(
        model=model.name,
        digest=model.digest,
        machine=machine.machine,
        engine=machine.engine,
        threads=machine.threads,
        branches=tuple(_branch_profile(b.exit, p) for b, p in zip(model.branches, predictions, strict=True)),
        codecs=tuple(_codec(codec, pixels) for codec in machine.coding.codecs if form or codec.codec in TENSOR_CODECS),
        decode_source=steps.get("decode_source", none),
        fit=steps.get("fit", none),
        normalise=steps.get("normalise", none),
        predicted=True,
    )
    return profile, tuple(sorted({kind for prediction in predictions for kind in prediction.unknown}))


def load_profile(path: Path, model: Model, engine: Engine) -> tuple[Profile, tuple[str, ...]]:
    """A model's profile from either kind of file: as measured, or as a machine's latency model predicts it.

    Returns:
        the profile, and the kinds of kernels that were guessed.

    Raises:
        InputError: neither kind of file, or a damaged one.
    """
    try:
        text = read_text(path)
    except InputError as error:
        raise InputError(f"{path}: {error}, expected a profile or a latency model; make one: edgent profile") from None
    if is_machine_model(text):
        return predicted_profile(MachineModel.from_json(text, str(path)), model, engine)
    return Profile.from_json(text, str(path)), ()


def _branch_profile(exit: int, prediction: Prediction) -> BranchProfile:
    layers = tuple(float(seconds) for seconds in prediction.layers)
    whole = prediction.between(0, len(layers))
    # From the interval back to a standard deviation, and on to what a profile calls spread: an interquartile range.
    deviation = float(np.log(whole.high / whole.seconds)) / NINETY if whole.seconds > 0 else 0.0
    return BranchProfile(
        exit=exit,
        whole=Timing(median=sum(layers), spread=deviation * _QUARTILES, samples=1),
        layers=layers,
        unassigned=0.0,
    )


def _codec(codec: CodecTime, pixels: float) -> CodecTime:
    """A codec as a profile has it: an image codec works on images of one size."""
    if codec.codec in TENSOR_CODECS:
        return codec
    return CodecTime(
        codec=codec.codec,
        encode_base=codec.encode(pixels),
        encode_per_byte=0.0,
        decode_base=codec.decode(pixels),
        decode_per_byte=0.0,
    )


def _coding() -> Preparing:
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
    left = [float(np.median(seconds)) for seconds in interleaved(tasks, rounds=_CODING_ROUNDS, until=0.0)]
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
