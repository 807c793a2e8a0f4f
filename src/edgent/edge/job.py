"""What an edge serves: names on the wire to parts of models, and one request from its message to its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from edgent.codec import decode_pixels, fit_decoded, is_image_codec, most_pixels, normalise
from edgent.edge.registry import Registry
from edgent.engine.engine import Engine
from edgent.engine.feeds import Array, zeros
from edgent.errors import InputError, ModelError
from edgent.model import Model, SegmentName, Tensor, parse_segment_name
from edgent.units import Seconds
from edgent.wire.errors import NotServedError
from edgent.wire.messages import CODEC, INSTEAD, WITHIN, ModelInferRequest
from edgent.wire.tensors import (
    Parcel,
    array_of,
    parcel_of,
    parse,
    raw_parcel,
    read_inputs,
    write_request,
    write_response,
)

_LONGEST_NAME = 1000  # characters; files' names have 255 bytes, and cuts some twenty digits
_MOST_INSTEAD = 8  # names of a request's message; a branch has one of each exit, and few have more


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Target:
    """What a name stands for: a whole model, or the middle between two cuts of a branch.

    Attributes:
        name: as it came.
        model: of which it is a part.
        part: exit and cuts; None for the whole model.
        given: the tensors it takes.
        offered: the tensors it can make.
    """

    name: str
    model: Model
    part: SegmentName | None
    given: tuple[Tensor, ...]
    offered: tuple[Tensor, ...]

    def __repr__(self) -> str:
        return f"<Target {self.name!r} of {self.model.version}>"


Resolve = Callable[[str, str], Target]
"""What a name and a version stand for; see `resolve`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What would answer a request: a target, and what is wanted of it with which codec (None: raw)."""

    target: Target
    outputs: tuple[tuple[Tensor, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A checked request.

    Attributes:
        message: as it came.
        request: by what its caller calls it.
        inputs: the tensors in it.
        choices: what would answer it, the best first.
        wanted: within what time.
    """

    message: bytes = field(repr=False)
    request: str
    inputs: tuple[Parcel, ...]
    choices: tuple[Choice, ...]
    wanted: Seconds | None

    @property
    def target(self) -> Target:
        """What it asks for before all else."""
        return self.choices[0].target

    @property
    def codecs(self) -> tuple[str | None, ...]:
        """Of what came: to decode it is work as well."""
        return tuple(parcel.codec for parcel in self.inputs)


def resolve(models: Registry, name: str, version: str) -> Target:
    """The part that a model name on the wire stands for.

    Args:
        models: those served.
        name: of a model or of a segment.
        version: see `Registry.find`.

    Raises:
        NotServedError: no such model, exit or cuts here.
        RefusedError: see `Registry.find`.
    """
    # Before it is looked for, and stands in a message: it may have come with as many bytes as a message has.
    if len(name) > _LONGEST_NAME:
        raise NotServedError(f"a name of {len(name):,} characters; no model or segment here has more than 1,000")
    # A model may be called like a segment ("net.x0.u0.d1"): whole names come first, as in `Edge`, which refuses an
    # ambiguous pair.
    part = None if name in models else parse_segment_name(name)
    model = models.find(part.model if part else name, version)
    if part is None:
        return _whole(model, name)
    try:
        boundary = model.branch(part.exit).sent(part.upload_cut, part.download_cut)
    except ModelError as error:
        raise NotServedError(f"{name}: {error}") from error
    # Cuts between which the edge would compute nothing: the device can answer that itself.
    if not boundary.down:
        raise NotServedError(f"{name}: nothing lies between these cuts")
    return Target(name=name, model=model, part=part, given=boundary.up, offered=boundary.down)


def _whole(model: Model, name: str) -> Target:
    """A whole model: all its answers that can travel."""
    if stuck := [tensor for tensor in model.inputs if not tensor.travels]:
        raise NotServedError(f"{name}: input {stuck[0].name!r} of type {stuck[0].dtype} cannot travel")
    answers = {tensor.name: tensor for branch in model.branches for tensor in branch.outputs if tensor.travels}
    if not answers:
        raise NotServedError(f"{name}: none of its answers can travel")
    return Target(name=name, model=model, part=None, given=model.inputs, offered=tuple(answers.values()))


