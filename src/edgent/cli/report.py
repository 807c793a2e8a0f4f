"""`edgent report`: days of records as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgent.cli.arguments.options import AsJson
from edgent.cli.terminal import show
from edgent.errors import InputError
from edgent.files import is_file, is_folder
from edgent.text import readable
from edgent.units import parse_moment

if TYPE_CHECKING:
    from edgent.report.rows import Rows

_ENDING = "*.jsonl"


def report(
    records: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="What `edgent run --records FILE` wrote, or folders of *.jsonl."),
    ],
    start: Annotated[str, typer.Option("--from", metavar="MOMENT", help="As 2026-11-30T08:00, on local clocks.")] = "",
    end: Annotated[str, typer.Option("--to", metavar="MOMENT", help="Before then.")] = "",
    source: Annotated[str | None, typer.Option(metavar="NAME", help="Of this camera only.")] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Of this model only.")] = None,
    device: Annotated[str | None, typer.Option(metavar="NAME", help="Of this machine only.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write.")] = Path(
        "report.html"
    ),
    as_json: AsJson = False,
) -> None:
    """Days of records as one HTML file: who answered in which hour, how late, where the time went, what held."""
    from edgent.report import write
    from edgent.report.records import RecordsReport
    from edgent.report.selection import Selection

    show.check_output(output, reads=records)
    asked = Selection(
        start=_moment(start, "--from"), end=_moment(end, "--to"), source=source, model=model, device=device
    )
    files = _files(records)
    name = readable(files[0].name) if len(files) == 1 else f"{len(files)} files"
    summary = RecordsReport(source=name, rows=asked.of(_read(files)), zone=None)
    write(summary.page(), output)
    if as_json:
        show.document({**summary.document(), "report": str(output)})
        return
    table = show.table(f"{len(summary.rows)} records", "answered by", "answers", "deadlines met", "p50, ms", "p95, ms")
    for answered_by, numbers in summary.answers.items():
        met = show.percent(numbers["deadlines_met"])
        table.add_row(answered_by, f"{numbers['count']:g}", met, f"{numbers['p50_ms']:.1f}", f"{numbers['p95_ms']:.1f}")
    show.out.print(table)
    show.out.print(f"The report: {output}", soft_wrap=True)


def _moment(text: str, option: str) -> float | None:
    return parse_moment(text, option, zone=None) if text else None


def _files(paths: list[Path]) -> list[Path]:
    files: dict[Path, None] = {}  # each once, however often it is named
    for path in paths:
        # A pipe that is named is read; of one that lies in a folder nobody may ever write.
        inside = sorted(filter(is_file, path.rglob(_ENDING))) if is_folder(path) else [path]
        if not inside:
            raise InputError(f"{path}: found no file {_ENDING} there, expected records of edgent run --records FILE")
        files.update(dict.fromkeys(inside))
    return list(files)


def _read(files: list[Path]) -> Rows:
    """The records of all files; lines that are none are told.

    Raises:
        InputError: there are no records, or more than a report can be of.
    """
    from edgent.report.index import check_count, indexed
    from edgent.report.rows import Rows

    parts, empty = [], ""
    with show.progress("reading records") as on_read:
        for file in files:
            rows, reading = indexed(file, on_read)
            parts.append(rows)
            check_count(sum(map(len, parts)))
            if not len(rows):
                empty = empty or f"{file}{f', {reading.refusal}' if reading.refusal else ': found no records'}"
            elif reading.refused:
                show.warn(f"{file}, {reading.refusal}; {reading.refused} such lines are left out")
    if not any(map(len, parts)):
        raise InputError(f"{empty}, expected lines that edgent run --records FILE wrote")
    return Rows.merged(parts)
