"""Every number that was fixed before anything was run: the street, the links, the methods, and how they are judged."""

from __future__ import annotations

from dataclasses import dataclass

from edgent.units import Seconds

CODECS = ("jpeg-25", "jpeg-50", "jpeg-75", "jpeg-90", "source")
"""By which pictures may be sent; `source` is the file as the camera has it."""

CAMERAS = (5, 10, 15, 20, 25, 30, 40, 50, 65, 80, 100, 130, 170, 220)
POOLED = (10, 20, 40, 80, 170)
"""Numbers of cameras over which methods are pooled, each about twice the one before: from idle to full."""

MAX_DROP, LEVEL = 0.01, 0.9
"""What Edgent's gates promise: `edgent gate` as it comes."""

CASCADE_SHARE = 0.3
"""Of the pictures, those about which a plain cascade asks the edge: the least sure ones."""

ALLOWED_LOSS = 0.01
"""By how much a method may stay below the big network's own accuracy: one point."""

BOARD, BOARDS = "pi-4", 5
"""What every camera is, and how many of them differ: each has hidden factors of a seed of its own."""

DEVICE_JITTER, EDGE_JITTER = 0.01, 0.03
"""Standard deviation of the logarithm of each piece's time."""

SEEDS = 3
LINK_MEAN = 20e6
"""Bits per second around which the levels of generated links lie; recorded ones are taken as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What the cameras do.

    Attributes:
        rate: pictures a second of each camera.
        deadline: of each picture.
        round_trip: of the link.
        seconds: of virtual time, the same for any number of cameras: so all meet the same link.
    """

    rate: float = 2.0
    deadline: Seconds = Seconds(0.300)
    round_trip: Seconds = Seconds(0.005)
    seconds: float = 20.0
