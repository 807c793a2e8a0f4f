"""Sources, stream and listeners of one run, tied together; it goes on until its sources end or a signal comes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgent.cli.arguments.dashboard import open_dashboard
from edgent.cli.arguments.sinks import open_sinks
from edgent.cli.streaming.event_maker import EventMaker
from edgent.cli.streaming.keeping import Keeping
from edgent.cli.terminal import show
from edgent.cli.terminal.signals import StopSignals
from edgent.device.listener import Listener
from edgent.device.streams.frame_stream import FrameStream
from edgent.errors import EdgentError
from edgent.sources.feed import Feed
from edgent.sources.feeds import Feeds

if TYPE_CHECKING:
    from edgent.cli.answers.folder import AnswerFolder
    from edgent.cli.arguments.frames import WatchedSources
    from edgent.clock import Clock
    from edgent.device.answer import Answer
    from edgent.device.device import Device
    from edgent.device.streams.outcomes import FrameOutcome
    from edgent.device.versions.follower import Follower
    from edgent.events import Event, EventListener

# What waits where disk or terminal are slow, each with its picture and tensors.
_MOST_BYTES, _MOST_EVENTS = 128 << 20, 200


class Telling:
    """Makes events of outcomes, and tells everybody.

    Args:
        events: makes them.
        keeping: is told beside the frames, for a disk or a terminal may hold it up.
        listeners: are told at once.
        clock: makes the thread for that.
    """

    def __init__(self, events: EventMaker, keeping: Keeping, listeners: Sequence[EventListener], clock: Clock) -> None:
        self._events, self._listeners = events, listeners
        self._keeping: Listener[tuple[Event, Answer | None]] = Listener(
            lambda pair: keeping.keep(*pair), clock, "what is kept", _MOST_BYTES, _weight
        )

    @property
    def is_behind(self) -> bool:
        """See `Posted.is_behind`."""
        return self._keeping.is_behind

    def __call__(self, outcome: FrameOutcome) -> None:
        """Tells of an outcome; returns at once."""
        self.tell(self._events.event(outcome), outcome.answer)

    def tell(self, event: Event, answer: Answer | None) -> None:
        """Tells of an event; returns at once."""
        for listener in self._listeners:
            listener.tell(event)
        self._keeping.tell((replace(event, picture=None), answer))  # which is the answer's as well

    def close(self) -> None:
        """Returns when all has been kept."""
        self._keeping.close()


def _weight(told: tuple[Event, Answer | None]) -> int:
    _, answer = told
    return max(_MOST_BYTES // _MOST_EVENTS, 0 if answer is None else answer.nbytes)


def watch(
    device: Device | Follower, watched: WatchedSources, records: Path | None, folder: AnswerFolder | None
) -> None:
    """Answers the frames of all sources until they end, or a signal comes; then what has come is answered.

    Without sources, only what is posted to the page is answered.

    Raises:
        EdgentError: a source that does not come back broke, or has a file, or nothing but frames, that could not be
            answered; it comes when all others have ended.
    """
    signals, clock = StopSignals(), watched.clock
    keeping = Keeping(records, folder, signals.done)
    # A wall clock may be set while this runs; a frame's moment is told by how long ago it was.
    events = EventMaker(secrets.token_hex(6), lambda at: time.time() - (clock.now() - at), device.model.name)
    with ExitStack() as stack:
        listeners: list[EventListener] = [stack.enter_context(open_sinks(watched.sinks))]
        telling = Telling(events, keeping, listeners, clock)
        stack.callback(telling.close)
        if (page := stack.enter_context(open_dashboard(watched.dashboard, device, telling))) is not None:
            listeners.append(page)
        stream = FrameStream(device, telling, from_capture=watched.from_capture, refined_within=watched.refined_within)
        stack.callback(stream.close)
        feeds = [
            Feed(
                each.name,
                each.source,
                offer=stream.offer,
                put=stream.put,
                say=show.complain,
                clock=clock,
                wanted=watched.wanted,
            )
            for each in watched.sources
        ]
        signals.serving = True
        # Without sources it answers what is posted, until it is ended.
        with Feeds(feeds, clock, signals.done) if feeds else nullcontext():
            signals.wait()
    for line in keeping.summary():
        show.err.print(f"edgent: {line}", soft_wrap=True)
    for feed in feeds:
        if feed.left_out:
            show.err.print(f"edgent: {feed.name}: {feed.left_out} pictures beyond its rate left out", soft_wrap=True)
    why = {feed.name: "could not be read to the end" if feed.failed else keeping.failed(feed.name) for feed in feeds}
    if failed := [f"{name}: {reason}" for name, reason in why.items() if reason]:
        raise EdgentError(f"{'; '.join(failed)} (the lines above say why)")
