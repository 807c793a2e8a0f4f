"""What a run keeps after each epoch, read again: all of it, or one line that says why not."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from edgent.errors import InputError
from edgent.training.pytorch import torch

Entry = dict[str, Any]
"""One line of a run's log: its first, or an epoch's."""

_SAME = ("recipe", "seed")  # what a run that goes on shares with its beginning


class Stateful(Protocol):
    """A network or an optimizer."""

    def load_state_dict(self, state: Any) -> object:
        """Takes a state over."""


def resumed(path: Path, first: Entry, parts: Mapping[str, Stateful]) -> list[Entry]:
    """Takes over the state of an earlier run.

    Args:
        path: the checkpoint: a state for each part, and the log.
        first: the log's first line, with the recipe and the seed of the run that goes on.
        parts: of the run, by the names of their states; where it fails, their state is of no use.

    Returns:
        The log so far: its first line, and one for each epoch that is done.

    Raises:
        InputError: no checkpoint, one of other parts, or one of another recipe or seed.
    """
    try:
        state = torch.load(path, weights_only=True)  # weights_only: a checkpoint can carry no code
        log = _log(state["log"])
        other = next((name for name in _SAME if log[0].get(name) != first[name]), "")
        for name in parts if not other else ():
            parts[name].load_state_dict(state[name])
    except Exception as error:  # neither torch.load nor load_state_dict has an error type of its own
        raise InputError(f"{path} is not a checkpoint of this trainer ({error}); remove it to start anew") from error
    if other:
        raise InputError(
            f"{path} is of another {other}: {log[0].get(other)}, asked for {first[other]}; choose another folder"
        )
    return log


def _log(entries: list[Entry]) -> list[Entry]:
    """A log that can be written as one, with the epochs in order.

    Raises:
        ValueError: it is none.
    """
    if [entry.get("epoch") for entry in entries] != [None, *range(len(entries) - 1)]:
        raise ValueError("its log is none")
    if not all("held_back_accuracy" in entry for entry in entries[1:]):
        raise ValueError("its log has epochs without an accuracy")
    json.dumps(entries)
    return entries
