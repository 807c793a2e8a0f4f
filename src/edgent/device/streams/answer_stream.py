"""A stream for asynchronous programs: `async for answer in device.stream(frames)`."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from edgent.clock import MonotonicClock
from edgent.device.streams.flow import MOST
from edgent.device.streams.frame_stream import FrameAnswerer, FrameStream
from edgent.device.streams.outcomes import FrameOutcome, InOrder
from edgent.errors import CacheError, EdgeError, EdgentError, InputError, RefusedError
from edgent.events import Frame

if TYPE_CHECKING:
    from edgent.device.answer import Answer
    from edgent.engine.material import Input

_SOURCE = "frame"
_LATE = "answered in time, and taken late"

_log = logging.getLogger("edgent.device")


class AnswerStream:
    """Answers to frames; iterated once. See `Device.stream` for the arguments.

    Attributes:
        replaced: frames for which a newer one had come before their turn.
        failed: frames that have no answer; why is logged.
    """

    def __init__(
        self,
        device: FrameAnswerer,
        frames: AsyncIterable[Input] | Iterable[Input],
        *,
        newest: bool,
        ordered: bool,
        on_refined: Callable[[Answer], object] | None,
        refined_within: float | None,
    ) -> None:
        if (on_refined is None) != (refined_within is None):
            raise InputError("a better answer needs both: on_refined, and refined_within (seconds)")
        if isinstance(frames, str | bytes | Mapping) or not isinstance(frames, AsyncIterable | Iterable):
            kind = type(frames).__name__
            raise InputError(f"found {kind} as frames, expected something to iterate over; one input: device.infer")
        self._device, self._frames, self._newest = device, frames, newest
        self._on_refined, self._refined_within = on_refined, refined_within
        self._order = InOrder() if ordered else None
        self._clock = device.settings.clock or MonotonicClock()
        self._room, self._left = threading.Semaphore(0), False
        self._outcomes: asyncio.Queue[FrameOutcome | BaseException | None] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.replaced = self.failed = 0
        self._iterated = False

    def __aiter__(self) -> AsyncGenerator[Answer]:
        if self._iterated:
            raise EdgentError("a stream is iterated once; device.stream(frames) makes another one")
        self._iterated = True
        return self._answers()

    def __repr__(self) -> str:
        return f"<AnswerStream: {self.replaced} frames replaced, {self.failed} failed>"

    async def _answers(self) -> AsyncGenerator[Answer]:
        self._loop = asyncio.get_running_loop()
        stream = FrameStream(self._device, self._tell, refined_within=self._refined_within)
        feeding = self._feed(stream)
        try:
            while (outcome := await self._outcomes.get()) is not None:
                if isinstance(outcome, BaseException):
                    raise outcome
                for ready in [outcome] if self._order is None else self._order.add(outcome):
                    if (answer := self._given(ready)) is not None:
                        yield answer
                self._room.release()
        finally:
            # Whoever waits for a place, or for its answer to be taken, must not wait for ever.
            self._left = True
            self._room.release(MOST)
            feeding.cancel()
            await asyncio.to_thread(stream.close)

    def _tell(self, outcome: FrameOutcome) -> None:
        """In a thread of the stream: hands an outcome to the event loop, and waits until it is taken."""
        assert self._loop is not None, "frames come after the loop"
        if outcome.kind == "replaced":
            self.replaced += 1
        elif self._left:
            return
        elif outcome.kind == "refined":
            self._loop.call_soon_threadsafe(self._on_refined, outcome.answer)  # type: ignore[arg-type]
        else:
            self._loop.call_soon_threadsafe(self._outcomes.put_nowait, outcome)
            self._room.acquire()

    def _given(self, outcome: FrameOutcome) -> Answer | None:
        """The answer of an outcome, at the moment when it is taken."""
        if outcome.answer is None:
            assert outcome.error is not None, "a frame is answered, or there is a reason"
            self._fail(outcome.frame, outcome.error)
            return None
        record = outcome.answer.record
        # The stream began the frame that much before its answer; what lies in between is the caller's time, and counts.
        age = self._clock.now() - outcome.ended_at + record.total
        if record.deadline_met and age > self._device.deadline:
            return replace(outcome.answer, record=replace(record, deadline_met=False, why=_LATE))
        return outcome.answer

    def _fail(self, frame: Frame, error: EdgentError) -> None:
        # Not the frame's fault: the next ones fail as well.
        if isinstance(error, RefusedError | EdgeError | CacheError):
            raise error
        self.failed += 1
        _log.warning("%s", error if frame.name in str(error) else f"{frame.name}: {error}")

    def _feed(self, stream: FrameStream) -> asyncio.Future[None]:
        if isinstance(self._frames, AsyncIterable):
            return asyncio.ensure_future(self._feed_as_they_come(stream, self._frames))
        # A thread that ends with the process: an iterable may wait for its next frame for ever.
        thread = self._clock.thread(lambda: self._feed_all(stream), "edgent-feed")
        thread.start()
        return asyncio.get_running_loop().create_future()

    async def _feed_as_they_come(self, stream: FrameStream, frames: AsyncIterable[Input]) -> None:
        numbers, end = count(), None
        try:
            async for data in frames:
                frame = self._frame(data, next(numbers))
                if self._newest:
                    stream.offer(frame)
                else:
                    await asyncio.to_thread(stream.put, frame)
        except Exception as error:  # of whoever makes the frames: it is raised where they are answered
            end = error
        await asyncio.to_thread(stream.close)
        self._outcomes.put_nowait(end)

    def _feed_all(self, stream: FrameStream) -> None:
        assert self._loop is not None, "it feeds a stream that has begun"
        end: BaseException | None = None
        try:
            for number, data in enumerate(self._frames):  # type: ignore[arg-type]  # `_feed` has looked
                if not stream.put(self._frame(data, number)):
                    return
        except Exception as error:
            end = error
        stream.close()
        with suppress(RuntimeError):  # the loop has ended meanwhile, and nobody waits
            self._loop.call_soon_threadsafe(self._outcomes.put_nowait, end)

    def _frame(self, data: Input, number: int) -> Frame:
        keeps = not (self._newest and isinstance(self._frames, AsyncIterable))
        return Frame(read=lambda: data, source=_SOURCE, number=number, at=self._clock.now(), keeps=keeps)
