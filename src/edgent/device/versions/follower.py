"""A device that follows a name: when its edge serves another version of the model, it moves over.

The version that runs answers all requests while the other one is fetched, measured, connected and made ready beside
them; then the next request is the other one's, and the first ends when its last request is answered. So no request
waits for a new version. What the move needs is handed in: how to fetch the model, and how to make a device of it.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from edgent.clock import Clock, MonotonicClock
from edgent.device.device import Device
from edgent.device.streams.streaming import StreamingDevice
from edgent.device.versions.renewal import Renewal
from edgent.errors import EdgeError, EdgentError, RefusedError
from edgent.units import Seconds

if TYPE_CHECKING:
    from edgent.device.answer import Answer
    from edgent.device.connection.handshake import OnVersion
    from edgent.device.settings import DeviceSettings
    from edgent.engine.material import Input
    from edgent.model import Model
    from edgent.planning.conditions import Conditions
    from edgent.planning.plan import Configuration

_log = logging.getLogger("edgent.device")

_READY = 30.0  # seconds that a new version has to be connected, with the sessions of its first plan
_CLOSING = 1.0  # seconds to wait at the end for a fetch under way; its thread ends with the process

Make = Callable[["Model", "OnVersion | None", "Device | None"], Device]
"""Makes a device of a model, which tells what its name stands for at the edge; last comes the one that runs so far."""


class Follower(StreamingDevice):
    """A device whose model is what its edge serves under a name. Thread-safe; used as a `Device` is.

    Args:
        model: as it was fetched from the edge.
        make: makes the device of each version; their clock must be that of this one.
        fetch: gets the model from the edge, as it serves it now.
        clock: what is waited for here is waited for by it.
        began_alone: whether the edge was away, and the model is of another day; who made this has said so.
    """

    def __init__(
        self,
        model: Model,
        make: Make,
        fetch: Callable[[], Model],
        clock: Clock | None = None,
        *,
        began_alone: bool = False,
    ) -> None:
        self._began_alone = began_alone
        self._make, self._fetch, self._clock = make, fetch, clock or MonotonicClock()
        self._changed = self._clock.condition()
        self._renewal = Renewal(model.version)
        self._requests: Counter[Device] = Counter()  # under way
        self._closed = False
        self._running = make(model, self._offered, None)
        self._thread = self._clock.thread(self._run, "edgent-follow")
        self._thread.start()

    @property
    def model(self) -> Model:
        """The version that runs now."""
        return self.device.model

    @property
    def device(self) -> Device:
        """That runs it; another one after a move, and this one closed."""
        with self._changed:
            return self._running

    @property
    def settings(self) -> DeviceSettings:
        """What that was told."""
        return self.device.settings

    @property
    def deadline(self) -> Seconds:
        """See `Device`."""
        return self.device.deadline

    @property
    def began_alone(self) -> bool:
        """See `Device.began_alone`."""
        return self._began_alone

    @property
    def has_edge(self) -> bool:
        """See `Device.has_edge`."""
        return self.device.has_edge

    @property
    def connected(self) -> bool:
        """See `Device.connected`."""
        return self.device.connected

    @property
    def conditions(self) -> Conditions | None:
        """See `Device.conditions`."""
        return self.device.conditions

    @property
    def problem(self) -> str:
        """See `Device.problem`."""
        return self.device.problem

    @property
    def traffic(self) -> tuple[int, int]:
        """See `Device.traffic`; of the version that runs."""
        return self.device.traffic

    @property
    def turns(self) -> int:
        """See `Device.turns`."""
        return self.device.turns

    def opening(self, at: Seconds, left: Seconds, waited: Seconds = Seconds(0.0)) -> Seconds:
        """See `Device.opening`."""
        return self.device.opening(at, left, waited)

    def wait_ready(self, timeout: float = 10.0) -> bool:
        """See `Device.wait_ready`."""
        with self._in_use() as device:
            return device.wait_ready(timeout)

    def infer(
        self,
        data: Input,
        *,
        name: str = "",
        deadline: float | None = None,
        configuration: Configuration | None = None,
        race: bool | None = None,
    ) -> Answer:
        """See `Device.infer`; a configuration is one of the version that runs."""
        with self._in_use() as device:
            return device.infer(data, name=name, deadline=deadline, configuration=configuration, race=race)

    def refine(self, data: Input, answer: Answer, within: float) -> Answer | None:
        """See `Device.refine`."""
        with self._in_use() as device:
            return device.refine(data, answer, within)

    def warm(self, configuration: Configuration) -> None:
        """See `Device.warm`."""
        with self._in_use() as device:
            device.warm(configuration)

    def close(self) -> None:
        """Ends the connection and all threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(_CLOSING)
        self.device.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Follower: {self.device!r}>"

    @contextmanager
    def _in_use(self) -> Iterator[Device]:
        """The device that runs; it is not closed meanwhile."""
        with self._changed:
            device = self._running
            self._requests[device] += 1
        try:
            yield device
        finally:
            with self._changed:
                self._requests[device] -= 1
                self._changed.notify_all()

    def _offered(self, version: str) -> None:
        with self._changed:
            self._renewal.offered(version)
            self._changed.notify_all()

    def _run(self) -> None:
        while (version := self._next()) is not None:
            try:
                self._move(version)
            except Exception as error:  # whatever a new version throws: the one that runs goes on
                self._failed(version, error)

    def _next(self) -> str | None:
        """Waits for a version to move to; None: it is closed."""
        with self._changed:
            version = self._renewal.next(self._clock.now())
            while not self._closed and not isinstance(version, str):
                self._changed.wait(min(version - self._clock.now(), threading.TIMEOUT_MAX))
                version = self._renewal.next(self._clock.now())
            return None if self._closed else str(version)

    def _move(self, version: str) -> None:
        _log.info("the edge has version %s of %s; it is fetched", version, self.model.name)
        model = self._fetch()
        device = self._make(model, self._offered, self.device)
        try:
            if not device.wait_ready(_READY) or self._closed:
                raise EdgeError(f"the edge was lost before version {model.version} was ready")
            before = self._replace(device)
        except BaseException:
            device.close()
            raise
        _log.info("moved from %r to %r", before.model, model)
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._requests[before])
            del self._requests[before]
        before.close()

    def _replace(self, device: Device) -> Device:
        """From now on requests are this device's; returns the one that they were before."""
        with self._changed:
            before, self._running = self._running, device
            self._renewal.moved(device.model.version)
            return before

    def _failed(self, version: str, error: Exception) -> None:
        again = isinstance(error, EdgeError | RefusedError)
        _log.warning(
            "goes on with version %s of %s: %s",
            self.model.version,
            self.model.name,
            error if isinstance(error, EdgentError) else f"{type(error).__name__}: {error}",
        )
        with self._changed:
            self._renewal.failed(version, self._clock.now(), for_good=not again)
