"""What latency models have in common: the work of a branch goes in, the times of its layers come out, with spread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgent.latency.booking import booking_shares
from edgent.latency.control_flow import gathered, with_inner
from edgent.latency.gaussian import NINETY
from edgent.latency.traits import Traits, footprint, traits
from edgent.latency.whole import Expected
from edgent.model.costs import LayerCost
from edgent.model.kernels import Kernel
from edgent.units import Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchWork:
    """What running a branch, or a part of it, is made of.

    Attributes:
        exit: the branch's exit.
        costs: of its layers.
        kernels: what the engine runs, in its order.
        layers: positions of the layers that each kernel stands for, by the kernel's name.
    """

    exit: int
    costs: tuple[LayerCost, ...]
    kernels: tuple[Kernel, ...]
    layers: Mapping[str, tuple[int, ...]]

    def traits(self) -> list[Traits]:
        """Of each kernel, and of those that run inside of others (`with_inner`)."""
        # A body's constants and tensors pass through the caches too, so that they count for how old a kernel's are.
        kernels = list(with_inner(self.kernels))
        touched = footprint(kernels)
        return [traits(kernel, touched) for kernel in kernels]

    def booked(
        self, seconds: NDArray[np.float64], covariance: NDArray[np.float64], unknown: tuple[str, ...] = ()
    ) -> Prediction:
        """What the kernels' times come to for the layers.

        Args:
            seconds: of each kernel of `traits`, shape (m,).
            covariance: of their logarithms, shape (m, m).
            unknown: families of kernels that the model had not met.
        """
        # First what runs inside of a kernel into that kernel, then kernels into layers: both are sums with weights.
        seconds, covariance = gathered(self.kernels, seconds, covariance)
        shares = booking_shares([kernel.name for kernel in self.kernels], self.layers, self.costs)
        # A kernel for no layer, such as a change of memory layout, is part of every run and so spread over all layers.
        homeless = shares.sum(axis=1) == 0
        shares[homeless] = 1 / max(1, len(self.costs))  # what belongs to no layer is still waited for
        # From logarithms to seconds, to first order: cov(s_i, s_j) = s_i s_j cov(log s_i, log s_j). The sum over layers
        # is linear from there on, so the shares carry the covariance along.
        spread = covariance * np.outer(seconds, seconds)
        return Prediction(layers=seconds @ shares, covariance=shares.T @ spread @ shares, unknown=unknown)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """The predicted times of a branch's layers.

    Attributes:
        layers: seconds of each layer, shape (n,), none negative.
        covariance: of those seconds, shape (n, n).
        unknown: kinds of work that the model had not met, for which it guessed.
    """

    layers: NDArray[np.float64]
    covariance: NDArray[np.float64]
    unknown: tuple[str, ...] = ()

    def between(self, first: int, last: int) -> Expected:
        """Time of the layers from cut `first` to cut `last`, with the interval that holds 90 % of measurements."""
        seconds = float(self.layers[first:last].sum())
        # The variance of a sum is the sum of the covariances: errors of layers of one family do not cancel.
        variance = max(0.0, float(self.covariance[first:last, first:last].sum()))
        # The interval is a factor and not a difference: times scatter upwards more than downwards, and low stays
        # positive.
        factor = float(np.exp(NINETY * np.sqrt(variance) / seconds)) if seconds > 0 else 1.0
        return Expected(seconds=Seconds(seconds), low=Seconds(seconds / factor), high=Seconds(seconds * factor))


class LatencyModel(Protocol):
    """Predicts how long a branch's layers take on one machine."""

    def predict(self, work: BranchWork) -> Prediction:
        """The times of the layers."""
        ...
