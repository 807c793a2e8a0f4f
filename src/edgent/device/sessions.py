"""The sessions of configurations on both sides: made ahead of requests, in the background or at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgent.clock import Clock
from edgent.device.compute import Compute
from edgent.device.routing import Routing
from edgent.device.warm_sessions import Warmer
from edgent.errors import EdgeError
from edgent.model.values import segment_name
from edgent.planning.plan import Configuration

if TYPE_CHECKING:
    from edgent.device.connection.connection import Connection


class Sessions:
    """Readies configurations.

    Args:
        bench: makes the device's sessions.
        routing: says which those are.
        connection: to the edge that makes the others; None: there is none.
        clock: the device's.

    Attributes:
        warmer: does it in the background.
    """

    def __init__(self, bench: Compute, routing: Routing, connection: Connection | None, clock: Clock) -> None:
        self._bench, self._routing, self._connection = bench, routing, connection
        self.warmer = Warmer(self._make, clock)

    def make(self, configuration: Configuration) -> None:
        """Readies one on both sides, now.

        Raises:
            ModelError: no such exit or cuts.
            EdgeError, RefusedError: the edge cannot.
        """
        self._make(configuration)
        self.warmer.made(configuration)

    def make_sure(self, configuration: Configuration) -> None:
        """Readies one now if it is not ready; the device's side suffices while the edge is lost."""
        if configuration in self.warmer.ready:
            return
        try:
            self.make(configuration)
        except EdgeError:
            self._make_own(configuration)

    def make_alone(self, configuration: Configuration) -> None:
        """Readies the one session that a configuration of the device alone needs."""
        model = self._bench.model
        part = self._routing.route(configuration, self._routing.usual).locals[configuration.exit]
        self._bench.engine.session(model, part.given, part.asked)

    def close(self) -> None:
        """Ends the background's work."""
        self.warmer.close()

    def __repr__(self) -> str:
        return f"<Sessions: {self.warmer!r}>"

    def _make(self, configuration: Configuration) -> None:
        self._make_own(configuration)
        connection = self._connection
        if connection is not None and not configuration.device_only and not connection.foreign:
            connection.prepare(name_of(self._bench.model.name, configuration))

    def _make_own(self, configuration: Configuration) -> None:
        self._bench.warm(self._routing.route(configuration, self._routing.usual))


def name_of(model: str, configuration: Configuration) -> str:
    """The wire's name of a configuration's middle."""
    return segment_name(model, configuration.exit, configuration.upload_cut, configuration.download_cut)
