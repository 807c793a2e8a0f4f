#!/usr/bin/env python3
"""Gives every decoder and reader what was honest once, and fails where one crashes, hangs or takes too much memory.

    python benchmarks/fuzz.py [--inputs 1000000] [--seed N] [--target NAME] [--json]
    python benchmarks/fuzz.py --target NAME --seed N --input NUMBER

Each target gets ten thousand inputs at least (as many as its share allows where fewer are asked for in all), and those
that take the least time get the rest. An input depends on its target, the seed and its number alone: the second command
gives it once more. What was found is written to `--keep FOLDER`; those of `tests/lab/fuzz/found` are tests.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import command
from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.lab.fuzz.every_target import every_target
from edgent.lab.fuzz.fuzzing import FuzzFinding, FuzzResult, FuzzTarget, fuzzed, input_of
from tables import aligned

LEAST = 10_000  # inputs of a target


def row(result: FuzzResult) -> dict[str, Any]:
    """A target in a table."""
    found = {key: value for key, value in asdict(result).items() if key != "findings"}
    return found | {"found": len(result.findings)}


def run(targets: Sequence[FuzzTarget], inputs: int, seed: int) -> list[FuzzResult]:
    """Gives each target its least, and the quickest ones the rest."""
    least = min(LEAST, inputs // len(targets))
    results = []
    for target in targets:
        results.append(fuzzed(target, seed, range(least)))
        _tell(results[-1])
    quick = sorted(range(len(targets)), key=lambda place: results[place].seconds)[: max(1, len(targets) // 3)]
    more = max(0, inputs - least * len(targets)) // len(quick)
    for place in quick if more else ():
        added = fuzzed(targets[place], seed, range(least, least + more))
        results[place] = _together(results[place], added)
        _tell(results[place])
    return results


def _together(one: FuzzResult, other: FuzzResult) -> FuzzResult:
    return replace(
        one,
        inputs=one.inputs + other.inputs,
        read=one.read + other.read,
        rejected=one.rejected + other.rejected,
        findings=(*one.findings, *other.findings),
        seconds=one.seconds + other.seconds,
        worst_ms=max(one.worst_ms, other.worst_ms),
        beyond_mb=max(one.beyond_mb, other.beyond_mb),
    )


def _tell(result: FuzzResult) -> None:
    print(f"{result.target}: {result.inputs} inputs in {result.seconds:.1f} s", file=sys.stderr, flush=True)
    for finding in result.findings:
        print(f"  {finding.what}", file=sys.stderr)
        print(f"  {again(finding)}", file=sys.stderr, flush=True)


def again(finding: FuzzFinding) -> str:
    """The command that gives an input once more."""
    return f"python benchmarks/fuzz.py --target {finding.target!r} --seed {finding.seed} --input {finding.number}"


def keep(results: Sequence[FuzzResult], folder: Path) -> None:
    """Writes what was found, a file for each."""
    for finding in (finding for result in results for finding in result.findings):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / finding.file_name).write_bytes(finding.input)


def main() -> int:
    """The command line."""
    parser = command.options(__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="of all targets together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", action="append", help="only this one (repeatable)")
    parser.add_argument("--input", type=int, metavar="NUMBER", help="only this input of a target, with its traceback")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where to write inputs that were found")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgent-fuzz-") as folder:
        targets = _asked(every_target(load("b-alexnet"), Path(folder)), options.target)
        if options.input is not None:
            targets[0].read(input_of(targets[0], options.seed, options.input))
            return 0
        results = run(targets, options.inputs, options.seed)
    if options.keep:
        keep(results, options.keep)
    rows = [row(result) for result in results]
    command.show(options, {"rows": rows}, lambda: print(aligned(rows)))
    return int(any(result.findings for result in results))


def _asked(targets: Sequence[FuzzTarget], names: Sequence[str] | None) -> list[FuzzTarget]:
    chosen = [target for target in targets if not names or target.name in names]
    if not chosen:
        raise InputError(f"found no target {names}, expected one of {', '.join(target.name for target in targets)}")
    return chosen


if __name__ == "__main__":
    command.run(main)
