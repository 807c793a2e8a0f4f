"""What the link does: how long bytes take on it, how fast it seems to be, and when that changes."""

from __future__ import annotations

from edgent.link.change_points import ChangePointDetector
from edgent.link.estimator import BandwidthEstimator, Estimate
from edgent.link.predictive import Predictive
from edgent.link.transfer import TransferModel

__all__ = ["BandwidthEstimator", "ChangePointDetector", "Estimate", "Predictive", "TransferModel"]
