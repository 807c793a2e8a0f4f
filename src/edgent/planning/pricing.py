"""Model, two profiles and a calibration to the plain numbers of `BranchCosts`.

What crosses depends on the pair of cuts. What is measured belongs to a single cut: the tensors that cross it when
everything behind it runs on one side; a measurement for each pair would take the square of the time. A pair may use the
measurement of its cut where exactly these tensors cross. Their bytes tell: what crosses at a pair is always a part of
what crosses at the cut, so equal bytes mean the same tensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgent.codec import IMAGE_CODECS, TENSOR_CODECS, Calibration, is_image_codec, is_lossless
from edgent.errors import InputError
from edgent.latency.profile import Profile
from edgent.model.coarse import chosen_cuts, coarse
from edgent.planning.costs import BranchCosts, Crossing, Plane
from edgent.planning.plan import RAW, SourceKind

if TYPE_CHECKING:
    from edgent.latency.profile import CodecTime
    from edgent.model import Branch, Model

Floats: TypeAlias = NDArray[np.float64]
Seconds: TypeAlias = NDArray[np.float64]
"""Of each layer of a branch: shape (n,)."""


def price(
    model: Model,
    device: Profile,
    edge: Profile,
    calibration: Calibration | None,
    *,
    source: SourceKind | None = None,
    source_bytes: float | None = None,
) -> tuple[BranchCosts, ...]:
    """Prices every branch of a model on two machines; see `Candidates.build`."""
    # Checked once for all: times, sizes and accuracies of another model would give plausible, wrong plans.
    check_versions(model, device, edge, calibration)
    kind: SourceKind = source or ("array" if model.metadata.preprocessing is None else "image")
    known = _Known(device=device, edge=edge, calibration=calibration, source=kind, source_bytes=source_bytes)
    here = (_priced(branch, known) for branch in model.branches)
    # Of a bundle's files that only the edge holds, the device knows the ends alone: they are used whole or not at all.
    return (*here, *(_priced_whole(branch, known) for branch in model.remote))


def check_versions(model: Model, *measured: Profile | Calibration | None) -> None:
    """Makes sure that what was measured is of a model.

    Raises:
        InputError: it is of another one, of another version of it, or of other layers.
    """
    for measurement in measured:
        if measurement is not None and measurement.digest != model.digest:
            version = measurement.digest[:12]
            raise InputError(f"{measurement!r} is of version {version}, the model is {model.version}: measure it again")
        if isinstance(measurement, Profile):
            measurement.check_layers(model)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What all branches of a model are priced by.

    Attributes:
        device: profile of the device.
        edge: profile of the edge.
        calibration: sizes and accuracies of codecs; None: nobody has measured any.
        source: what requests bring.
        source_bytes: mean size of the pictures' files; None: as the calibration says.
    """

    device: Profile
    edge: Profile
    calibration: Calibration | None
    source: SourceKind
    source_bytes: float | None


def _priced(branch: Branch, known: _Known) -> BranchCosts:
    """A long branch is priced as a coarse one; its cuts are counted as its own."""
    on_device, on_edge = _seconds_of(branch, known.device), _seconds_of(branch, known.edge)
    cuts = chosen_cuts(branch, _shares(on_device, on_edge))
    if len(cuts) > len(branch.layers):
        return _Pricing(branch, on_device, on_edge, known).costs()
    # Times of layers that were taken together add up; everything else is priced as for a short branch.
    on_device, on_edge = (np.add.reduceat(seconds, cuts[:-1]) for seconds in (on_device, on_edge))
    return replace(_Pricing(coarse(branch, cuts), on_device, on_edge, known).costs(), cuts=np.array(cuts))


def _priced_whole(branch: Branch, known: _Known) -> BranchCosts:
    """A branch that only the edge can run is one layer, which takes no time on the device since it is never there."""
    # One layer has two cuts, 0 and 1, and so the single pair 0, 1: edge-only. Its time of 0 on the device would make
    # device-only the fastest of all; `alone=False` keeps that row from being generated.
    cuts = (0, len(branch.layers))
    on_edge = _seconds_of(branch, known.edge).sum(keepdims=True)
    costs = _Pricing(coarse(branch, cuts), np.zeros(1), on_edge, known).costs()
    return replace(costs, cuts=np.array(cuts), alone=False)


def _seconds_of(branch: Branch, profile: Profile) -> Seconds:
    return np.array(profile.branch(branch.exit).layers)


def _shares(device: Seconds, edge: Seconds) -> Seconds:
    """Of each layer in the work of both machines; a layer that takes no time still counts as one."""
    # The mean of both machines, so that neither a layer dear on the device nor one dear at the edge vanishes in a
    # window; the ones keep layers of no measured time from all falling into one.
    works = (device, edge, np.ones(len(device)))
    shares: Seconds = np.mean([work / work.sum() for work in works if work.sum() > 0], axis=0)
    return shares


