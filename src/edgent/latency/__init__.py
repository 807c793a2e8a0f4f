"""How long: measured times of one machine."""

from edgent.latency.profile import BranchProfile, CodecTime, Profile, Timing
from edgent.latency.whole import Expected, Rates, WholeLatency, fit_whole

__all__ = ["BranchProfile", "CodecTime", "Expected", "Profile", "Rates", "Timing", "WholeLatency", "fit_whole"]
