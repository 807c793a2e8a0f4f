"""What `edgent run` does, input by input."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgent.address import machine_name
from edgent.cli.answers.folder import AnswerFolder
from edgent.cli.answers.words import in_words
from edgent.cli.arguments.inputs import GivenInput
from edgent.cli.terminal import show
from edgent.errors import CacheError, EdgeError, EdgentError, InputError, RefusedError
from edgent.telemetry import Record, write_records
from edgent.text import one_line
from edgent.units import format_duration

if TYPE_CHECKING:
    from edgent.device.answer import Answer
    from edgent.device.device import Device
    from edgent.device.versions.follower import Follower


class Answering:
    """Answers one input after another; those that cannot be used are named, and the next one is answered.

    Args:
        device: answers.
        records: where a line for each answer is appended.
        folder: where all of each answer is kept.
        as_json: whether the answers are gathered for one document.
    """

    def __init__(
        self, device: Device | Follower, records: Path | None, folder: AnswerFolder | None, as_json: bool
    ) -> None:
        self.device, self.records, self.folder, self.as_json = device, records, folder, as_json
        self.documents: list[dict[str, Any]] = []
        self.refused: list[tuple[GivenInput, EdgentError]] = []
        self.asked = self.answered = self._told = 0

    def run(self, inputs: Iterable[GivenInput]) -> None:
        """Answers all.

        Raises:
            InputError: none can be used, or one cannot that was named; it comes when all others are answered.
            EdgentError: some cannot that were found in folders or a stream.
        """
        try:
            for one in inputs:
                self._tell_refusals()
                self.asked += 1
                self._answer(one)
        finally:  # what was answered is not lost
            if self.as_json and self.documents:
                show.document({"answers": self.documents})
        if self.refused:
            raise self._failure()

    def _answer(self, given: GivenInput) -> None:
        at = time.time()
        try:
            answer = self._infer(given)
        except (RefusedError, EdgeError, CacheError):  # not the input's fault
            raise
        except EdgentError as error:
            self.refused.append((given, error))
            return
        self.answered += 1
        self._keep(answer, given.name, at)

    def _infer(self, given: GivenInput) -> Answer:
        material = given.read(self.device.model)
        try:
            return self.device.infer(material, name=given.name)
        except (RefusedError, EdgeError, CacheError):
            raise
        except EdgentError as error:
            kind = InputError if isinstance(error, InputError) else EdgentError
            raise kind(f"{given.name}: {error}") from error

    def _keep(self, answer: Answer, name: str, at: float) -> None:
        record = answer.kept()
        document: dict[str, Any] = json.loads(record.to_json())
        if self.folder is not None:
            self.folder.keep(answer, document, name)
        if self.records is not None:
            noted = replace(record, at=at, model=self.device.model.name, device=machine_name())
            write_records(self.records, [noted])
        if self.as_json:
            self.documents.append(document)
        else:
            show.out.print(line_of(record), soft_wrap=True)

    def _tell_refusals(self) -> None:
        for _, error in self.refused[self._told :]:
            show.complain(str(error))
        self._told = len(self.refused)

    def _failure(self) -> EdgentError:
        """What the command ends with: the refusal itself where there was one input."""
        if self.asked == 1:
            return self.refused[0][1]
        self._tell_refusals()
        usable = self.answered and not any(given.named for given, _ in self.refused)
        others = any(not isinstance(error, InputError) for _, error in self.refused)
        kind = EdgentError if usable or others else InputError
        return kind(f"{len(self.refused)} of {self.asked} inputs could not be used; the lines above name them")


def line_of(record: Record) -> str:
    """What is said of an answer on the terminal."""
    late = "" if record.deadline_met else ", late"
    note = f" ({record.why or record.path})" if record.why or record.path else ""
    said = one_line(in_words(record.result or {}))
    by = f"exit {record.exit} by the {record.by}, {format_duration(record.total)}"
    return f"{one_line(record.input)}: {said}, {by}{late}{note}"