@dataclass(frozen=True)
class _Pricing:
    branch: Branch
    on_device: Seconds
    on_edge: Seconds
    known: _Known

    def costs(self) -> BranchCosts:
        # Planes over all pairs of cuts at once: a branch of 700 layers has 250,000 pairs, too many to loop over.
        exit = self.branch.exit
        # A codec that was timed on one machine only cannot be priced: one side encodes and the other decodes.
        tensors = [codec for codec in TENSOR_CODECS if self._timed(codec)]
        accuracy, counts_as = self._own_accuracy
        return BranchCosts(
            exit=exit,
            accuracy=accuracy,
            counts_as=counts_as,
            device=self.on_device,
            edge=self.on_edge,
            prepare=self._full_prepare,
            up=(*map(self._up, tensors), *self._images()),
            down=tuple(map(self._down, tensors)),
            divisible=self.branch.divisible,
        )

    @property
    def _own_accuracy(self) -> tuple[float | None, float | None]:
        """Of the branch when nothing is lost, and what it counts as: measured beside its codecs, else as its file says.

        A file's accuracy is never beside what a calibration holds of another measure.
        """
        measured, exit = self.known.calibration, self.branch.exit
        # One measure for the exit and for its codecs, on the same pictures: a plan's loss is the difference of the two.
        if measured is not None and (measured.exits or measured.measure != "accuracy"):
            return measured.exit_accuracy(exit), measured.exit_counts_as(exit)
        return self.branch.accuracy, None

    @property
    def _full_prepare(self) -> float:
        """Device seconds from the input as it comes to the tensor."""
        # An array is the tensor already; an image is decoded, made to fit, and turned into numbers of the right scale.
        return 0.0 if self.known.source == "array" else self._pixels + self.known.device.normalise.median

    @property
    def _pixels(self) -> float:
        return self.known.device.decode_source.median + self.known.device.fit.median

    @cached_property
    def _raw(self) -> tuple[Plane, Plane]:
        """Bytes that cross before any encoding, up and down."""
        return self.branch.boundary_bytes()

    @cached_property
    def _crossing(self) -> tuple[tuple[str, ...], ...]:
        """Names of the tensors that cross at each cut but the last, where the edge finishes."""
        n = len(self.branch.layers)
        return tuple(tuple(tensor.name for tensor in self.branch.boundary(cut, n).up) for cut in range(n))

    def _timed(self, codec: str) -> bool:
        # Raw tensors need no timing: they cross as they lie in memory.
        timed = [{time.codec for time in profile.codecs} for profile in (self.known.device, self.known.edge)]
        return codec == RAW or all(codec in names for names in timed)

    def _up(self, codec: str) -> Crossing:
        up, _ = self._raw
        # A measurement belongs to the tensors that cross the upload cut if the edge does all the rest. A pair of cuts
        # may need only some of them (the others are read by the suffix alone, and stay); equal bytes say that it needs
        # all.
        # The last column of `up` is the edge doing all the rest. (nan equals nothing, so unknown bytes never match.)
        measured = up == up[:, -1:]  # exactly what crosses the upload cut
        size, accuracy, counts_as = self._measured(codec, up[:, -1])
        return Crossing(
            codec=codec,
            # Sizes of a raw tensor are arithmetic; encoded ones are measured, or not offered.
            size=up if codec == RAW else np.where(measured, size[:, None], np.nan),
            # Codecs take a time per raw byte, so it differs for each pair of cuts.
            encode=_seconds(self.known.device, codec, up, "encode"),
            decode=_seconds(self.known.edge, codec, up, "decode"),
            accuracy=None if accuracy is None else np.where(measured, accuracy[:, None], np.nan),
            counts_as=None if counts_as is None else np.where(measured, counts_as[:, None], np.nan),
            prepare=np.full_like(up, self._full_prepare),
        )

    def _down(self, codec: str) -> Crossing:
        # Downwards nothing new is measured: the same tensors quantised give the same answer, whichever way they went.
        # So the measurements of the uploads are read along the other axis, by the download cut.
        up, down = self._raw
        measured = down == up[:, -1][None, :]  # exactly what crosses the download cut
        measured[:, -1] = False  # answers return as they are: a codec would change them
        size, accuracy, counts_as = self._measured(codec, up[:, -1])
        return Crossing(
            codec=codec,
            size=down if codec == RAW else np.where(measured, size[None, :], np.nan),
            encode=_seconds(self.known.edge, codec, down, "encode"),
            decode=_seconds(self.known.device, codec, down, "decode"),
            accuracy=None if accuracy is None else np.where(measured, accuracy[None, :], np.nan),
            counts_as=None if counts_as is None else np.where(measured, counts_as[None, :], np.nan),
        )

    def _measured(self, codec: str, raw: Floats) -> tuple[Floats, Floats | None, Floats | None]:
        """Size at each cut and, where the codec is lossy, accuracy and what that counts as: shape (n + 1,) each.

        They are nan where nobody measured. Beside an exit of unknown accuracy that of a lossy codec has no rank.
        """
        # A line over the cuts first; the pairs that it holds for are marked by the callers, which know the direction.
        n, measured = len(self.branch.layers), self.known.calibration
        sizes, accuracies, ranked = (np.full(n + 1, np.nan) for _ in range(3))
        for cut, names in enumerate(self._crossing if measured is not None else ()):
            assert measured is not None
            sizes[cut] = _or_nan(measured.size(names, codec, float(raw[cut])))
            if self._own_accuracy[0] is not None:
                accuracies[cut] = _or_nan(measured.accuracy(self.branch.exit, names, codec))
                ranked[cut] = _or_nan(measured.counts_as(self.branch.exit, names, codec))
        return (sizes, None, None) if is_lossless(codec) else (sizes, accuracies, ranked)

    def _images(self) -> Iterator[Crossing]:
        """The image codecs: at upload cut 0, where the input is all that crosses."""
        if self.known.source != "image" or len(self.branch.inputs) != 1:
            return
        # Those of the catalogue first, in its order, then what a calibration measured on request: the table is
        # reproducible.
        sizes = () if self.known.calibration is None else self.known.calibration.sizes
        named = {entry.codec for entry in sizes if is_image_codec(entry.codec)}
        for codec in dict.fromkeys((*IMAGE_CODECS, *sorted(named))):
            if codec == "source" or self._timed(codec):
                yield self._image(codec)

    def _image(self, codec: str) -> Crossing:
        up, _ = self._raw
        tensor = self.branch.inputs[0]
        # A coded picture stands for the input tensor, so it can cross where that would be all that crosses.
        here = np.zeros(up.shape, dtype=np.bool_)
        here[0] = up[0] == float(tensor.nbytes or -1)
        accuracy, counts_as = self._image_accuracy(codec, here)
        return Crossing(
            codec=codec,
            size=np.where(here, self._image_size(codec), np.nan),
            # Pictures are coded at the model's size, so the time does not depend on cuts: all of it is the base.
            encode=np.full_like(up, 0.0 if codec == "source" else self.known.device.codec(codec).encode_base),
            decode=np.full_like(up, self._image_decode(codec)),
            accuracy=accuracy,
            counts_as=counts_as,
            prepare=self._image_prepare(codec, up),
        )

    def _image_size(self, codec: str) -> float:
        if codec == "source" and self.known.source_bytes is not None:
            return self.known.source_bytes
        measured = self.known.calibration
        return np.nan if measured is None else _or_nan(measured.size((self.branch.inputs[0].name,), codec, np.nan))

    def _image_accuracy(self, codec: str, here: NDArray[np.bool_]) -> tuple[Plane | None, Plane | None]:
        if is_lossless(codec):
            return None, None
        names, exit, measured = (self.branch.inputs[0].name,), self.branch.exit, self.known.calibration
        # A lossy picture of unknown accuracy is offered nowhere: nobody could say what is lost with it.
        if measured is None or self._own_accuracy[0] is None:
            return np.full(here.shape, np.nan), None
        both = measured.accuracy(exit, names, codec), measured.counts_as(exit, names, codec)
        accuracy, counts_as = (np.where(here, _or_nan(value), np.nan) for value in both)
        return accuracy, counts_as

    def _image_decode(self, codec: str) -> float:
        """Edge seconds from the coded image to the tensor."""
        # The source comes at any size and is made to fit; what the device encoded has the model's size already.
        edge = self.known.edge
        if codec == "source":
            return edge.decode_source.median + edge.fit.median + edge.normalise.median
        return edge.codec(codec).decode_base + edge.normalise.median

    def _image_prepare(self, codec: str, like: Plane) -> Plane:
        """The device decodes only what it encodes again, and prepares the tensor only where its suffix reads it."""
        # With `source` the device touches nothing. Otherwise it decodes, and resizes, what it is about to encode; it
        # turns nothing into a tensor, for the edge does that.
        plane = np.full_like(like, 0.0 if codec == "source" else self._pixels)
        # `read[-1]` is the last layer that reads the input. For download cuts before it, the suffix needs the tensor
        # too, and the device has to prepare it after all. An input that no layer reads costs nothing.
        read = next((use.read for use in self.branch.uses if use.tensor.name == self.branch.inputs[0].name), (0,))
        plane[:, : read[-1]] = self._full_prepare
        return plane


def _seconds(profile: Profile, codec: str, raw: Plane, side: Literal["encode", "decode"]) -> Plane:
    time: CodecTime | None = next((time for time in profile.codecs if time.codec == codec), None)
    # Only the raw codec comes here untimed (see `_timed`): no encoding takes place, bytes are sent as they lie.
    if time is None:
        return np.zeros_like(raw)
    # A line in the raw bytes: what a codec costs is a call and a pass over the values, whatever they are.
    base, per_byte = getattr(time, f"{side}_base"), getattr(time, f"{side}_per_byte")
    # Unknown bytes (nan) are offered nowhere; 0 keeps the arithmetic free of warnings.
    plane: Plane = base + per_byte * np.nan_to_num(raw)
    return plane


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value
