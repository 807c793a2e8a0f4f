"""What the link does: how long bytes take on it, and how fast it seems to be."""

from __future__ import annotations

from edgent.link.estimator import BandwidthEstimator, Estimate
from edgent.link.transfer import TransferModel

__all__ = ["BandwidthEstimator", "Estimate", "TransferModel"]
