"""What a device process is told to run, and what is seen of it: values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgent.lab.boards.hidden import HiddenDevice
from edgent.planning.candidates import Direction
from edgent.planning.plan import Configuration, Stages
from edgent.units import BitsPerSecond


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What is run live: a configuration in a link state; the rival is `bare`.

    What uses no link has no link state, so it is measured once for all.
    """

    configuration: Configuration
    bandwidth: BitsPerSecond | None = None
    bare: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRuns:
    """Live runs of one setup.

    Attributes:
        totals: latency of each request, seconds; infinite where nobody answered. The same request has the same
            picture in every setup.
        stages: medians; None for the rival.
    """

    totals: tuple[float, ...]
    stages: Stages | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the device decided by itself when it was given a deadline only, and whether it kept it.

    Attributes:
        deadline: seconds.
        configuration: its plan's; None if it had none.
        by: who answered.
        deadline_met: whether in time.
    """

    deadline: float
    configuration: Configuration | None
    by: str
    deadline_met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRequest:
    """One request of a stream.

    Attributes:
        at: seconds after the stream's start.
        total: latency, seconds.
        by: who answered.
        exit: that answered; None where nothing did.
        deadline_met: whether in time.
        why: empty, or why the plan was not followed.
        configuration: what was planned; None where nothing was.
    """

    at: float
    total: float
    by: str
    exit: int | None
    deadline_met: bool
    why: str
    configuration: Configuration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """What a device process needs.

    Attributes:
        model: names or files.
        board: what it stands for.
        calibration: of the model, as JSON.
        inputs: asked in turn: files of pictures, or tensors.
        direction: which cuts its own plans may have.
        codecs: that its own plans may use; None: all.
        environment: how its own plans follow the link.
        race: whether it starts a local branch where the edge is late.
    """

    model: str
    board: HiddenDevice
    calibration: str | None
    inputs: tuple[bytes | NDArray[np.float32], ...]
    direction: Direction = "any"
    codecs: tuple[str, ...] | None = None
    environment: Literal["static", "dynamic", "paper-dynamic"] = "static"
    race: bool = True
