"""Whether the tests would notice: small faults are planted in the code, one at a time, and its room's tests must fail.

    python benchmarks/mutants.py [FILE ...] [--sample N] [--seed S] [--workers N] [--survivors] [--json FILE]

The faults (mutants) are mutmut's: an operator turned round, a number one off, an argument left out, and so on; also in
properties and in constants, which mutmut itself leaves alone. Those tried are a seeded sample, drawn from each file in
proportion to their number; FILE limits it to files whose path ends so ("queue.py"). A mutant is *killed* if a test
fails or takes several times as long as usual (a timeout), and *survives* otherwise. Property tests draw the same
examples at each run, so a verdict does not depend on luck. `--survivors` prints what was changed and not noticed.

Left out are faults that are none: in annotations and other words for readers, `None` in place of `False`, and a `zip`
that is no longer strict.

No file is changed: the mutated source is given to the import system of a process that runs pytest and ends.

Exit code 1 if fewer than 90 % are killed over all, or fewer than 80 % in a file. A sample of 640 takes about 10 minutes
on two cores that have nothing else to do.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import json
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OVERALL, EACH = 0.90, 0.80
LEAST = 15  # mutants of a file, so that its share means something
PATIENCE = 5  # times as long as without a fault, before the tests count as hanging
MEMORY = 4 * 2**30  # bytes of one run

# What is mutated (below src/edgent), and the tests (below tests) that must notice: the quickest first.
ROOMS = {
    "device/request.py": ("device/test_request.py", "device/test_schedule.py"),
    "device/schedule.py": ("device/test_schedule.py",),
    "edge/queue.py": ("edge/test_queue.py",),
    "device/connection/upkeep.py": ("device/connection/test_upkeep.py",),
    "wire/tensors.py": ("wire/test_tensors.py", "wire/test_messages.py", "wire/test_travel.py"),
    "planning/planner.py": ("planning/test_planner.py",),
    "planning/controller.py": ("planning/test_controller_by_hand.py", "planning/test_controller.py"),
    "planning/frontier.py": ("planning/test_frontier.py",),
    "model/fold.py": (
        "model/test_fold.py", "model/test_not_folded.py", "model/test_folded_shapes.py", "model/test_fold_bounds.py",
    ),
    "model/files/weights.py": ("model/files/test_weights.py", "model/files/test_constants_of_every_kind.py"),
    "codec/calibration.py": ("codec/test_calibration.py",),
    "codec/image.py": ("codec/test_image_codecs.py",),
    "codec/names.py": ("codec/test_codec_names.py",),
    "codec/pixels.py": ("codec/test_pixels.py",),
    "codec/tensor.py": ("codec/test_tensor_codecs.py",),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One fault: the file, and its source with the fault in it."""

    file: str
    source: str

    @property
    def diff(self) -> str:
        """What was changed."""
        before = _source(self.file).splitlines(keepends=True)
        return "".join(difflib.unified_diff(before, self.source.splitlines(keepends=True), self.file, self.file, n=1))


def mutants_of(file: str) -> list[Mutant]:
    """All mutants of a file, in the order of its lines."""
    import libcst as cst
    from mutmut.mutation.file_mutation import MutationVisitor, deep_replace
    from mutmut.mutation.mutators import mutation_operators
    from mutmut.mutation.pragma_handling import IgnoredCode

    class Everywhere(MutationVisitor):
        def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
            if isinstance(node, cst.FunctionDef):
                return False  # mutmut would leave properties out
            return _only_for_readers(node) or super()._skip_node_and_children(node)

    visitor = Everywhere(mutation_operators, IgnoredCode(set(), set(), set()))
    tree = cst.MetadataWrapper(cst.parse_module(_source(file))).visit(visitor)
    pairs = ((mutation.original_node, mutation.mutated_node) for mutation in visitor.mutations)
    sources = (deep_replace(tree, before, after).code for before, after in pairs if not _as_good(before, after))
    return [Mutant(file=file, source=source) for source in dict.fromkeys(sources)]


