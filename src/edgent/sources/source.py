"""What a source is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgent.files import read_regular
from edgent.units import Seconds

Read = Callable[[], bytes]
"""Gives a picture's bytes, once it is wanted; raises an EdgentError where it is none."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """The picture in a file. It has a name, and is the same later on: nothing newer makes up for it."""

    path: Path

    def __call__(self) -> bytes:
        """See `Read`."""
        return read_regular(self.path)


class FrameSource(Protocol):
    """Something that is opened, and then has one picture after the other."""

    @property
    def comes_back(self) -> bool:
        """Whether it is to be opened again where it ends; else it has ended for good."""

    @property
    def silence(self) -> Seconds:
        """How long it may be without a picture before that is worth a word; infinite: as long as it likes."""

    def pictures(self) -> Iterator[Read]:
        """Opens it; each picture as it comes, until there are no more.

        Raises:
            EdgentError: it cannot be opened, or breaks.
        """
