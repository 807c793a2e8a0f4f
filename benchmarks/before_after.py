"""A benchmark before a change and after it: run in two working trees by turns, so that both meet the same machine.

    git worktree add --detach ../before COMMIT
    python benchmarks/before_after.py ../before footprint --rounds 4 -- --repeats 3

The second tree is this one, or --after. What follows `--` goes to the benchmark, which both trees must have. Each round
runs both, one round this tree first and the next round the other, and gives one ratio of each figure, after / before: a
machine that is busy with something else slows both. A figure is any number of the benchmark's JSON that is above zero
in every run; it is called by its keys.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import command
from edgent.errors import EdgentError
from programs import output
from provenance import commit
from tables import aligned

HERE = Path(__file__).resolve().parents[1]
PATIENCE = 1800.0  # seconds for one run

Figures = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One figure: its medians, and the ratio after / before, the median and the range of the rounds."""

    figure: str
    before: float
    after: float
    ratio: float
    least: float
    most: float


def figures(document: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Each number of a JSON document with the keys that lead to it."""
    if isinstance(document, dict | list):
        for key, value in document.items() if isinstance(document, dict) else enumerate(document):
            yield from figures(value, f"{name}.{key}".lstrip("."))
    elif isinstance(document, int | float) and not isinstance(document, bool):
        yield name, float(document)


def by_turns(run: Callable[[Path], Figures], before: Path, after: Path, rounds: int) -> list[tuple[Figures, Figures]]:
    """The figures of both trees in each round; who is first changes from round to round."""
    pairs = []
    for number in range(rounds):
        order = (before, after) if number % 2 == 0 else (after, before)
        ran = {tree: run(tree) for tree in order}
        pairs.append((ran[before], ran[after]))
        print(f"round {number + 1} of {rounds} done", file=sys.stderr)
    return pairs


def changes(pairs: Sequence[tuple[Figures, Figures]]) -> list[Change]:
    """What became of each figure that all runs have."""
    runs = [run for pair in pairs for run in pair]
    shared = [name for name in runs[0] if all(run.get(name, 0.0) > 0 for run in runs)]
    return [_change(name, [(before[name], after[name]) for before, after in pairs]) for name in shared]


def _change(name: str, pairs: Sequence[tuple[float, float]]) -> Change:
    ratios = [after / before for before, after in pairs]
    before, after = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratio = statistics.median(ratios)
    return Change(figure=name, before=before, after=after, ratio=ratio, least=min(ratios), most=max(ratios))


def benchmark(name: str, arguments: Sequence[str]) -> Callable[[Path], Figures]:
    """Runs a benchmark in a tree, on that tree's sources."""

    def run(tree: Path) -> Figures:
        script, environment = f"benchmarks/{name}.py", {"PYTHONPATH": str(tree / "src")}
        words = (sys.executable, script, "--json", *arguments)
        try:
            return dict(figures(json.loads(output(*words, folder=tree, environment=environment, patience=PATIENCE))))
        except ValueError as error:
            raise EdgentError(f"{script} of {tree} prints no JSON document: {error}") from None

    return run


def _divided(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is ours and, after `--`, the benchmark's: argparse does not keep the two apart."""
    place = words.index("--") if "--" in words else len(words)
    return list(words[:place]), list(words[place + 1 :])


def main() -> int:
    """Measures and prints."""
    parser = command.options(__doc__)
    parser.add_argument("before", type=Path, help="the other working tree")
    parser.add_argument("benchmark", help="its name, without .py")
    parser.add_argument("--after", type=Path, default=HERE, help="another tree than this one")
    parser.add_argument("--only", action="append", metavar="PATTERN", help="figures called so, as 'rows.*.total_ms'")
    parser.add_argument("--rounds", type=command.at_least(1), default=4, help="runs in each tree")
    ours, theirs = _divided(sys.argv[1:])
    options = parser.parse_args(ours)
    before, after = options.before.resolve(), options.after.resolve()
    run = benchmark(options.benchmark, theirs)
    rows = changes(by_turns(run, before, after, options.rounds))
    rows = [row for row in rows if any(fnmatchcase(row.figure, pattern) for pattern in options.only or ["*"])]
    trees = {"before": commit(before), "after": commit(after), "rounds": options.rounds}
    document = {"trees": trees, "changes": [asdict(row) for row in rows]}
    command.show(options, document, lambda: print(aligned(document["changes"])))
    return 0


if __name__ == "__main__":
    command.run(main)
