"""The rival of the demo: it sends every picture to the edge by its best image codec, and computes everything there."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from edgent.codec import IMAGE_CODECS, Calibration, is_lossless
from edgent.demo.paper.values import Chosen
from edgent.lab.processes.live_runs import LiveRuns, Setup
from edgent.model import Model
from edgent.planning.plan import Configuration
from edgent.units import BitsPerSecond


@dataclass(frozen=True, slots=True, kw_only=True)
class Rivals:
    """The codecs that the rival may use, and the accuracy of the last exit behind each.

    Attributes:
        exit: the last.
        layers: of its branch.
        accuracies: by codec, those that were measured.
    """

    exit: int
    layers: int
    accuracies: Mapping[str, float]

    @classmethod
    def of(cls, model: Model, calibration: Calibration | None) -> Rivals:
        """The rival of a model."""
        last = max(model.branches, key=lambda branch: branch.exit)
        (tensor,) = model.inputs
        rivals = {}
        for codec in IMAGE_CODECS:
            known = None if calibration is None else calibration.accuracy(last.exit, (tensor.name,), codec)
            # A lossless codec has the accuracy of the network, whether or not it was calibrated.
            accuracy = last.accuracy if is_lossless(codec) else known
            if accuracy is not None:
                rivals[codec] = accuracy
        return cls(exit=last.exit, layers=len(last.layers), accuracies=rivals)

    def setups(self, bandwidth: float) -> dict[str, Setup]:
        """What the rival would run in a link state: each codec once."""
        link = BitsPerSecond(bandwidth)
        return {c: Setup(configuration=self.configuration(c), bandwidth=link, bare=True) for c in self.accuracies}

    def configuration(self, codec: str) -> Configuration:
        """The configuration that computes everything at the edge, behind a codec."""
        return Configuration(exit=self.exit, upload_cut=0, download_cut=self.layers, codec=codec)

    def best(self, measured: Mapping[Setup, LiveRuns], bandwidth: float, deadline: float) -> Chosen:
        """The codec of the best accuracy in time, in hindsight over its own latencies; among equals the fastest."""
        setups = self.setups(bandwidth)
        # Compared as pairs: accuracy in time first, then the shorter median.
        best = {
            codec: (_share(measured[setup], deadline) * self.accuracies[codec], -_median(measured[setup]))
            for codec, setup in setups.items()
            if setup in measured
        }
        codec = max(best, key=lambda name: best[name])
        return Chosen(setup=setups[codec], accuracy=self.accuracies[codec])


def _share(measured: LiveRuns, deadline: float) -> float:
    return sum(total <= deadline for total in measured.totals) / len(measured.totals)


def _median(measured: LiveRuns) -> float:
    return statistics.median(measured.totals)
