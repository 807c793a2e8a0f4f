"""The options of the commands that learn from pictures, and the pictures themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgent.cli.arguments.pictures import Pictures, read_pictures, refuse_missing
from edgent.errors import InputError

if TYPE_CHECKING:
    from edgent.evaluation.data.examples import Examples

TestFolder = Annotated[
    Path | None, typer.Option("--test", metavar="DIR", help="Other pictures to measure on; else a tenth of DIR's.")
]
LearningFormat = Annotated[
    str, typer.Option("--format", metavar="NAME", help="folders, csv or pictures; else recognised.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningPictures:
    """What is learned from, and what is measured on where it is something else."""

    learned: Pictures
    measured: Pictures | None

    @property
    def examples(self) -> Examples:
        """To learn from."""
        return self.learned.examples

    @property
    def test(self) -> Examples | None:
        """To measure on."""
        return None if self.measured is None else self.measured.examples

    def refuse_missing(self) -> None:
        """See `edgent.cli.arguments.pictures`."""
        for pictures in filter(None, (self.learned, self.measured)):
            refuse_missing(pictures)


def read_to_learn(data: Path, test: Path | None, format: str) -> LearningPictures:  # noqa: A002 - the option's name
    """Opens a data set to learn from, and another one to measure on.

    Raises:
        InputError: as `read_pictures`; also test pictures to learn from, those of CIFAR-10.
    """
    from edgent.evaluation.data.recognise import CIFAR10, recognised

    # Elsewhere that name means the test pictures: who learned from them would measure what is known by heart.
    if (format or recognised(data)) == CIFAR10:
        raise InputError(f"{data}: found CIFAR-10, of which {CIFAR10} means the test pictures: give others, in folders")
    measured = None if test is None else read_pictures(test, format)
    return LearningPictures(learned=read_pictures(data, format), measured=measured)
