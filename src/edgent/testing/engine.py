"""An engine that computes nothing."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError

if TYPE_CHECKING:
    from edgent.model import Model


class FakeSession:
    """Answers every tensor with the mean of what it was given, in the tensor's own shape."""

    def __init__(self, model: Model, given: Sequence[str], asked: Sequence[str]) -> None:
        self.given, self.asked = tuple(given), tuple(asked)
        self._tensors = {name: model.tensors[name] for name in asked}

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Raises InputError if not exactly the given tensors are fed."""
        if set(feeds) != set(self.given):
            raise InputError(f"found the tensors {sorted(feeds)}, expected {sorted(self.given)}")
        mean = float(np.mean([array.mean() for array in feeds.values()]))
        return {name: np.full(made.shape or (), mean, dtype=made.dtype) for name, made in self._tensors.items()}


class FakeEngine:
    """Makes fake sessions; `built` lists what was asked for first, in order."""

    name = "fake"
    threads = 1

    def __init__(self) -> None:
        self.built: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        self._sessions: dict[tuple[tuple[str, ...], tuple[str, ...]], FakeSession] = {}
        self._lock = threading.Lock()

    def session(self, model: Model, given: Sequence[str], asked: Sequence[str]) -> FakeSession:
        """A session, kept."""
        key = (tuple(given), tuple(asked))
        with self._lock:
            if key not in self._sessions:
                self.built.append(key)
                self._sessions[key] = FakeSession(model, given, asked)
            return self._sessions[key]
