"""A controller over traces in virtual time, beside the baselines and the oracles."""

from edgent.replay.report import Report, Request, replay, workers

__all__ = ["Report", "Request", "replay", "workers"]
