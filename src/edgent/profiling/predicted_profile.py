"""The profile of a model that was never run here, as a machine's latency model predicts it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from edgent.codec import TENSOR_CODECS
from edgent.engine.engine import Engine
from edgent.errors import InputError
from edgent.files import read_text
from edgent.latency.gaussian import NINETY
from edgent.latency.latency_model_file import MachineModel, is_machine_model
from edgent.latency.prediction import BranchWork, Prediction
from edgent.latency.profile import BranchProfile, CodecTime, Profile, Timing
from edgent.model import Branch, Model
from edgent.model.bodies import shapes_inside
from edgent.model.costs import layer_costs
from edgent.model.kernels import RUN, kernels
from edgent.model.optimised import named, node_layers

_QUARTILES = 1.349  # from a standard deviation to an interquartile range


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
            kernels=(*kernels(optimised, shapes), RUN),
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
    form = model.largest_form
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


def reach(profile: Profile) -> float:
    """The factor to either side that holds 90 % of times, for the branch of a predicted profile that is least known."""
    return float(np.exp(NINETY / _QUARTILES * max(branch.whole.spread for branch in profile.branches)))


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
