"""`--emulate` and what belongs to it: this machine at the pace of a slow board with hidden factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from edgent.cli.terminal import show
from edgent.errors import InputError
from edgent.units import parse_delay

if TYPE_CHECKING:
    from edgent.engine.pace import Pace
    from edgent.lab.boards.emulation import Throttle
    from edgent.lab.boards.hidden import HiddenDevice
    from edgent.latency import Profile
    from edgent.model import Model

Emulate = Annotated[
    str, typer.Option("--emulate", metavar="DEVICE", help="Stand in for a slow board, such as pi-4 or paper-pi3.")
]
HiddenSeed = Annotated[int, typer.Option("--hidden-seed", metavar="N", min=0, help="Of the board's hidden factors.")]
ThrottleStep = Annotated[
    str, typer.Option("--throttle", metavar="X@TIME", help="The board is X times slower after computing that long.")
]


def stand_in(name: str, model: Model, host: Profile, seed: int) -> HiddenDevice:
    """The emulated device of a name, with what is known of its range printed.

    Raises:
        InputError: no such device, or `host` is an emulated one's profile.
    """
    from edgent.lab.boards.emulation import find_device
    from edgent.lab.boards.hidden import hidden_device

    device = hidden_device(host, model, find_device(name), seed=seed)
    show.err.print(f"emulated: {device}", soft_wrap=True)
    return device


def notice_overruns(pace: Pace | None) -> None:
    """Says on stderr how often this machine was too slow for the device that it stood in for."""
    from edgent.lab.boards.emulation import Emulated

    if isinstance(pace, Emulated):
        show.err.print(f"emulated: {pace.account}", soft_wrap=True)


def parse_throttle(text: str) -> Throttle | None:
    """Reads X@TIME; None where nothing is said.

    Raises:
        InputError: not of that form, or no positive numbers.
    """
    from edgent.lab.boards.emulation import Throttle

    if not text:
        return None
    factor, _, after = text.partition("@")
    try:
        return Throttle(factor=float(factor), after=parse_delay(after, "throttle"))
    except ValueError as error:
        raise InputError(f"--throttle {text!r}: expected FACTOR@TIME, as 1.8@30s") from error
