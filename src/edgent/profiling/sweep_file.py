"""What a sweep has timed so far, on disk line by line, so that an interruption loses at most one specimen."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path

from edgent.document import Node, parse
from edgent.errors import InputError
from edgent.files import append, read_text
from edgent.latency.family import References
from edgent.latency.traits import WORK, Traits
from edgent.profiling.sweep import SpecimenTimes

_SCHEMA = 3
_KERNEL = ("family", "work", "form", "convolution")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The file of an unfinished sweep: a head that says of what, then a line for each specimen.

    Attributes:
        path: where it is.
        head: machine, engine and threads; a sweep of others cannot go on from it.
    """

    path: Path
    head: str

    def read(self) -> tuple[SpecimenTimes, ...]:
        """The specimens in the file; none without a file. An incomplete last line is removed from the file.

        Raises:
            InputError: another machine's or engine's sweep, or a damaged file.
        """
        if not self.path.exists():
            self._append(json.dumps({"schema": _SCHEMA, "sweep": self.head}))
            return ()
        try:
            text = read_text(self.path)
        except InputError as error:
            raise InputError(f"{self.path}: {error}, expected an unfinished sweep; remove it to begin anew") from None
        # A line is whole once its newline is written. What follows the last one is the rest of an interrupted write,
        # and would otherwise be joined to the next line.
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            self.path.write_text(whole, encoding="utf-8")
        try:
            first, *lines = whole.splitlines() or [""]
            self._check(first)
            return tuple(_timed(line) for line in lines)
        except InputError as error:
            raise InputError(f"{self.path}: {error}; remove it to begin anew") from None

    def keep(self, timed: SpecimenTimes) -> None:
        """Writes one more specimen."""
        kernels: list[list[object]] = [
            [kernel.family, kernel.work, kernel.form, kernel.convolution or [], seconds, references]
            for kernel, seconds, references in zip(timed.kernels, timed.times, timed.references, strict=True)
        ]
        # Appended, not written anew: an interruption then costs the specimen at hand and no other.
        self._append(json.dumps({"number": timed.number, "seconds": timed.seconds, "kernels": kernels}))

    def _append(self, line: str) -> None:
        append(self.path, line + "\n")

    def _check(self, line: str) -> None:
        node = Node(parse(line), "sweep", ("schema", "sweep"))
        # Timings of another machine, engine or number of threads must not be mixed into one fit.
        if node.whole("schema") != _SCHEMA or node.text("sweep") != self.head:
            raise InputError(f"found the sweep of {node.text('sweep')[:80]!r}, expected {self.head!r}")


def _timed(line: str) -> SpecimenTimes:
    node = Node(parse(line), "specimen", ("number", "seconds", "kernels"))
    rows = node.values["kernels"]
    if not isinstance(rows, list):
        raise InputError("specimen.kernels: expected a list")
    read = [_kernel(row) for row in rows]
    return SpecimenTimes(
        number=node.whole("number"),
        seconds=node.number("seconds"),
        kernels=tuple(kernel for kernel, _, _ in read),
        times=tuple(seconds for _, seconds, _ in read),
        references=tuple(references for _, _, references in read),
    )


def _kernel(row: object) -> tuple[Traits, float, References]:
    keys = (*_KERNEL, "seconds", "references")
    if not isinstance(row, list) or len(row) != len(keys):
        raise InputError(f"specimen.kernels: expected {', '.join(keys)} of each")
    node = Node(dict(zip(keys, row, strict=True)), "kernel", keys)
    work, convolution, references = (node.numbers(key) for key in ("work", "convolution", "references"))
    if len(work) != len(WORK) or len(convolution) not in (0, 4) or len(references) != 2:
        raise InputError("kernel: found numbers that do not fit together")
    kernel = Traits(
        family=node.text("family"),
        work=work,
        form=node.reals("form"),
        convolution=None if not convolution else (convolution[0], convolution[1], convolution[2], convolution[3]),
    )
    return kernel, node.number("seconds"), References(*references)


# The file's keys and the value's fields must not part company: a new field changes the schema.
assert {field.name for field in fields(Traits)} == set(_KERNEL)
