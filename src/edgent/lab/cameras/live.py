"""What a process of cameras is told, and what it tells of each picture: values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgent.lab.boards.hidden import HiddenDevice

Side = Literal["edge", "device"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """What all cameras of a process are.

    Attributes:
        model: names or files of the bundle.
        exits: of the device's network and of the edge's: no others may answer.
        boards: what the cameras stand for, in turn.
        calibration: of the bundle, as JSON.
        gates: likewise; None: none are set, and a picture goes to the edge or stays.
        codecs: by which pictures may be sent.
        pictures: their files.
        truths: the class that is right of each.
        deadline: seconds.
        core: the processor that they have; None: any.
        edge_only: whether they have the first file only; of the other they know the ends.
    """

    model: str
    exits: tuple[int, int]
    boards: tuple[HiddenDevice, ...]
    calibration: str
    gates: str | None
    codecs: tuple[str, ...]
    pictures: tuple[bytes, ...]
    truths: tuple[int, ...]
    deadline: float
    core: int | None = None
    edge_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveAnswer:
    """One picture's answer.

    Attributes:
        at: seconds after the beginning, when the picture came.
        camera: whose it was.
        picture: which one.
        right: whether the class was right.
        in_time: whether the answer was.
        by: who answered.
        total: seconds from the picture's arrival to the answer; infinite where there was none.
    """

    at: float
    camera: int
    picture: int
    right: bool
    in_time: bool
    by: Side
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a process has used so far.

    Attributes:
        computed: seconds of processor time.
        pieces: of emulated work.
        overran: pieces that this machine finished later than the emulated device would have.
    """

    computed: float
    pieces: int = 0
    overran: int = 0

    def since(self, before: Load) -> Load:
        """What came after that."""
        return Load(
            computed=self.computed - before.computed,
            pieces=self.pieces - before.pieces,
            overran=self.overran - before.overran,
        )
