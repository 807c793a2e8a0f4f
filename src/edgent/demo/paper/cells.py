"""The cells of the demo (bandwidths and deadlines), chosen by a fixed rule."""

from __future__ import annotations

# Fixed before anything is run, by a rule that is printed with the results: cells chosen later could favour anybody.
BANDWIDTHS = tuple(50e3 * 400 ** (step / 4) for step in range(5))
DEADLINES = tuple(ms / 1e3 for ms in (20, 25, 40, 63, 100, 160, 250, 400, 630, 1000))

RULE = (
    "Cells: five bandwidths of equal ratios from 50 kbit/s to 20 Mbit/s, each with 20 ms and every second of ISO 3's "
    "preferred numbers R10 from 25 ms to 1 s: the half between which the exits lie of a device whose whole network "
    "takes 110 ms. With the other half, and 90, 100 and 112 ms, a third of the cells were borderline. The device's "
    "hidden factors move its exits, perhaps onto a deadline: those cells are borderline too."
)

BORDER = 0.05
"""A cell is borderline where some method's median lies within this share of the deadline: there chance decides."""

MOST_BORDERLINE = 0.25
"""With a larger share of borderline cells a comparison is no evidence."""
