"""Arguments and options that several commands share, each spelled once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgent.cli.terminal import show
from edgent.errors import InputError

if TYPE_CHECKING:
    from edgent.engine.engine import Engine
    from edgent.planning import Candidates, candidates

MOST_THREADS = 1024  # an engine would try to start any number

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write.")]
Threads = Annotated[int, typer.Option(min=1, max=MOST_THREADS, help="Compute threads of the engine.")]
EngineName = Annotated[str, typer.Option("--engine", metavar="onnxruntime|openvino", help="What runs models.")]
CalibrationFile = Annotated[
    Path | None, typer.Option("--calibration", metavar="FILE", help="Sizes and accuracies of codecs on this model.")
]
Deadline = Annotated[str, typer.Option(metavar="TIME", help="From input to answer, as 100ms.")]
Direction = Annotated[str, typer.Option(metavar="any|device-first|edge-first", help="Which cuts to allow.")]
_DIRECTIONS: tuple[candidates.Direction, ...] = ("any", "device-first", "edge-first")
Insecure = Annotated[bool, typer.Option("--insecure", help="Speak plain text with an edge on another machine.")]
Exits = Annotated[list[int] | None, typer.Option("--exit", metavar="N", help="Allow this exit only (repeatable).")]
Codecs = Annotated[
    list[str] | None,
    typer.Option("--codec", metavar="CODEC", help="Allow this codec (repeatable); docs/own-data.md has their names."),
]


def parse_codecs(names: Sequence[str] | None) -> tuple[str, ...] | None:
    """Checks the names of codecs; None where all are allowed.

    Raises:
        InputError: there is no such codec; the message names those that there are.
    """
    from edgent.codec import check_codec

    for name in names or ():
        check_codec(name)
    return tuple(names) if names else None


def warn_unpriced(names: Sequence[str] | None, table: Candidates) -> None:
    """Says on stderr which codecs cannot be planned with, for nobody knows their size or their accuracy."""
    if unpriced := table.unpriced(names or ()):
        show.warn(
            f"nobody knows what {', '.join(unpriced)} would bring: measure it (edgent evaluate), or show some pictures "
            "(--source)"
        )


def parse_direction(text: str) -> candidates.Direction:
    """Checks a direction.

    Raises:
        InputError: none of the three.
    """
    for known in _DIRECTIONS:
        if text == known:
            return known
    raise InputError(f"--direction {text!r}: expected any, device-first or edge-first")


def parse_engine(name: str) -> str:
    """Checks the name of an engine, whatever is installed.

    Raises:
        InputError: none of the two.
    """
    if name not in ("onnxruntime", "openvino"):
        raise InputError(f"--engine {name!r}: expected onnxruntime or openvino")
    return name


def make_engine(name: str, threads: int) -> Engine:
    """The engine of a name.

    Raises:
        InputError: none of the two.
        MissingExtraError: OpenVINO is not installed.
    """
    # Imported only when it is asked for: a command that runs nothing must not wait for an engine.
    if parse_engine(name) == "openvino":
        from edgent.engine.openvino import OpenVinoEngine

        return OpenVinoEngine(threads=threads)
    from edgent.engine.onnxruntime import OnnxRuntimeEngine

    return OnnxRuntimeEngine(threads=threads)


def parse_share(option: str, text: str) -> float:
    """Reads a share: "1%" or "0.01".

    Raises:
        InputError: no number, or none between 0 and 1.
    """
    number, percent = (text[:-1], 100.0) if text.endswith("%") else (text, 1.0)
    try:
        share = float(number) / percent
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise InputError(f"{option} {text[:40]!r}: expected a share above 0 and below all, as 1% or 0.01")
    return share
