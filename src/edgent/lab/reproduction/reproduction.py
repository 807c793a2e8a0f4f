"""Figure after figure into a folder: its numbers as JSON, its plot as SVG and PNG."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgent.errors import InputError
from edgent.files import write_whole
from edgent.lab.reproduction.drawing import check_drawing, draw
from edgent.lab.reproduction.figure import Figure, Lab, Progress, Result
from edgent.lab.reproduction.parts import Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduced:
    """A figure that was reproduced.

    Attributes:
        figure: Which one.
        result: What it came to.
        files: What was written.
        seconds: How long it took this time.
        kept: Parts that an earlier reproduction had finished.
        computed: Parts that were computed now.
    """

    figure: Figure
    result: Result
    files: tuple[Path, ...]
    seconds: float
    kept: int
    computed: int

    def document(self) -> dict[str, Any]:
        """The figure as JSON has it."""
        return {
            "id": self.figure.id,
            "title": self.figure.title,
            "seconds": round(self.seconds, 1),
            "parts_kept": self.kept,
            "parts_made": self.computed,
            "files": [str(path) for path in self.files],
            **self.result.document(),
        }


def reproduce(
    figures: Sequence[Figure],
    folder: Path,
    *,
    seed: int,
    traces: Path | None,
    progress: Progress,
    model: str | None = None,
    data: Path | None = None,
    edge_only: bool = False,
) -> Iterator[Reproduced]:
    """Reproduces figures one after the other; what is finished stays in the folder.

    Args:
        figures: Which.
        folder: Made if it is not there. Parts that an interrupted reproduction left in it are not measured again.
        seed: Of all that is random.
        traces: A folder of recorded links, or None.
        progress: Told what happens.
        model: The networks of those figures that take anybody's, or None.
        data: Their pictures, or None.
        edge_only: Whether only the edge holds the larger network of those.

    Raises:
        InputError, MissingExtraError: see `make_ready`.
        EdgentError: a process of the laboratory failed.
    """
    make_ready(folder, traces)
    for figure in figures:
        began = time.perf_counter()
        parts = Parts(folder / "parts", {"seed": seed})
        report = _telling(progress, figure)
        lab = Lab(
            parts=parts,
            seed=seed,
            traces=traces,
            progress=report,
            model=model,
            data=data,
            edge_only=edge_only,
        )
        result = figure.run(lab)
        drawn = draw(f"{figure.id}: {figure.title}", result.panels, folder / figure.id, result.across)
        numbers = folder / f"{figure.id}.json"
        done = Reproduced(
            figure=figure,
            result=result,
            files=(numbers, *drawn),
            seconds=time.perf_counter() - began,
            kept=parts.kept,
            computed=parts.computed,
        )
        write_whole(numbers, json.dumps(done.document(), indent=1, allow_nan=False) + "\n")
        yield done


def make_ready(folder: Path, traces: Path | None) -> None:
    """Makes the folder, and sees that all is there before hours are spent.

    Raises:
        InputError: a folder that is none, or cannot be written to.
        MissingExtraError: matplotlib is not installed.
    """
    check_drawing()
    if traces is not None and not traces.is_dir():
        raise InputError(f"{traces}: is no folder; name one of traces, or none to have them generated")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); name another folder") from None


def _telling(progress: Progress, figure: Figure) -> Progress:
    return lambda what, done, whole: progress(f"{figure.id} {what}", done, whole)