def read_job(resolved: Resolve, message: bytes) -> Job:
    """Checks a ModelInferRequest against what its name stands for, before anything is computed.

    Raises:
        InputError: tensors that do not fit, an unknown output or codec.
        NotServedError, RefusedError: see `resolve`.
    """
    # All of it before the queue: a bad request is told so at once, and costs the others nothing.
    request = parse(ModelInferRequest, message)
    target = resolved(request.model_name, request.model_version)
    inputs = tuple(read_inputs(request, target.given))
    for parcel in inputs:
        if parcel.codec and is_image_codec(parcel.codec):
            _check_takes_image(target, parcel)
    best = Choice(target=target, outputs=_wanted(request, target))
    choices = (best, *_instead(resolved, request, target))
    within = request.parameters[WITHIN].int64_param if WITHIN in request.parameters else 0
    wanted = Seconds(within * 1e-6) if within > 0 else None
    return Job(message=message, request=request.id, inputs=inputs, choices=choices, wanted=wanted)


def compute(job: Job, number: int, engine: Engine) -> bytes:
    """Decodes, runs and encodes one of a job's choices, by its number; a ModelInferResponse.

    Raises:
        InputError: a payload that its codec did not make.
        EdgentError: the engine failed.
    """
    choice = job.choices[number]
    target, model = choice.target, choice.target.model
    given = [tensor.name for tensor in target.given]
    feeds = {parcel.tensor.name: _decode(parcel, model) for parcel in job.inputs if parcel.tensor.name in given}
    # Only what is wanted is asked of the engine: it then leaves out whatever nobody reads.
    session = engine.session(model, given, [tensor.name for tensor, _ in choice.outputs])
    answers = session.run(feeds)
    outputs = [parcel_of(tensor, codec, answers[tensor.name]) for tensor, codec in choice.outputs]
    # Who asked for a segment knows its name, which costs milliseconds on a slow link; one that is answered with another
    # segment must be told.
    named = target.part is None or number > 0
    return write_response(*((target.name, model.version) if named else ("", "")), job.request, outputs)


def rehearsal(resolved: Resolve, target: Target) -> Job | None:
    """A request for all of a target, on zeros; None where their shapes are known to nobody, or they cannot travel."""
    if any(tensor.shape is None or not tensor.travels for tensor in target.given):
        return None
    arrays = zeros(target.given)
    inputs = [raw_parcel(tensor, arrays[tensor.name]) for tensor in target.given]
    return read_job(resolved, write_request(target.name, target.model.version, inputs, ()))


def _instead(resolved: Resolve, request: Any, target: Target) -> Iterator[Choice]:
    """What the caller would take as well, the best first: parts of the same model, made of what came."""
    if INSTEAD not in request.parameters:
        return
    names = request.parameters[INSTEAD].string_param.split()
    if len(names) > _MOST_INSTEAD:
        raise InputError(f"{len(names)} names of what would do as well; expected at most {_MOST_INSTEAD}")
    came = set(target.given)
    for name in names:
        other = resolved(name, target.model.version)
        if other.model.digest != target.model.digest or not came.issuperset(other.given):
            raise InputError(f"{name} would not do as well as {target.name}: it is not made of the same tensors")
        yield Choice(target=other, outputs=tuple((tensor, None) for tensor in other.offered))


def _wanted(request: Any, target: Target) -> tuple[tuple[Tensor, str | None], ...]:
    # Nothing named is everything, by the protocol; the device makes use of that, for names cost bytes.
    if not request.outputs:
        return tuple((tensor, None) for tensor in target.offered)
    codecs = {}
    for output in request.outputs:
        codec = output.parameters[CODEC].string_param if CODEC in output.parameters else None
        if codec and is_image_codec(codec):
            raise InputError(f"output {output.name!r}: codec {codec} is for images on the way up")
        codecs[output.name] = codec or None
    known = {tensor.name for tensor in target.offered}
    if unknown := sorted(set(codecs) - known):
        raise InputError(f"{target.name} makes no output {unknown[0]!r}; expected {', '.join(sorted(known))}")
    # In the segment's order and not the caller's, so that the same wish always meets the same session.
    return tuple((tensor, codecs[tensor.name]) for tensor in target.offered if tensor.name in codecs)


def _check_takes_image(target: Target, parcel: Parcel) -> None:
    inputs = [tensor.name for tensor in target.model.inputs]
    if parcel.tensor.name not in inputs or target.model.metadata.preprocessing_of(parcel.tensor.name) is None:
        raise InputError(
            f"tensor {parcel.tensor.name!r} cannot come as {parcel.codec}: only an input of a model whose metadata "
            "says how to prepare an image can"
        )


def _decode(parcel: Parcel, model: Model) -> Array:
    preprocessing = model.metadata.preprocessing_of(parcel.tensor.name)
    if parcel.codec and preprocessing and is_image_codec(parcel.codec):
        pixels = decode_pixels(parcel.data, max_pixels=most_pixels(preprocessing))
        return normalise(fit_decoded(pixels, preprocessing, codec=parcel.codec), preprocessing)
    return array_of(parcel)
