"""The cells of the demo, by a rule that stood before any of them was run."""

from __future__ import annotations

BANDWIDTHS = tuple(50e3 * 400 ** (step / 4) for step in range(5))
DEADLINES = tuple(ms / 1e3 for ms in (20, 31.5, 50, 80, 90, 100, 112, 125, 200, 315, 500, 800, 1000))

RULE = (
    "Cells, by a rule that stood before any run: five bandwidths of equal ratios from 50 kbit/s to 20 Mbit/s, each "
    "with the deadlines 20 ms to 800 ms of every second of ISO 3's preferred numbers R10, R20's 90, 100 and 112 ms "
    "between 80 and 125 (where the exits of a device lie whose whole network takes 110 ms), and 1 s."
)

BORDER = 0.05
"""A cell is borderline where some method's median lies within this share of the deadline: there chance decides."""

MOST_BORDERLINE = 0.25
"""With a larger share of borderline cells a comparison is no evidence."""
