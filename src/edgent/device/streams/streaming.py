"""What devices and followers have in common for asynchronous programs: answers to one input, and to a stream."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgent.device.answer import Answer
    from edgent.device.streams.answer_stream import AnswerStream
    from edgent.engine.material import Input


class StreamingDevice:
    """Asynchronous ways to an answer, on top of the plain ones."""

    async def infer_async(self, data: Input, **keywords: Any) -> Answer:
        """Answers one input, as `Device.infer` with the same keywords, while the event loop goes on.

        A task that is cancelled leaves its request to its end: what was sent cannot be taken back.
        """
        import asyncio  # a device that is asked by threads does without it

        answer: Answer = await asyncio.to_thread(self.infer, data, **keywords)  # type: ignore[attr-defined]
        return answer

    def stream(
        self,
        frames: AsyncIterable[Input] | Iterable[Input],
        *,
        newest: bool = True,
        ordered: bool = False,
        on_refined: Callable[[Answer], object] | None = None,
        refined_within: float | None = None,
    ) -> AnswerStream:
        """Answers frames as they come, several under way at once where that is worth it.

            async for answer in device.stream(camera()):
                print(answer.record.input, answer.label)

        Args:
            frames: each an input as `Device.infer` takes it. A plain iterable is read in a thread of its own, and each
                of its frames is answered; one that is asynchronous is read as it comes.
            newest: whether a frame of an asynchronous iterable that still waits is replaced by the next one; else that
                is only asked for the next one when there is a place for it.
            ordered: whether answers are given in the order of their frames; else as they come.
            on_refined: called in the event loop with a better answer to a frame that the device has answered.
            refined_within: seconds from the frame's coming after which no such answer is given.

        Returns:
            An asynchronous iterator, which counts what was replaced and what failed. The input's name in an answer's
            record is `frame-N`, of the Nth frame from 0.

        Raises:
            InputError: one of `on_refined` and `refined_within` without the other; an age that is none; frames that
                cannot be iterated over, or a single input.
        """
        from edgent.device.streams.answer_stream import AnswerStream

        return AnswerStream(
            self,  # type: ignore[arg-type]
            frames,
            newest=newest,
            ordered=ordered,
            on_refined=on_refined,
            refined_within=refined_within,
        )
