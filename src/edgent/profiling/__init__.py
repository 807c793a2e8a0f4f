"""Measuring this machine: models, codecs, and the sweep that a latency model is fitted to."""
