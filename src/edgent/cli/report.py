"""`edgent report`: a day of records as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgent.cli.arguments.options import AsJson
from edgent.cli.terminal import show
from edgent.errors import InputError
from edgent.text import readable


def report(
    records: Annotated[Path, typer.Argument(metavar="FILE", help="Records: what `edgent run --records FILE` wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write.")] = Path(
        "report.html"
    ),
    as_json: AsJson = False,
) -> None:
    """A file of records as one HTML file: who answered, how late, where the time went, whether plans held."""
    from edgent.report import write
    from edgent.report.records import RecordsReport
    from edgent.telemetry import read_records

    show.check_output(output)
    found = tuple(read_records(records))
    if not found:
        raise InputError(f"{records}: found no records, expected lines that edgent run --records FILE wrote")
    made = RecordsReport(source=readable(records.name), records=found)
    write(made.page(), output)
    if as_json:
        show.document({**made.document(), "report": str(output)})
        return
    table = show.table(f"{len(found)} records", "answered by", "answers", "deadlines met", "p50, ms", "p95, ms")
    for name, each in made.answers.items():
        met = show.percent(each["deadlines_met"])
        table.add_row(name, f"{each['count']:g}", met, f"{each['p50_ms']:.1f}", f"{each['p95_ms']:.1f}")
    show.out.print(table)
    show.out.print(f"The report: {output}", soft_wrap=True)
