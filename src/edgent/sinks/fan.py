"""Tells every sink of each event, and keeps nobody who tells."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from edgent.clock import Clock
from edgent.events import Event
from edgent.sinks.addresses import BrokerAddress, FileAddress, SinkAddress
from edgent.sinks.broker import Broker
from edgent.sinks.delivery import SinkDelivery, SinkState
from edgent.sinks.fair_queue import FairQueue
from edgent.sinks.lines import EventLine
from edgent.sinks.local_files import LinesFile, PictureFolder
from edgent.sinks.outbox import Outbox
from edgent.sinks.sink import Sink
from edgent.sinks.web_hook import WebHook
from edgent.wire.serving.sparing_log import SparingLog

_log = logging.getLogger("edgent.sinks")

_SAID_EVERY = 60.0  # seconds between two lines of what was dropped


class SinkFan:
    """An `EventListener` that has each event delivered to every sink.

    Args:
        deliveries: of the sinks; closed with it.
        clock: makes the thread.

    Attributes:
        with_pictures: whether any sink takes frames; else an event needs none.
    """

    def __init__(self, deliveries: Sequence[SinkDelivery], clock: Clock) -> None:
        self._deliveries = tuple(deliveries)
        self.with_pictures = any(delivery.sink.with_pictures for delivery in deliveries)
        self._changed = clock.condition()
        self._told, self._closing = FairQueue(), False
        self._dropped = 0  # of those that are known to have been dropped
        self._sparing = SparingLog(_log, most=1, seconds=_SAID_EVERY, now=clock.now)
        self._thread = clock.thread(self._run, "edgent-sinks")
        self._thread.start()

    @property
    def states(self) -> tuple[SinkState, ...]:
        """How each sink is doing; what was dropped before any of them had it, each of them has lost."""
        return tuple(
            replace(delivery.state, dropped=delivery.state.dropped + self._told.dropped)
            for delivery in self._deliveries
        )

    def tell(self, event: Event) -> None:
        """See `EventListener.tell`."""
        if not self.with_pictures:
            event = replace(event, picture=None)
        with self._changed:
            self._told.put(event)
            self._changed.notify_all()

    def close(self) -> None:
        """Returns when every event that was told is delivered, or waits on disk for the next start."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        for delivery in self._deliveries:  # all at once, so that sinks that hang do not add up
            delivery.stop()
        for delivery in self._deliveries:
            delivery.close()
        if self._told.dropped:
            _log.warning("%d events in all were dropped before a sink had them", self._told.dropped)

    def __repr__(self) -> str:
        return f"<SinkFan of {', '.join(delivery.sink.name for delivery in self._deliveries) or 'no sinks'}>"

    def _run(self) -> None:
        while events := self._next():
            lines = [EventLine.of_event(event) for event in events]
            bare = [replace(line, picture=None) for line in lines]
            for delivery in self._deliveries:
                delivery.put(lines if delivery.sink.with_pictures else bare)

    def _next(self) -> list[Event]:
        """What was told since the last time; nothing where that is all."""
        with self._changed:
            self._changed.wait_for(lambda: self._told or self._closing)
            dropped, self._dropped = self._told.dropped - self._dropped, self._told.dropped
            events = self._told.take()
        if dropped:
            self._sparing.log(
                logging.WARNING, f"{dropped} events were dropped: they came faster than the disk takes them"
            )
        return events


def delivery_to(address: SinkAddress, folder: Path, clock: Clock) -> SinkDelivery:
    """A sink with its outbox, delivering from now on, also what waits there from an earlier run.

    Args:
        address: where events go.
        folder: of the outboxes.
        clock: times everything.

    Raises:
        InputError: its outbox cannot be opened.
    """
    name = sha256(os.fsencode(address.key)).hexdigest()[:16]  # a path may hold bytes that are no text
    return SinkDelivery(_sink(address, clock), Outbox(folder / f"{name}.sqlite"), clock)


def _sink(address: SinkAddress, clock: Clock) -> Sink:
    if isinstance(address, FileAddress):
        return PictureFolder(address) if address.is_folder else LinesFile(address)
    return Broker(address, clock) if isinstance(address, BrokerAddress) else WebHook(address)
