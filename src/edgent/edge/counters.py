"""What an edge has served since it began, by model: what it reports when a device or its operator asks."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from edgent.model import Model
from edgent.wire.edge_client import ModelCounts


@dataclass(slots=True)
class _Sums:
    """What an account is made of; added to with each request, so it is not made anew for each."""

    answered: int = 0
    turned_away: int = 0
    queue: float = 0.0
    middle: float = 0.0


class Counters:
    """Keeps the accounts; thread-safe.

    Args:
        models: each version has an account of its own.
    """

    def __init__(self, models: Iterable[Model]) -> None:
        self._lock = threading.Lock()
        self._sums = {(model.name, model.version): _Sums() for model in models}

    @property
    def accounts(self) -> tuple[ModelCounts, ...]:
        """As they stand."""
        with self._lock:
            return tuple(
                ModelCounts(name=name, version=version, **asdict(sums)) for (name, version), sums in self._sums.items()
            )

    def answered(self, model: Model, queue: float, middle: float) -> None:
        """A request was answered."""
        sums = self._sums[model.name, model.version]
        with self._lock:
            sums.answered += 1
            sums.queue += queue
            sums.middle += middle

    def turned_away(self, model: Model) -> None:
        """A request was not computed."""
        with self._lock:
            self._sums[model.name, model.version].turned_away += 1

    def __repr__(self) -> str:
        return f"<Counters {', '.join(f'{counts.name}: {counts.answered}' for counts in self.accounts)}>"
