"""The pictures of `--data`: listed, opened one after the other, and what is wrong with them said on stderr."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgent.cli.terminal import show
from edgent.errors import EdgentError, InputError

if TYPE_CHECKING:
    from edgent.evaluation.data.examples import Examples


DataFolder = Annotated[
    Path, typer.Option("--data", metavar="DIR", help="Pictures, with labels or without; see docs/own-data.md.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """What could be opened, in which format it lay, and how many pictures could not."""

    examples: Examples
    format: str
    refused: int


def read_pictures(data: Path, format: str) -> Pictures:  # noqa: A002 - the option's name
    """Opens a data set.

    Args:
        data: its folder.
        format: its name; empty: it is recognised.

    Raises:
        InputError: no such format, or nothing of it in that folder.
    """
    from edgent.evaluation.data.cifar10 import CIFAR10_TEST, load_cifar10
    from edgent.evaluation.data.examples import opened
    from edgent.evaluation.data.recognise import CIFAR10, FORMATS, read_listing, recognised

    if format and format not in FORMATS:
        raise InputError(f"--format {format[:40]!r}: expected one of {', '.join(FORMATS)}")
    kind = format or recognised(data)
    if kind == CIFAR10:
        return Pictures(examples=load_cifar10(data, "test").examples(CIFAR10_TEST), format=kind, refused=0)
    listing = read_listing(data, kind)
    show.warn(*listing.doubts)
    refused: list[str] = []

    def refuse(line: str) -> None:
        refused.append(line)
        show.complain(line)

    with show.progress("opening pictures") as progress:
        examples = opened(listing, refused=refuse, progress=progress)
    return Pictures(examples=examples, format=kind, refused=len(refused))


def refuse_missing(pictures: Pictures) -> None:
    """Ends a command whose figures leave pictures out; called when they have been printed.

    Raises:
        EdgentError: some could not be opened.
    """
    if pictures.refused:
        raise EdgentError(
            f"{pictures.refused} pictures could not be opened and are left out; the lines above name them"
        )
