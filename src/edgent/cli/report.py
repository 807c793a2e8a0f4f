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
    # A refined answer follows one that was in time: counted as well, it would be a deadline missed by nobody.
    lines = tuple(record for record in read_records(records) if not record.refined)
    if not lines:
        raise InputError(f"{records}: found no records, expected lines that edgent run --records FILE wrote")
    summary = RecordsReport(source=readable(records.name), records=lines)
    write(summary.page(), output)
    if as_json:
        show.document({**summary.document(), "report": str(output)})
        return
    table = show.table(f"{len(lines)} records", "answered by", "answers", "deadlines met", "p50, ms", "p95, ms")
    for name, numbers in summary.answers.items():
        met = show.percent(numbers["deadlines_met"])
        table.add_row(name, f"{numbers['count']:g}", met, f"{numbers['p50_ms']:.1f}", f"{numbers['p95_ms']:.1f}")
    show.out.print(table)
    show.out.print(f"The report: {output}", soft_wrap=True)
