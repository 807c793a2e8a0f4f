"""What an edge has served since it began, by model: what it reports when a device or its operator asks."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace

from edgent.model import Model
from edgent.wire.edge_client import ModelCounts


class Counters:
    """Keeps the accounts; thread-safe.

    Args:
        models: each version has an account of its own.
    """

    def __init__(self, models: Iterable[Model]) -> None:
        self._lock = threading.Lock()
        self._accounts = {model.digest: ModelCounts(name=model.name, version=model.version) for model in models}

    @property
    def accounts(self) -> tuple[ModelCounts, ...]:
        """As they stand."""
        with self._lock:
            return tuple(self._accounts.values())

    def answered(self, model: Model, queue: float, middle: float) -> None:
        """A request was answered."""
        with self._lock:
            old = self._accounts[model.digest]
            self._accounts[model.digest] = replace(
                old, answered=old.answered + 1, queue=old.queue + queue, middle=old.middle + middle
            )

    def turned_away(self, model: Model) -> None:
        """A request was not computed."""
        with self._lock:
            old = self._accounts[model.digest]
            self._accounts[model.digest] = replace(old, turned_away=old.turned_away + 1)

    def __repr__(self) -> str:
        return f"<Counters {', '.join(f'{counts.name}: {counts.answered}' for counts in self.accounts)}>"