def _only_for_readers(node: Any) -> bool:
    """An alias of a type, a cast, or an enumeration, whose members are told apart by being themselves."""
    import libcst.matchers as m

    alias = m.Name(value=m.MatchRegex("_?[A-Z][A-Za-z]*[a-z][A-Za-z]*"))
    assigned = m.Assign(targets=[m.AssignTarget(target=alias)]) | m.AnnAssign(target=alias)
    enumeration = m.ClassDef(bases=[m.Arg(value=m.Attribute(attr=m.Name("Enum")))])
    invariant = m.Arg(keyword=m.Name("strict"))  # of a zip: what it would raise is our own fault
    return m.matches(node, assigned | enumeration | invariant | m.Call(func=m.Name("cast")))


def _as_good(before: Any, after: Any) -> bool:
    """`flag = False` made `None`, which is as false (`True` is another mutant); or a zip's `strict` taken back."""
    import libcst.matchers as m

    if m.matches(before, m.Call(func=m.Name("zip"))):
        strict = m.Arg(keyword=m.Name("strict"))
        zipped = [[arg for arg in call.args if not m.matches(arg, strict)] for call in (before, after)]
        return zipped[0] == zipped[1]
    return m.matches(before, m.Assign(value=m.Name("False")) | m.AnnAssign(value=m.Name("False")))


def sample(population: dict[str, list[Mutant]], size: int, seed: int) -> list[Mutant]:
    """About so many of them, from each file in proportion to how many it has, but not too few."""
    share = size / max(1, sum(map(len, population.values())))
    chance = random.Random(seed)
    drawn = []
    for mutants in population.values():
        count = max(LEAST, round(share * len(mutants)))
        drawn += chance.sample(mutants, min(count, len(mutants)))
    return drawn


class _Mutated(SourceFileLoader):
    """Loads one module from a text instead of its file."""

    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._text = source

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - there is one
        return compile(self._text, self.path, "exec", dont_inherit=True)


class _Finder:
    """Stands before the import system's own finders."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._module = ".".join(("edgent", *Path(mutant.file).with_suffix("").parts)).removesuffix(".__init__")

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name != self._module:
            return None
        file = str(_path(self._mutant.file))
        return spec_from_file_location(name, file, loader=_Mutated(name, file, self._mutant.source))


def run_tests(mutant: Mutant, folder: str) -> None:
    """Runs the room's tests on a mutant, and ends the process with pytest's exit code. Only in a process of its own."""
    import pytest
    from hypothesis import HealthCheck, Phase, settings

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    os.environ["PYTHONPATH"] = str(ROOT / "src")
    sys.path.insert(0, str(ROOT / "src"))
    sys.meta_path.insert(0, _Finder(mutant))  # type: ignore[arg-type]
    settings.register_profile(
        "mutants",
        phases=(Phase.explicit, Phase.generate),  # a failure is enough: it need not be made small
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutants")
    os.chdir(ROOT)
    tests = [str(Path("tests", test)) for test in ROOMS[mutant.file]]
    preloaded = "ignore::pytest.PytestAssertRewriteWarning"  # hypothesis was there before pytest
    code = pytest.main(["-x", "-q", "-W", preloaded, "-p", "no:cacheprovider", f"--basetemp={folder}/pytest", *tests])
    os._exit(code)  # threads that a fault left behind are not waited for


def verdict(mutant: Mutant, patience: float) -> str:
    """Whether the tests notice: "killed", "timeout" or "survived"."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = _CONTEXT.Process(target=run_tests, args=(mutant, folder))
        process.start()
        process.join(patience)
        hangs = process.is_alive()
        process.kill()
        process.join()
    return "timeout" if hangs else "killed" if process.exitcode else "survived"


def timed(file: str) -> float:
    """Seconds that the tests of a file take without a fault."""
    started_at = time.monotonic()
    if (outcome := verdict(Mutant(file=file, source=_source(file)), 600.0)) != "survived":
        raise SystemExit(f"the tests of {file} fail without a fault ({outcome}): {' '.join(ROOMS[file])}")
    return time.monotonic() - started_at


