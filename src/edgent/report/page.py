"""A page of headings, paragraphs, tables and plots, as one HTML file.

One file without scripts that loads nothing: it can be sent to somebody, and opens without a network years later.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgent.files import write_whole
from edgent.report.svg import STYLE
from edgent.text import escaped

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:980px;margin:28px auto;padding:0 16px}
h1{font-size:26px;margin:0 0 4px}h1,h2,p,code{overflow-wrap:anywhere}
h2{font-size:19px;margin:32px 0 8px;border-bottom:1px solid #ddd}
p{margin:6px 0;max-width:84ch}.lead{color:#555}
table{border-collapse:collapse;font-size:13px;margin:8px 0}
th,td{padding:3px 7px;text-align:right;border-bottom:1px solid #eee}
th{border-bottom:1px solid #999}th:first-child,td:first-child{text-align:left;overflow-wrap:anywhere;min-width:9ch}
td.words{text-align:left;overflow-wrap:anywhere;min-width:14ch}
td.best{font-weight:600}td.lost{color:#c0392b;font-weight:600}tr.faint td{color:#6b6b6b}
svg{max-width:100%;height:auto}
.plots{display:flex;flex-wrap:wrap;gap:8px}.plots>div{width:470px;max-width:100%}
.wide{overflow-x:auto;background:
linear-gradient(to right,#fff 40%,#fff0) local left/36px 100% no-repeat,
linear-gradient(to left,#fff 40%,#fff0) local right/36px 100% no-repeat,
linear-gradient(to right,#0003,#0000) left/14px 100% no-repeat,
linear-gradient(to left,#0003,#0000) right/14px 100% no-repeat}
.wide svg{max-width:none}
.legend{font-size:12px;margin-left:56px}.legend span{margin-right:12px;white-space:nowrap}
.legend i{display:inline-block;width:11px;height:11px;border-radius:2px;margin-right:4px;vertical-align:-1px}
code{background:#f4f4f4;padding:1px 4px;border-radius:3px}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading and what follows, as HTML made by this module's functions."""

    title: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A report: title, one sentence under it, sections."""

    title: str
    lead: str
    sections: tuple[Section, ...]

    def to_html(self) -> str:
        """The whole file."""
        sections = "\n".join(
            f"<section><h2>{escaped(section.title)}</h2>\n{''.join(section.parts)}</section>"
            for section in self.sections
        )
        # With an icon of its own, which is empty: a browser would ask a server for one.
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
            f"<title>{escaped(self.title)}</title><style>{_STYLE}{STYLE}</style></head><body><main>\n"
            f'<h1>{escaped(self.title)}</h1><p class="lead">{escaped(self.lead)}</p>\n{sections}\n'
            "</main></body></html>\n"
        )


def write(page: Page, path: Path | str) -> None:
    """Writes a page, whole or not at all.

    Raises:
        InputError: the folder does not exist, or cannot be written to.
    """
    write_whole(Path(path), page.to_html())


def write_picture(svg: str, path: Path | str) -> None:
    """Writes a picture, whole or not at all.

    Raises:
        InputError: the folder does not exist, or cannot be written to.
    """
    write_whole(Path(path), svg)


def paragraph(text: str, *, code: Sequence[str] = ()) -> str:
    """A paragraph; lines of code after it."""
    lines_ = "".join(f"<br><code>{escaped(line)}</code>" for line in code)
    return f"<p>{escaped(text)}{lines_}</p>"


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    faint: Sequence[bool] = (),
    best: Sequence[int | None] = (),
    words: Sequence[int] = (),
    lost: Sequence[Collection[int]] = (),
) -> str:
    """A table; the first column is text, the others are numbers.

    Args:
        head: names of the columns.
        rows: cells, as text.
        faint: rows to print in grey.
        best: for each row the column to print bold, or None.
        words: further columns of text.
        lost: for each row the columns to print red.
    """
    lines_ = []
    for number, row in enumerate(rows):
        strong = best[number] if number < len(best) else None
        red = lost[number] if number < len(lost) else ()
        kinds = (
            "lost" if n in red else "best" if n == strong else "words" if n in words else "" for n in range(len(row))
        )
        cells = "".join(
            f"<td{f' class={kind}' if kind else ''}>{escaped(cell)}</td>" for kind, cell in zip(kinds, row, strict=True)
        )
        lines_.append(f"<tr{' class=faint' if number < len(faint) and faint[number] else ''}>{cells}</tr>")
    titles = "".join(f"<th scope=col>{escaped(name)}</th>" for name in head)
    inner = f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(lines_)}</tbody></table>"
    return scrolled(inner, f"Table by {head[0]}")


def scrolled(inner: str, name: str) -> str:
    """What may be wider than a phone: it is scrolled by itself, by keyboard too, under a name for those who listen."""
    return f'<div class="wide" tabindex="0" role="group" aria-label="{escaped(name)}">{inner}</div>'
