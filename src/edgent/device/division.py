"""What each side computes under a configuration: which layers, out of which tensors, into which.

Pure: names and profiled seconds, derived from the branch and its two cuts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from edgent.codec.names import is_image_codec
from edgent.device.request import LocalBranch
from edgent.errors import ModelError
from edgent.model.values import segment_name
from edgent.planning.plan import RAW, Configuration, SourceKind
from edgent.units import Seconds

if TYPE_CHECKING:
    from edgent.latency import Profile
    from edgent.model import Branch, Model, Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of work for the device: tensors given, tensors asked, and its profiled time."""

    given: tuple[str, ...]
    asked: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Instead:
    """An exit at which the edge could answer the same message, where it is too loaded for the planned one.

    Attributes:
        exit: which one.
        segment: what the edge calls it.
        down: its answers.
    """

    exit: int
    segment: str
    down: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """A configuration, taken apart.

    Attributes:
        configuration: which.
        uses_edge: whether it has a part for the edge.
        segment: the wire's name of that part.
        head: before the upload; asked are the tensors that go up and those that the suffix reads.
        up: what crosses up.
        down: what crosses down, answers made in the middle among it.
        suffix: after the download.
        answers: names of the exit's outputs.
        locals: by exit, what the device would do alone with what the head left.
        alone: by exit, what it would do with the input only, where the head failed.
        branches: those that may answer in place of the edge: times include preparing the input where the head did not
            need it. Of the device alone its own branch, and behind it those that are faster.
        tensors: names of the inputs that head, encoding or suffix read as tensors.
        pixels: names of those whose pixels are encoded.
        image: whether what goes up is the input's image, encoded.
        codec: of tensors that go up; None: raw, or an image.
        wanted: the tensors that the edge is asked for, each with its codec (None: raw); none: all of them, raw.
        encoding: profiled seconds of encoding what goes up, as the planner prices it: once, by raw bytes.
        decoding: the same of what comes down.
        instead: the exits before the planned one that the edge could answer at, the latest first.
    """

    configuration: Configuration
    uses_edge: bool
    segment: str
    head: Part
    up: tuple[Tensor, ...]
    down: tuple[Tensor, ...]
    suffix: Part
    answers: tuple[str, ...]
    locals: dict[int, Part]
    alone: dict[int, Part]
    branches: tuple[LocalBranch, ...]
    tensors: tuple[str, ...]
    pixels: tuple[str, ...]
    image: bool
    codec: str | None
    wanted: tuple[tuple[str, str | None], ...]
    encoding: float
    decoding: float
    instead: tuple[Instead, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """Everything that the device may have to run."""
        return tuple(part for part in (self.head, self.suffix, *self.locals.values()) if part.asked)


def divide(
    model: Model,
    configuration: Configuration,
    *,
    device: Profile | None = None,
    host: Profile | None = None,
    preparing: float = 0.0,
    exits: Collection[int] | None = None,
) -> Division:
    """Takes a configuration apart.

    Args:
        model: the model.
        configuration: which cuts and codecs.
        device: its profile, for what the local branches take; without one they count as instant.
        host: the profile of the machine that computes, for the parts; without one they count as instant.
        preparing: seconds on the device from the input as it comes to the tensor.
        exits: those that may answer in place of the edge; None: all.

    Raises:
        ModelError: no such exit or cuts, cuts that device and edge cannot share the branch at, or a branch that only
            the edge has for the device alone.
    """
    branch = model.branch(configuration.exit)
    if configuration.device_only and branch in model.remote:
        raise ModelError(f"exit {branch.exit} ({branch.name}) is on the edge only; it cannot run on the device alone")
    up, down = branch.sent(configuration.upload_cut, configuration.download_cut)
    inputs = [tensor.name for tensor in model.inputs]
    answers = tuple(tensor.name for tensor in branch.outputs)
    crossing = {tensor.name for tensor in down}
    before = {name for layer in branch.layers[: configuration.upload_cut] for name in layer.outputs}
    if configuration.device_only:
        head, suffix = _nothing(), _nothing()
    else:
        # What the suffix reads of the head's tensors never travels: the head keeps it.
        suffix = _part(branch, [a for a in answers if a not in crossing], crossing | before | set(inputs), host)
        kept = dict.fromkeys(name for name in (*(t.name for t in up), *suffix.given) if name in before)
        head = _part(branch, tuple(kept), set(inputs), host)
    at_hand = {*head.asked, *inputs}
    ends = {b.exit: [tensor.name for tensor in b.outputs] for b in model.branches}
    locals_ = {b.exit: _part(b, ends[b.exit], at_hand, host) for b in model.branches}
    reply = {b.exit: _part(b, ends[b.exit], at_hand, device) for b in model.branches}
    uses_edge = not configuration.device_only
    image = uses_edge and is_image_codec(configuration.codec)
    coded, named = _codec(configuration.codec), _codec(configuration.download_codec)
    going_up = tuple(tensor.name for tensor in up if tensor.name in inputs)
    # What goes up as a picture is never a tensor on the device, unless a part that stays here reads it as well.
    read = {*head.given, *suffix.given, *(() if image else going_up)}
    tensors = tuple(name for name in inputs if name in read)
    return Division(
        configuration=configuration,
        uses_edge=uses_edge,
        segment=segment_name(model.name, configuration.exit, configuration.upload_cut, configuration.download_cut),
        head=head,
        up=up,
        down=down,
        suffix=suffix,
        answers=answers,
        locals=locals_,
        alone={b.exit: _part(b, ends[b.exit], set(inputs), host) for b in model.branches},
        branches=_allowed(
            [_local(b, reply[b.exit], set(inputs).difference(tensors), preparing) for b in model.branches],
            configuration,
            exits,
        ),
        tensors=tensors,
        pixels=going_up if image and configuration.codec != "source" else (),
        image=image,
        codec=None if image else coded,
        wanted=_wanted(down, answers, named),
        encoding=_codec_seconds(host, configuration.codec, up, "encode"),
        decoding=_codec_seconds(host, configuration.download_codec, down, "decode"),
        instead=tuple(_instead(model, configuration)),
    )


class Divisions:
    """Takes configurations apart for one device; thread-safe.

    Args:
        model: what is run.
        device: the device's profile, for what its local branches take.
        host: the profile of the machine that computes.
        exits: those that its local branches may have; None: all.
    """

    def __init__(
        self, model: Model, device: Profile | None, host: Profile | None, exits: Collection[int] | None = None
    ) -> None:
        self._model, self._device, self._host, self._exits = model, device, host, exits
        self.of = lru_cache(maxsize=256)(self._divide)

    @property
    def usual(self) -> SourceKind:
        """What requests bring, if the model can take it."""
        return "array" if self._model.metadata.preprocessing is None else "image"

    def preparing(self, kind: SourceKind) -> float:
        """Seconds on the device from the input as it comes to the tensor."""
        if kind == "array" or self._device is None:
            return 0.0
        return self._device.decode_source.median + self._device.fit.median + self._device.normalise.median

    def __repr__(self) -> str:
        return f"<Divisions of {self._model.name}>"

    def _divide(self, configuration: Configuration, kind: SourceKind) -> Division:
        return divide(
            self._model,
            configuration,
            device=self._device,
            host=self._host,
            preparing=self.preparing(kind),
            exits=self._exits,
        )


def _instead(model: Model, configuration: Configuration) -> Iterator[Instead]:
    """Earlier exits of a plan that leaves all to the edge: there the same message serves every branch."""
    layers = len(model.branch(configuration.exit).layers)
    if configuration.upload_cut or configuration.download_cut < layers or configuration.device_only:
        return
    up, _ = model.branch(configuration.exit).sent(0, layers)
    for branch in sorted(model.branches, key=lambda branch: branch.exit, reverse=True):
        end = len(branch.layers)
        sent, down = branch.sent(0, end)
        if branch.exit < configuration.exit and down and set(up).issuperset(sent):
            yield Instead(exit=branch.exit, segment=segment_name(model.name, branch.exit, 0, end), down=down)


def _allowed(
    branches: Sequence[LocalBranch], configuration: Configuration, exits: Collection[int] | None
) -> tuple[LocalBranch, ...]:
    may = [branch for branch in branches if exits is None or branch.exit in exits]
    if not configuration.device_only:
        return tuple(may)
    # A device alone has nothing to gain from a slower branch than the planned one, but a faster one may fit where other
    # requests keep it waiting.
    (own,) = (branch for branch in branches if branch.exit == configuration.exit)
    return (own, *(branch for branch in may if branch.seconds < own.seconds))


def _codec(name: str) -> str | None:
    return None if name == RAW else name


def _wanted(down: Sequence[Tensor], answers: Collection[str], codec: str | None) -> tuple[tuple[str, str | None], ...]:
    """An answer crosses raw, whatever the codec; where everything does, nothing needs to be named."""
    wanted = tuple((tensor.name, None if tensor.name in answers else codec) for tensor in down)
    return wanted if any(coded for _, coded in wanted) else ()


def _codec_seconds(
    profile: Profile | None, codec: str, tensors: Sequence[Tensor], side: Literal["encode", "decode"]
) -> float:
    if profile is None or not tensors or codec == "source":
        return 0.0
    times = next((entry for entry in profile.codecs if entry.codec == codec), None)
    if times is None:
        return 0.0
    raw = sum(tensor.nbytes or 0 for tensor in tensors)
    return times.encode(raw) if side == "encode" else times.decode(raw)


def _nothing() -> Part:
    return Part(given=(), asked=(), seconds=0.0)


def _part(branch: Branch, asked: Sequence[str], available: Collection[str], profile: Profile | None) -> Part:
    """The layers of a branch that make `asked` out of what is available."""
    wanted = {name for name in asked if name not in available}
    used = dict.fromkeys(name for name in asked if name in available)
    layers = []
    for index in range(len(branch.layers) - 1, -1, -1):
        layer = branch.layers[index]
        if wanted.isdisjoint(layer.outputs):
            continue
        layers.append(index)
        wanted.difference_update(layer.outputs)
        wanted.update(name for name in layer.inputs if name not in available)
        used.update(dict.fromkeys(name for name in layer.inputs if name in available))
    return Part(given=tuple(used), asked=tuple(asked), seconds=_seconds(branch, layers, profile))


def _seconds(branch: Branch, layers: Collection[int], profile: Profile | None) -> float:
    if profile is None or not layers:
        return 0.0  # of a branch that only the edge has, a device has no times
    times = profile.branch(branch.exit).layers
    return sum(times[index] for index in layers)


def _local(branch: Branch, part: Part, unprepared: Collection[str], preparing: float) -> LocalBranch:
    prepares = Seconds(preparing if any(name in unprepared for name in part.given) else 0.0)
    seconds = Seconds(part.seconds + prepares)
    return LocalBranch(exit=branch.exit, seconds=seconds, accuracy=branch.accuracy, preparing=prepares)
