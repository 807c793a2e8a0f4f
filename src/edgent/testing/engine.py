"""An engine that computes nothing."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgent.engine.engine import Session, branch_ends
from edgent.errors import InputError

if TYPE_CHECKING:
    from edgent.model import Branch, Model, Segment, Tensor


class FakeSession:
    """Answers every tensor with the mean of what it was given, in the tensor's own shape."""

    def __init__(self, given: Sequence[Tensor], asked: Sequence[Tensor]) -> None:
        self.given, self.asked = tuple(given), tuple(asked)
        self._runs = 0

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Raises InputError if not exactly the given tensors are fed."""
        names = sorted(tensor.name for tensor in self.given)
        if sorted(feeds) != names:
            raise InputError(f"found the tensors {sorted(feeds)}, expected {names}")
        self._runs += 1
        mean = float(np.mean([array.mean() for array in feeds.values()]))
        return {tensor.name: np.full(tensor.shape or (), mean, dtype=tensor.dtype) for tensor in self.asked}

    def end_profiling(self) -> dict[str, list[float]]:
        """Each tensor asked for is a node, and takes a microsecond."""
        return {tensor.name: [1e-6] * self._runs for tensor in self.asked}


class FakeEngine:
    """Makes fake sessions; `built` lists what was asked for first, in order."""

    name = "fake"
    threads = 1

    def __init__(self) -> None:
        self.options: dict[str, str] = {}
        self.built: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        self._sessions: dict[tuple[tuple[str, ...], tuple[str, ...]], FakeSession] = {}
        self._lock = threading.Lock()

    def session(self, model: Model, given: Sequence[str], asked: Sequence[str]) -> Session:
        """See `Engine.session`."""
        key = (tuple(given), tuple(asked))
        with self._lock:
            if key not in self._sessions:
                self.built.append(key)
                self._sessions[key] = FakeSession(*([model.tensors[name] for name in side] for side in key))
            self._sessions[key] = self._sessions.pop(key)  # the last one used is the last to be spared
            return self._sessions[key]

    def spare(self) -> bool:
        """See `Engine.spare`."""
        with self._lock:
            if len(self._sessions) < 2:
                return False
            del self._sessions[next(iter(self._sessions))]
            return True

    def build(self, segment: Segment, *, profile: Path | None = None, optimised: Path | None = None) -> Session:
        """See `Engine.build`; no file is written."""
        del profile, optimised
        return FakeSession(segment.given, segment.asked)

    def profiled(self, model: Model, branch: Branch, folder: Path) -> tuple[Session, Mapping[str, tuple[int, ...]]]:
        """See `Engine.profiled`; the answers are the nodes, and all layers stand behind the first."""
        session = self.build(model.segment(*branch_ends(branch)), profile=folder)
        return session, {branch.outputs[0].name: tuple(range(len(branch.layers)))}
