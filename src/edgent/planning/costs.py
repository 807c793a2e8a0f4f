"""What a branch costs, part by part: the plain numbers that candidates are put together from.

These values know no model, no profile and no calibration any more. So candidates can be tested with numbers that a test
makes up, and an experiment can price networks that nobody has (`edgent.lab.necessity`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError

Plane: TypeAlias = NDArray[np.float64]
"""One number for each pair of cuts, indexed [upload cut, download cut]: shape (n + 1, n + 1)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crossing:
    """One codec in one direction, for every pair of cuts. nan in `size` or `accuracy`: not offered there.

    Attributes:
        codec: Its name.
        size: Encoded bytes.
        encode: Seconds on the sender.
        decode: Seconds on the receiver.
        accuracy: Accuracy of the answer when only this crossing is lossy; None for a lossless codec.
        counts_as: The accuracy by which that is ranked; None: its own.
        prepare: Seconds on the device from the input as it comes to what is read there (upwards only).
    """

    codec: str
    size: Plane
    encode: Plane
    decode: Plane
    accuracy: Plane | None = None
    counts_as: Plane | None = None
    prepare: Plane | None = None

    @property
    def planes(self) -> dict[str, Plane]:
        """The planes that are there, by name."""
        named = {name: getattr(self, name) for name in ("size", "encode", "decode", "accuracy", "counts_as", "prepare")}
        return {name: plane for name, plane in named.items() if plane is not None}

    @property
    def offered(self) -> NDArray[np.bool_]:
        """Where this codec can be used."""
        # An unknown size has no transfer time, and an unknown accuracy no rank: either would make a plan of a guess.
        known = ~np.isnan(self.size)
        return known if self.accuracy is None else known & ~np.isnan(self.accuracy)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BranchCosts:
    """A branch of n layers, priced on two machines.

    Attributes:
        exit: The exit it ends in.
        accuracy: Share of right answers, 0..1, when nothing lossy crosses; None where unknown.
        counts_as: The accuracy by which that is ranked; None: its own.
        device: Seconds of each layer on the device, shape (n,).
        edge: Seconds of each layer on the edge, shape (n,).
        prepare: Seconds on the device from the input as it comes to the input tensor.
        up: The codecs upwards.
        down: The codecs downwards.
        pairs: Accuracies of two lossy crossings, by (codec up, codec down), nan where not measured; a pair that is
            not in here is not offered.
        divisible: Pairs of cuts that the branch can be shared at; None: all.
        cuts: Where its cuts lie in the network's own branch, if that is too long to price all of them: 0 .. its number
            of layers, shape (n + 1,). None: it is the network's own.
        alone: Whether the device can run it by itself; not where only the edge has it.
    """

    exit: int
    accuracy: float | None
    device: NDArray[np.float64]
    edge: NDArray[np.float64]
    counts_as: float | None = None
    prepare: float = 0.0
    up: tuple[Crossing, ...] = ()
    down: tuple[Crossing, ...] = ()
    pairs: Mapping[tuple[str, str], Plane] = field(default_factory=dict)
    divisible: NDArray[np.bool_] | None = None
    cuts: NDArray[np.intp] | None = None
    alone: bool = True

    def __post_init__(self) -> None:
        # Profiles of two versions of a model may have different layers; subtracting their sums would go unnoticed.
        if self.device.shape != self.edge.shape:
            raise InputError(
                f"exit {self.exit}: found {self.device.size} layers on the device and {self.edge.size} on the edge, "
                "expected as many on both: profile the same model on both machines"
            )
        # Planes of a wrong shape would broadcast in numpy, and price other cuts than those meant.
        for crossing in (*self.up, *self.down):
            for name, plane in crossing.planes.items():
                self._check(plane, f"{crossing.codec}: {name}")
        for codecs, plane in self.pairs.items():
            self._check(plane, " and ".join(codecs))
        if self.divisible is not None:
            self._check(self.divisible, "divisible")

    @property
    def layers(self) -> int:
        """The number of layers, n."""
        return int(self.device.size)

    @property
    def own_cuts(self) -> NDArray[np.intp]:
        """The cuts, as the network's own branch counts them."""
        # Everybody outside pricing names a cut by the layers of the network, however few of its cuts were priced.
        return np.arange(self.layers + 1) if self.cuts is None else self.cuts

    @property
    def own(self) -> tuple[float, float]:
        """Its accuracy when nothing is lost, and what that counts as; nan where unknown."""
        # nan and not 0: an unknown accuracy is not a bad one, and comparisons with nan are false whatever they ask.
        accuracy = np.nan if self.accuracy is None else self.accuracy
        return accuracy, accuracy if self.counts_as is None else self.counts_as

    def accuracy_behind(self, up: Crossing, down: Crossing) -> Plane | None:
        """Accuracies of two codecs together; None where such a pair was never measured."""
        if up.accuracy is not None and down.accuracy is not None:
            # Losses of two codecs do not simply add: a pair is offered only where it was measured as one.
            return self.pairs.get((up.codec, down.codec))
        # One lossy crossing: its accuracy was measured with all else exact, which is just this candidate.
        lossy = up.accuracy if up.accuracy is not None else down.accuracy
        if lossy is not None:
            return lossy
        return np.full_like(up.size, self.own[0])

    def counts_as_behind(self, up: Crossing, down: Crossing, accuracy: Plane) -> Plane:
        """By which accuracy two codecs together are ranked; a pair of lossy ones by what was measured of the pair."""
        # The interval that decides whether a loss counts is that of one codec's change (`Calibration.counts_as`). Of a
        # pair no such interval is known, so nothing of its loss is forgiven.
        if up.accuracy is not None and down.accuracy is not None:
            return accuracy
        lossy = up if up.accuracy is not None else down
        if lossy.accuracy is None:
            return np.full_like(accuracy, self.own[1])
        return accuracy if lossy.counts_as is None else lossy.counts_as

    def _check(self, plane: Plane | NDArray[np.bool_], what: str) -> None:
        expected = (self.layers + 1, self.layers + 1)
        if plane.shape != expected:
            raise InputError(f"exit {self.exit}: {what} has shape {plane.shape}, expected {expected}")
