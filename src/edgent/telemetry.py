"""WHAT HAPPENED: a record per inference, kept as JSON lines."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgent.document import Node, parse
from edgent.errors import InputError
from edgent.files import append, text_in, whole_lines
from edgent.planning.plan import STAGES, Plan, Stages, milliseconds, plan_keys
from edgent.units import Seconds, format_moment, parse_moment

_log = logging.getLogger("edgent")

_EXPECTED = "expected lines that edgent run --records FILE wrote"
_KEYS = ("input", "label", "exit", "by", "deadline_met", "total_ms", "stages_ms", "plan", "why")
_OPTIONAL = {"result": None, "at": None, "source": "", "model": "", "device": "", "trace": "", "kind": "answer"}
"""Keys that a line of an older release lacks, or that says nothing unusual, with what stands for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One inference.

    Attributes:
        input: name of what was asked about.
        label: the class answered; None where the model names none.
        exit: the exit that answered; None where nothing did.
        by: whose answer it is: "edge" where the edge computed a part of it, "device" where the device did all of it, by
            its plan or because the edge was late or away.
        deadline_met: whether the answer came in time.
        total: from input handed over to answer.
        stages: where the time went; they add up to the total.
        plan: what was predicted; None for a configuration without a price.
        why: the reason, in words, why the plan was not followed or no edge was planned with ("edge late", "edge lost");
            else empty.
        result: what was answered, by the model's task; None: not kept.
        at: when it was asked about, or when a camera's frame was captured, in seconds since 1970-01-01 UTC; None: not
            noted.
        source: the name of the camera that the input came from; empty: of none, or not noted.
        model: the name of the model; empty: not noted.
        device: the name of the machine that asked; empty: not noted.
        trace: the context under which it was traced, as W3C writes it (`traceparent`); empty: it was not.
        refined: whether it is the edge's better answer to what the device has answered before, in a record of its own;
            it is no answer to a request that somebody waited for.
    """

    input: str
    label: str | None
    exit: int | None
    by: Literal["edge", "device"]
    deadline_met: bool
    total: Seconds
    stages: Stages
    plan: Plan | None
    why: str = ""
    result: dict[str, Any] | None = field(default=None, hash=False)
    at: float | None = None
    source: str = ""
    model: str = ""
    device: str = ""
    trace: str = ""
    refined: bool = False

    @property
    def path(self) -> str:
        """Which way a picture went that the plan looked at, in words; empty where it did not, or `why` says it."""
        gate = None if self.plan is None else self.plan.gate
        if gate is None or self.why:
            return ""
        if self.by == "device":
            return "sure of its first answer"
        return "not sure of its first answer" + (", combined with it" if gate.combines else "")

    def to_json(self) -> str:
        """One line."""
        document = {
            "input": self.input,
            "label": self.label,
            "exit": self.exit,
            "by": self.by,
            "deadline_met": self.deadline_met,
            "total_ms": milliseconds(self.total),
            "stages_ms": self.stages.document(),
            "plan": None if self.plan is None else self.plan.document(),
            "why": self.why,
            "result": self.result,
            **self._origin(),
            **({"kind": "refined"} if self.refined else {}),
        }
        return json.dumps(document)

    @classmethod
    def from_json(cls, line: str) -> Record:
        """Reads what `to_json` gave.

        Raises:
            InputError: found something else.
        """
        return cls.from_document(parse(line))

    @classmethod
    def from_document(cls, document: object) -> Record:
        """Reads what stands in such a line.

        Raises:
            InputError: found something else.
        """
        complete = {**_OPTIONAL, **document} if isinstance(document, dict) else document
        node = Node(complete, "record", (*_KEYS, *_OPTIONAL))
        by = node.text("by")
        if by not in ("edge", "device"):
            raise InputError(f"record.by: found {by!r}, expected edge or device")
        if (kind := node.text("kind")) not in ("answer", "refined"):
            raise InputError(f"record.kind: found {kind!r}, expected answer or refined")
        return cls(
            input=node.text("input", empty=True),
            label=None if node.absent("label") else node.text("label", empty=True),
            exit=None if node.absent("exit") else node.whole("exit"),
            by="edge" if by == "edge" else "device",
            deadline_met=node.truth("deadline_met"),
            total=Seconds(node.number("total_ms") / 1e3),
            stages=Stages.from_node(node.node("stages_ms", STAGES)),
            plan=None if node.absent("plan") else Plan.from_node(node.node("plan", plan_keys(node.values["plan"]))),
            why=node.text("why", empty=True),
            result=None if node.absent("result") else _result(node.values["result"]),
            at=None if node.absent("at") else parse_moment(node.text("at"), "record.at"),
            source=node.text("source", empty=True),
            model=node.text("model", empty=True),
            device=node.text("device", empty=True),
            trace=node.text("trace", empty=True),
            refined=kind == "refined",
        )

    def _origin(self) -> dict[str, str]:
        """When, and of whom and what; only what is noted."""
        at = {} if self.at is None else {"at": format_moment(self.at)}
        names = {"source": self.source, "model": self.model, "device": self.device, "trace": self.trace}
        return at | {key: name for key, name in names.items() if name}


def _result(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"record.result: found {type(value).__name__}, expected what an answer says of itself")
    return value


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Appends one line per record, all of them or none.

    Raises:
        InputError: the file cannot be written.
        EdgentError: the disk is full.
    """
    append(path, "".join(record.to_json() + "\n" for record in records))


def read_records(path: Path) -> Iterator[Record]:
    """The records of a file. Lines that are none are left out, and told in a warning: a power cut leaves such lines.

    Raises:
        InputError: it cannot be read, or all its lines are something else; the first is named.
    """
    read = refused = 0
    refusal = ""
    for number, line in enumerate(_lines(path), start=1):
        try:
            record = _record_in(line)
        except InputError as error:
            refused, refusal = refused + 1, refusal or f"{path}, line {number}: {error}"
        else:
            if record is not None:
                read += 1
                yield record
    if refused and not read:
        raise InputError(f"{refusal}, {_EXPECTED}")
    if refused:
        _log.warning("%s; %s such lines are left out", refusal, refused)


def _record_in(line: bytes | None) -> Record | None:
    if line is None:
        raise InputError("found a line that is too long")
    text = text_in(line).strip()
    return Record.from_json(text) if text else None


def _lines(path: Path) -> Iterator[bytes | None]:
    try:
        yield from whole_lines(path)
    except InputError as error:
        raise InputError(f"{path}: {error}, {_EXPECTED}") from None