def judged(mutants: Sequence[Mutant], workers: int, when_judged: Callable[[Mutant, str], None]) -> list[str]:
    """The verdict on each, also handed to `when_judged` as soon as it is there."""
    files = list(dict.fromkeys(mutant.file for mutant in mutants))
    with ThreadPoolExecutor(workers) as pool:
        patience = {file: 10.0 + PATIENCE * usual for file, usual in zip(files, pool.map(timed, files), strict=True)}

        def judge(mutant: Mutant) -> str:
            outcome = verdict(mutant, patience[mutant.file])
            when_judged(mutant, outcome)
            return outcome

        return list(pool.map(judge, mutants))


def report(mutants: Sequence[Mutant], verdicts: Sequence[str]) -> dict[str, Any]:
    """Counts of each file and over all, whether they are enough, and the survivors."""
    pairs = list(zip(mutants, verdicts, strict=True))
    files = {
        file: _counts([outcome for mutant, outcome in pairs if mutant.file == file])
        for file in dict.fromkeys(mutant.file for mutant in mutants)
    }
    over_all = _counts(verdicts)
    return {
        "files": files,
        "all": over_all,
        "enough": over_all["share"] >= OVERALL and all(counts["share"] >= EACH for counts in files.values()),
        "survivors": [mutant.diff for mutant, outcome in pairs if outcome == "survived"],
    }


def _counts(verdicts: Sequence[str]) -> dict[str, float]:
    count = Counter(verdicts)
    share = 1 - count["survived"] / len(verdicts)
    kinds = {kind: count[kind] for kind in ("killed", "survived", "timeout")}
    return {"mutants": len(verdicts), **kinds, "share": round(share, 4)}


def table(summary: dict[str, Any]) -> str:
    """The report for people."""
    rows = [*summary["files"].items(), ("all", summary["all"])]
    lines = [f"{'':24}{'mutants':>9}{'killed':>9}{'survived':>10}{'timeouts':>10}{'noticed':>10}"]
    for name, counts in rows:
        numbers = f"{counts['mutants']:9}{counts['killed']:9}{counts['survived']:10}{counts['timeout']:10}"
        lines.append(f"{name:24}{numbers}{100 * counts['share']:9.1f}%")
    return "\n".join(lines)


def _path(file: str) -> Path:
    return ROOT / "src" / "edgent" / file


def _source(file: str) -> str:
    return _path(file).read_text(encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE", help="only files whose path ends so")
    parser.add_argument("--sample", type=int, default=640, help="how many mutants are tried, about (640)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1), help="runs at once")
    parser.add_argument("--survivors", action="store_true", help="print what was changed and not noticed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there, survivors included")
    options = parser.parse_args()
    options.files = [file for file in ROOMS if file.endswith(tuple(options.files or ("",)))]
    if not options.files or options.sample < 1 or options.workers < 1:
        parser.error(f"expected a sample and workers of 1 or more, and files among {', '.join(ROOMS)}")
    return options


def _circumstances(options: argparse.Namespace) -> dict[str, Any]:
    """What one needs to run it again: the commit, the date and what was asked for."""
    git = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    commit = subprocess.run(git, check=False, capture_output=True, text=True).stdout.strip()
    today = datetime.now(UTC).date().isoformat()
    return {"commit": commit, "date": today, "sample": options.sample, "seed": options.seed}


def main() -> int:
    """Runs the benchmark."""
    options = _options()
    drawn = sample({file: mutants_of(file) for file in options.files}, options.sample, options.seed)

    def show(mutant: Mutant, outcome: str) -> None:
        if options.survivors and outcome == "survived":
            print(mutant.diff, flush=True)

    summary = report(drawn, judged(drawn, options.workers, show))
    print(table(summary))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(_circumstances(options) | summary, indent=1) + "\n")
    return 0 if summary["enough"] else 1


_CONTEXT = multiprocessing.get_context("forkserver")

if __name__ == "__main__":
    _CONTEXT.set_forkserver_preload(["__main__", "hypothesis", "numpy", "onnx", "onnxruntime", "PIL.Image", "pytest"])
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
