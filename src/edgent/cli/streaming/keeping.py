"""What is said and kept of events on this machine: lines on the terminal, records, and all of an answer in a folder."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgent.cli.answers.answering import line_of
from edgent.cli.answers.folder import AnswerFolder
from edgent.cli.terminal import show
from edgent.errors import EdgentError
from edgent.telemetry import write_records
from edgent.text import file_stem

if TYPE_CHECKING:
    from edgent.device.answer import Answer
    from edgent.events import Event


_LONGEST_NAME = 100  # bytes of a file's own name in those of what is kept of it


class Keeping:
    """Says a line of each answer and keeps it; one of what goes wrong until it is well again, and of each file.

    Args:
        records: where a line for each answer is appended.
        folder: where all of each answer is kept.
        done: called where nobody reads the lines any more.
    """

    def __init__(self, records: Path | None, folder: AnswerFolder | None, done: Callable[[], object]) -> None:
        self._records, self._folder, self._done = records, folder, done
        self._counts: dict[str, Counter[str]] = {}
        self._failing: set[str] = set()

    def keep(self, event: Event, answer: Answer | None) -> None:
        """Takes an event in; never raises."""
        counts = self._counts.setdefault(event.source, Counter())
        counts[event.kind] += 1
        if event.record is None or answer is None:
            if event.kind == "failed":
                self._failed(event)
            return
        counts["in time"] += event.kind == "answer" and event.record.deadline_met
        self._failing.discard(event.source)
        self._say(f"{line_of(event.record)}{', refined' if event.record.refined else ''}")
        self._write("--records", lambda: self._append(event))
        self._write("--output", lambda: self._put(event, answer))

    def summary(self) -> list[str]:
        """A line for each source: what became of its frames."""
        return [
            f"{source}: {counts['answer']} frames answered, {counts['in time']} of them in time; {counts['replaced']} "
            f"replaced, {counts['failed']} failed, {counts['refined']} refined"
            for source, counts in self._counts.items()
        ]

    def failed(self, source: str) -> str:
        """Why a source is one that failed: a file was not answered, or no frame at all was; empty: it is none."""
        counts = self._counts.get(source, Counter())
        if files := counts["failed files"]:
            return f"{files} {'file was' if files == 1 else 'files were'} not answered"
        return "none of its frames was answered" if counts["failed"] and not counts["answer"] else ""

    def _failed(self, event: Event) -> None:
        if event.file:  # each is another one, while the frames of a camera fail alike
            self._counts[event.source]["failed files"] += 1
            show.complain(event.error)
        else:
            self._complain(event.source, event.error)

    def _append(self, event: Event) -> None:
        if self._records is not None and event.record is not None:
            write_records(self._records, [event.record])

    def _put(self, event: Event, answer: Answer) -> None:
        if self._folder is None or event.record is None:
            return
        # Frames are counted from 0 in each run, and no run overwrites what another one has kept.
        moment = datetime.fromtimestamp(event.captured_at, UTC).strftime("%Y%m%dT%H%M%S%f")
        document: dict[str, Any] = json.loads(event.record.to_json())
        named = f"-{file_stem(event.file, _LONGEST_NAME)}" if event.file else ""
        stem = f"{event.source}-{moment}-{event.number}{named}{'-refined' if event.record.refined else ''}"
        self._folder.keep_as(stem, answer, document)

    def _say(self, line: str) -> None:
        try:
            show.out.print(line, soft_wrap=True)
        except (BrokenPipeError, SystemExit):  # whoever read has seen enough; rich makes the one of the other
            self._done()

    def _write(self, what: str, write: Callable[[], None]) -> None:
        try:
            write()
        except (EdgentError, OSError) as error:
            self._complain(what, f"{what}: {error}")
        else:
            self._failing.discard(what)

    def _complain(self, what: str, message: str) -> None:
        if what not in self._failing:
            show.complain(message)
            self._failing.add(what)
