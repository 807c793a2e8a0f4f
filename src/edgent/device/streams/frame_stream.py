"""Frames answered several at a time: carries them from `Intake` to the device, and tells what became of each."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from edgent.clock import MonotonicClock
from edgent.device.streams.flow import MOST, DeliveryRate, flow_of
from edgent.device.streams.intake import Intake
from edgent.device.streams.outcomes import FrameOutcome
from edgent.device.streams.refining import Refiner
from edgent.errors import EdgentError
from edgent.units import Seconds, format_duration, seconds_of

if TYPE_CHECKING:
    from edgent.device.answer import Answer
    from edgent.device.settings import DeviceSettings
    from edgent.engine.material import Input
    from edgent.events import Frame
    from edgent.planning.conditions import Conditions

_log = logging.getLogger("edgent.device")


class FrameAnswerer(Protocol):
    """What answers frames: a device, or a follower."""

    @property
    def settings(self) -> DeviceSettings:
        """See `Device`."""

    @property
    def deadline(self) -> Seconds:
        """See `Device`."""

    @property
    def turns(self) -> int:
        """See `Device.turns`."""

    @property
    def conditions(self) -> Conditions | None:
        """See `Device.conditions`."""

    def opening(self, at: Seconds, left: Seconds, waited: Seconds = Seconds(0.0)) -> Seconds:
        """See `Device.opening`."""

    def infer(self, data: Input, *, name: str = "", deadline: float | None = None) -> Answer:
        """See `Device.infer`."""

    def refine(self, data: Input, answer: Answer, within: float) -> Answer | None:
        """See `Device.refine`."""


class FrameStream:
    """Answers frames of any number of sources; thread-safe.

    Args:
        device: answers; must be left open until the stream is closed.
        tell: called with each frame's outcome, by several threads at once. While it does not return, its frame counts
            as under way, so who takes answers slowly gets fewer of them, and none piles up.
        from_capture: whether a deadline counts from a frame's capture; else from when its turn comes.
        refined_within: seconds from capture within which a better answer is wanted; None: none is.
        most: frames under way at once, where that is fewer than would pay; 1: one at a time.

    Raises:
        InputError: an age that is none.
    """

    def __init__(
        self,
        device: FrameAnswerer,
        tell: Callable[[FrameOutcome], None],
        *,
        from_capture: bool = False,
        refined_within: float | None = None,
        most: int = MOST,
    ) -> None:
        self._device, self._tell, self._from_capture, self._most = device, tell, from_capture, most
        self._clock = device.settings.clock or MonotonicClock()
        self._intake, self._delivery, self._begun, self._closing = Intake(), DeliveryRate(), 0, False
        self._changed = self._clock.condition()
        within = None if refined_within is None else seconds_of(refined_within, "the age of refined answers")
        self._pool = self._clock.pool(None, "edgent-frames")
        self._refiner = None if within is None else Refiner(device, within, tell, self._clock, self._pool)
        self._thread = self._clock.thread(self._run, "edgent-stream")
        self._thread.start()

    def offer(self, frame: Frame) -> None:
        """Takes a frame; returns at once. One of the same source that waits is replaced; once it closes, all fail."""
        with self._changed:
            closing = self._closing
            replaced = None if closing else self._intake.offer(frame, self._clock.now())
            self._changed.notify_all()
        if closing:
            error = EdgentError(f"{frame.name} came when no more frames were taken")
            self._tell(FrameOutcome(frame=frame, kind="failed", error=error))
        elif replaced is not None:
            self._tell(FrameOutcome(frame=replaced, kind="replaced"))

    def put(self, frame: Frame) -> bool:
        """Takes a frame when it replaces none, and waits until then; whether the stream was still open."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._intake.has_place(frame.source))
            if self._closing:
                return False
            self._intake.offer(frame, self._clock.now())
            self._changed.notify_all()
            return True

    def close(self) -> None:
        """Waits until all frames that came have been told of."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        with self._changed:  # a frame that ends may still ask for a better answer
            self._changed.wait_for(lambda: not self._intake.under_way)
        self._pool.shutdown(wait=True)

    def __repr__(self) -> str:
        return f"<FrameStream, {self._begun} frames begun: {self._intake!r}>"

    def _run(self) -> None:
        """Begins frames, each at its time, until there will be no more."""
        while (begun := self._wait()) is not None:
            self._pool.submit(self._carry, *begun)

    def _wait(self) -> tuple[Frame, int] | None:
        with self._changed:
            while not (self._closing and self._intake.empty):
                coming = self._intake.next(now := self._clock.now(), self._opening)
                if not isinstance(coming, float):
                    self._begun += 1
                    self._changed.notify_all()  # its place is free
                    return replace(coming, at=now) if coming.keeps else coming, self._begun - 1
                self._changed.wait(coming - now if math.isfinite(coming) else None)
            return None

    def _carry(self, frame: Frame, turn: int) -> None:
        try:
            self._tell(self._outcome(frame, turn))
        except Exception:  # of who is told; the others' frames go on
            _log.exception("what was told of %s failed: the stream goes on", frame.name)
        finally:
            with self._changed:
                self._intake.ended()
                self._changed.notify_all()

    def _outcome(self, frame: Frame, turn: int) -> FrameOutcome:
        try:
            self._left(frame, "its turn came")  # of one that is too old nothing is read
            data = frame.read()
            # A file or a decoder takes its time, and a deadline that counts from capture goes on meanwhile.
            deadline = self._left(frame, "it was read") if self._from_capture else self._device.deadline
            answer = self._device.infer(data, name=frame.name, deadline=deadline)
            ended_at = self._clock.now()
        except EdgentError as error:
            return FrameOutcome(frame=frame, kind="failed", turn=turn, error=error)
        except Exception as error:  # a frame's guard: whatever one does, the stream goes on, and nobody waits for it
            _log.exception("%s", frame.name)
            problem = EdgentError(f"{frame.name}: {type(error).__name__}: {error}")
            return FrameOutcome(frame=frame, kind="failed", turn=turn, error=problem)
        self._learn(answer)
        if self._refiner is not None:
            self._refiner.answered(frame, data, answer, idle=self._is_idle)
        return FrameOutcome(frame=frame, kind="answer", turn=turn, answer=answer, ended_at=ended_at)

    def _opening(self, at: Seconds, frame: Frame, since: Seconds) -> Seconds:
        """From when on a frame that waits may begin: when it can be answered in time, or too old in any case."""
        deadline = self._device.deadline
        if frame.keeps:
            return self._device.opening(at, deadline)
        left, waited = (frame.at + deadline - at, at - since) if self._from_capture else (deadline, 0.0)
        return min(self._device.opening(at, Seconds(left), Seconds(waited)), Seconds(frame.at + deadline))

    def _left(self, frame: Frame, when: str) -> Seconds:
        """What is left of a frame's deadline, counted from its capture; raises where that is nothing."""
        deadline, age = self._device.deadline, self._clock.now() - frame.at
        if age >= deadline:
            raise EdgentError(
                f"{frame.name} was {format_duration(age)} old when {when}, older than its deadline of "
                f"{format_duration(deadline)}: fewer frames a second, or a longer deadline"
            )
        return Seconds(deadline - age)

    def _learn(self, answer: Answer) -> None:
        device, conditions = self._device, self._device.conditions
        with self._changed:
            between = self._delivery.ended(self._clock.now())
            flow = flow_of(answer.record.plan, conditions, device.turns, device.deadline, between)
            self._intake.flow = replace(flow, most=min(flow.most, self._most))
            self._changed.notify_all()

    @property
    def _is_idle(self) -> bool:
        """Whether no other frame waits or is under way."""
        with self._changed:
            return self._intake.empty and self._intake.under_way <= 1
