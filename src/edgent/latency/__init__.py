"""How long: measured times of one machine."""

from edgent.latency.profile import BranchProfile, CodecTime, Profile, Timing

__all__ = ["BranchProfile", "CodecTime", "Profile", "Timing"]
