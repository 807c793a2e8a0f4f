"""Opens every file of the hostile corpus with every command, and says what it cost and how it ended.

    python benchmarks/hostile.py [--kind KIND] [--timeout SECONDS] [--json]

Each command runs in a process of its own with a limit on its address space, so that the machine is safe; files are
written one at a time into a folder that is removed again. Exits with 1 where a command ended otherwise than it should:
with 0, or with one line and 1 or 2.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import onnx.shape_inference  # noqa: F401 - imported before the children are forked

import command
import edgent.device.device
import edgent.edge.edge
import edgent.profiling.model_profiler  # noqa: F401
from edgent import cli
from tables import aligned

TESTS = Path(__file__).parent.parent / "tests"
sys.path.insert(0, str(TESTS))

from hostile import Hostile, corpus  # noqa: E402

_ADDRESS_SPACE = 12 << 30  # much of it is never touched: engines map files and reserve stacks
_ONES = "ones.npy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """One command on one file: peak memory in MB, seconds, and how it ended."""

    kind: str
    name: str
    verb: str
    memory: float
    seconds: float
    end: str
    line: str

    @property
    def good(self) -> bool:
        """Whether it ended as it should."""
        return self.end in ("done", "one line, 1", "one line, 2")


def commands(file: Path, ones: Path) -> dict[str, list[str]]:
    """What is tried, by name."""
    return {
        "inspect": ["inspect", str(file)],
        "verify": ["inspect", str(file), "--verify", "2"],
        "serve": ["serve", str(file), "--port", "0", "--json"],
        "run": ["run", str(file), str(ones), "--deadline", "1s"],
    }


def opened(case: Hostile, file: Path, verb: str, command: list[str], timeout: float) -> Ending:
    """Runs one command until it ends, or says that it is ready, or the time is up."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started_at = time.monotonic()
        end, status, memory = _waited(_started(command, out, err), out, verb, started_at + timeout)
        seconds = time.monotonic() - started_at
        err.seek(0)
        lines = [
            line for line in err.read(1 << 20).splitlines() if line.strip() and not line.startswith("edgent: warning")
        ]
    if not end:
        end = _judged(status, lines)
    return Ending(
        kind=case.kind,
        name=case.name,
        verb=verb,
        memory=memory,
        seconds=seconds,
        end=end,
        line=lines[-1][:300] if lines else "",
    )


def _started(command: list[str], out: IO[str], err: IO[str]) -> int:
    """A child that runs the command; forked, for what it imports has been imported here."""
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, file in enumerate((nothing, out.fileno(), err.fileno())):
        os.dup2(file, number)
    sys.argv = ["edgent", *command]
    code = 1
    try:
        cli.main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _waited(child: int, out: IO[str], verb: str, until: float) -> tuple[str, int, float]:
    end = ""
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            return end, os.waitstatus_to_exitcode(status), usage.ru_maxrss / 1e3
        if verb == "serve" and not end and os.fstat(out.fileno()).st_size:
            end = "done"
            os.kill(child, signal.SIGTERM)
        if time.monotonic() > until and end != "time is up":
            end = "time is up"
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.02)


def _judged(status: int, lines: list[str]) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    if any(line.startswith("Traceback") for line in lines):
        return "traceback"
    if status == 0:
        return "done"
    return f"one line, {status}" if len(lines) == 1 and len(lines[0]) < 2000 else f"{len(lines)} lines, {status}"


def measured(cases: list[Hostile], timeout: float, verbs: list[str]) -> list[Ending]:
    """Every command on every file."""
    endings = []
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_CACHE_HOME"] = str(Path(scratch) / "cache")
        ones = Path(scratch) / _ONES
        np.save(ones, np.ones((1, 8), np.float32))
        for case in cases:
            with tempfile.TemporaryDirectory() as folder:
                file = case.write(Path(folder))
                for verb, command in commands(file, ones).items():
                    if verb in verbs:
                        endings.append(opened(case, file, verb, command, timeout))
                        _tell(endings[-1])
    return endings


def _tell(ending: Ending) -> None:
    mark = " " if ending.good else "!"
    cost = f"{ending.memory:6.0f} MB {ending.seconds:6.1f} s"
    print(f"{mark} {ending.name:40} {ending.verb:8} {cost}  {ending.end}  {ending.line}", file=sys.stderr, flush=True)


def by_kind(endings: list[Ending]) -> list[dict[str, Any]]:
    """A row per kind, and one for all."""
    kinds = defaultdict(list)
    for ending in endings:
        kinds[ending.kind.partition(",")[0]].append(ending)
    return [_row(kind, members) for kind, members in [*kinds.items(), ("all", endings)]]


def _row(kind: str, members: list[Ending]) -> dict[str, Any]:
    return {
        "kind": kind,
        "files": len({member.name for member in members}),
        "commands": len(members),
        "done": sum(member.end == "done" for member in members),
        "refused in one line": sum(member.end.startswith("one line") for member in members),
        "otherwise": sum(not member.good for member in members),
        "worst MB": round(max(member.memory for member in members)),
        "worst s": round(max(member.seconds for member in members), 1),
    }


def main() -> int:
    """The command line."""
    parser = command.options(__doc__)
    parser.add_argument("--kind", action="append", help="only this kind (repeatable)")
    parser.add_argument("--name", action="append", help="only files whose name contains this (repeatable)")
    parser.add_argument("--verb", action="append", help="only this command (repeatable)")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for one command")
    asked = parser.parse_args()
    cases = [
        case
        for case in corpus()
        if (not asked.kind or case.kind in asked.kind) and (not asked.name or any(n in case.name for n in asked.name))
    ]
    endings = measured(cases, asked.timeout, asked.verb or ["inspect", "verify", "serve", "run"])
    bad = [ending for ending in endings if not ending.good]
    document = {"kinds": by_kind(endings), "otherwise": [asdict(ending) for ending in bad]}
    command.show(asked, document, lambda: print(aligned(document["kinds"])))
    if bad:
        print(f"{len(bad)} of {len(endings)} did not end as they should", file=sys.stderr)
    return int(bool(bad))


if __name__ == "__main__":
    command.run(main)
