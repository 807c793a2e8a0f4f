"""Measuring this machine: models, codecs, and the sweep that its latency model is fitted to."""
