"""The pictures that something is learned from."""

from __future__ import annotations

from pathlib import Path

from edgent.cli.arguments.pictures import Pictures, read_pictures
from edgent.errors import InputError


def read_to_learn(data: Path, format: str) -> Pictures:  # noqa: A002 - the option's name
    """Opens a data set, but for one whose pictures are there to measure.

    Raises:
        InputError: as `read_pictures`; also the test pictures of CIFAR-10.
    """
    from edgent.evaluation.data.recognise import CIFAR10, recognised

    # Elsewhere that name means the test pictures: who learned from them would measure what is known by heart.
    if (format or recognised(data)) == CIFAR10:
        raise InputError(f"{data}: found CIFAR-10, of which {CIFAR10} means the test pictures: give others, in folders")
    return read_pictures(data, format)
