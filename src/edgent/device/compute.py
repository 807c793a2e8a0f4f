"""Everything the device computes: preparing inputs, codecs and segments, each held to the device's pace."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgent.clock import Clock
from edgent.codec import decode_pixels, encode_image, fit, load_formats, most_pixels, normalise
from edgent.device.division import Division, Part
from edgent.engine.feeds import Array
from edgent.engine.material import Material, Pixels
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

    Attributes:
        metadata: what the model says of each exit's answers.
    """

    def __init__(self, model: Model, engine: Engine, profile: Profile | None, pace: Pace | None, clock: Clock) -> None:
        self.model = model
        # Derived once: it is the same for every answer, and asked for with each.
        self.metadata = {at.exit: model.metadata_at(at.exit) for at in (*model.branches, *model.remote)}
        self.engine = engine
        self._profile = profile
        self._pace = pace
        self._clock = clock
        # Looked up once for all requests.
        self._forms = {tensor.name: model.metadata.preprocessing_of(tensor.name) for tensor in model.inputs}

    def warm(self, division: Division) -> None:
        """Makes the sessions of a division, and has the codecs of pictures loaded."""
        for part in division.parts:
            if any(name not in part.given for name in part.asked):
                self.engine.session(self.model, part.given, part.asked)
        if self.model.metadata.preprocessing is not None:
            load_formats()

    def prepare(self, material: Material, *, tensors: Collection[str] = (), pixels: Collection[str] = ()) -> None:
        """Decodes, fits and normalises an image as far as wanted and not yet done.

        Args:
            material: of the request.
            tensors: names of the inputs that are read.
            pixels: names of those whose pixels are encoded.

        Raises:
            InputError: no image.
        """
        if material.source is None:
            return
        for name in dict.fromkeys((*pixels, *tensors)):
            form = self._form(name)
            if name not in material.pixels:
                decoded = self._decoded(material)
                started_at = self._clock.now()
                material.pixels[name] = fit(decoded, form)
                self._hold(started_at, self._profile.fit.median if self._profile else 0)
            if name in tensors and name not in material.tensors:
                started_at = self._clock.now()
                material.tensors[name] = normalise(material.pixels[name], form)
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
        self.prepare(material, tensors=[name for name in part.given if name in inputs])
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

    def label(self, exit: int, outputs: Mapping[str, Array]) -> str | None:
        """The class of the highest score; None where the exit's first output is no score per class."""
        first, metadata = next(iter(outputs.values())), self.metadata[exit]
        if (
            metadata.task not in (None, "classification")
            or not isinstance(first, np.ndarray)
            or first.dtype.kind not in "fiu"
        ):
            return None  # a sequence, a map or text
        labels = metadata.labels
        return labels[int(first.argmax())] if labels and first.size == len(labels) else None

    def _parcel(self, division: Division, tensor: Tensor, material: Material) -> Parcel:
        if not division.image:
            return parcel_of(tensor, division.codec, material.tensors[tensor.name])
        codec = division.configuration.codec
        is_source = codec == "source" and material.source is not None
        data = material.source if is_source else encode_image(codec, material.pixels[tensor.name])
        return Parcel(tensor=tensor, codec=codec, shape=tensor.shape or (), data=data or b"")

    def _hold(self, started_at: float, seconds: float) -> None:
        if self._pace is not None:
            self._pace.hold(started_at, seconds)  # type: ignore[arg-type]

    def _decoded(self, material: Material) -> Pixels:
        """The picture, decoded once for all inputs that are made of it."""
        if material.decoded is None:
            assert material.source is not None, "only a picture is decoded"
            # As sharp as the largest of the inputs needs it.
            started_at = self._clock.now()
            most = max(most_pixels(self._form(tensor.name)) for tensor in self.model.inputs)
            material.decoded = decode_pixels(material.source, max_pixels=most)
            self._hold(started_at, self._profile.decode_source.median if self._profile else 0)
        return material.decoded

    def _form(self, name: str) -> Preprocessing:
        form = self._forms[name]
        assert form is not None, "checked when the input came"
        return form
