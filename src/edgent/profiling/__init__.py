"""Measuring this machine: the profile of a model, the times of codecs, and the sweep that a latency model is fitted to.

Every timing follows the same rules (`timing`). Things to compare are timed by turns, round after round, so that a slow
phase of the machine hits all alike. A timing lasts a few milliseconds at least, by repetition, so that the clock does
not count. Medians are kept, with their spread. A profiler tells how a run divides among layers, never how long it
takes: it slows small models by a third.
"""
