"""A controller over traces in virtual time, beside the baselines and the oracles."""

from edgent.replay.report import ReplaySettings, Report, replay, workers

__all__ = ["ReplaySettings", "Report", "replay", "workers"]
