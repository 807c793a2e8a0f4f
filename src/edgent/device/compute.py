"""Everything the device computes: preparing inputs, codecs and segments, each held to the device's pace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edgent.clock import Clock
from edgent.codec import decode_pixels, encode_image, fit, load_formats, most_pixels, normalise
from edgent.device.division import Division, Part
from edgent.engine.feeds import Array
from edgent.engine.material import Material
from edgent.engine.pace import Pace
from edgent.wire.tensors import Parcel, parcel_of, read_arrays

if TYPE_CHECKING:
    from edgent.engine.engine import Engine
    from edgent.latency import Profile
    from edgent.model import Model, Preprocessing, Tensor


class Compute:
    """The device's own work.

    Args:
        model: what is run.
        engine: runs it.
        profile: of this machine, the *host*; None: nothing is held to a pace.
        pace: called after each piece of work with its start and its profiled time; None: work takes what it takes.
        clock: the time.
    """

    def __init__(self, model: Model, engine: Engine, profile: Profile | None, pace: Pace | None, clock: Clock) -> None:
        self.model = model
        self.engine = engine
        self._profile = profile
        self._pace = pace
        self._clock = clock

    def warm(self, division: Division) -> None:
        """Makes the sessions of a division, and has the codecs of pictures loaded."""
        for part in division.parts:
            if any(name not in part.given for name in part.asked):
                self.engine.session(self.model, part.given, part.asked)
        if self.model.metadata.preprocessing is not None:
            load_formats()

    def prepare(self, material: Material, *, tensor: bool, pixels: bool) -> None:
        """Decodes, fits and normalises an image as far as wanted and not yet done.

        Raises:
            InputError: no image.
        """
        if material.source is None or not (tensor or pixels):
            return
        preprocessing = self._preprocessing
        if material.pixels is None:
            started_at = self._clock.now()
            decoded = decode_pixels(material.source, max_pixels=most_pixels(preprocessing))
            material.pixels = fit(decoded, preprocessing)
            self._hold(
                started_at, self._profile.decode_source.median + self._profile.fit.median if self._profile else 0
            )
        name = self.model.inputs[0].name
        if tensor and name not in material.tensors:
            started_at = self._clock.now()
            material.tensors[name] = normalise(material.pixels, preprocessing)
            self._hold(started_at, self._profile.normalise.median if self._profile else 0)

    def run(self, part: Part, tensors: Mapping[str, Array]) -> dict[str, Array]:
        """Runs a part; asked tensors that were given are passed on."""
        answers = {name: tensors[name] for name in part.asked if name in part.given}
        if len(answers) < len(part.asked):
            started_at = self._clock.now()
            session = self.engine.session(self.model, part.given, part.asked)
            answers |= session.run({name: tensors[name] for name in part.given})
            self._hold(started_at, part.seconds)
        return answers

    def run_local(self, division: Division, exit: int, material: Material) -> dict[str, Array]:
        """The device's own answer at an exit, from what the head left, or where it left nothing from the input."""
        inputs = {tensor.name for tensor in self.model.inputs}
        part = division.locals[exit]
        if not inputs.union(material.tensors).issuperset(part.given):
            part = division.alone[exit]
        self.prepare(material, tensor=any(name in inputs for name in part.given), pixels=False)
        return self.run(part, material.tensors)

    def encode(self, division: Division, material: Material) -> list[Parcel]:
        """What goes up, encoded."""
        started_at = self._clock.now()
        parcels = [self._parcel(division, tensor, material) for tensor in division.up]
        self._hold(started_at, division.encoding)
        return parcels

    def decode(self, division: Division, body: bytes, down: Sequence[Tensor] | None = None) -> dict[str, Array]:
        """What came down: what the division says, or these tensors.

        Raises:
            InputError: the answer is not what was asked for.
        """
        started_at = self._clock.now()
        tensors = read_arrays(body, division.down if down is None else down)
        self._hold(started_at, division.decoding)
        return tensors

    def _parcel(self, division: Division, tensor: Tensor, material: Material) -> Parcel:
        if not division.image:
            return parcel_of(tensor, division.codec, material.tensors[tensor.name])
        codec = division.configuration.codec
        return Parcel(tensor=tensor, codec=codec, shape=tensor.shape or (), data=self._image(codec, material))

    def _image(self, codec: str, material: Material) -> bytes:
        if codec == "source" and material.source is not None:
            return material.source
        assert material.pixels is not None, "pixels are prepared before they are encoded"
        return encode_image(codec, material.pixels)

    def _hold(self, started_at: float, seconds: float) -> None:
        if self._pace is not None:
            self._pace.hold(started_at, seconds)  # type: ignore[arg-type]

    @property
    def _preprocessing(self) -> Preprocessing:
        preprocessing = self.model.metadata.preprocessing
        assert preprocessing is not None, "checked when the input came"
        return preprocessing
