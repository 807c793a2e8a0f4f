"""Loading a model file that nobody vouches for: it is tried in a process of its own first.

A file of a hundred bytes can ask for terabytes or for years, or make a library crash; much of that shows only when the
file is read, folded and run. So before a process opens a file for the first time, another one (`edgent.engine.trial`)
does all of it, with a limit on its memory and its time; what cannot be opened within them is refused in one line. What
passed is remembered by its content, so that an honest file is tried once.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgent.cache import cache_folder
from edgent.engine import loading
from edgent.errors import EdgentError, ModelError
from edgent.files import is_file
from edgent.model import Model
from edgent.model.configuration.sources import files_beside
from edgent.model.files import named
from edgent.model.files.formats import check_file
from edgent.model.files.named import ModelFiles
from edgent.units import format_bytes
from edgent.version import __version__

OUT_OF_MEMORY = -3
"""The exit code of a trial that found no more memory, negated as those of signals are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What opening a file may cost: a share for any file, and more for what the file itself takes on the disk.

    Attributes:
        memory: bytes.
        memory_factor: bytes more for each byte of the files.
        seconds: of computing, for each of reading, loading and running.
        seconds_per_gigabyte: of computing, more for each 1e9 bytes of the files.
    """

    memory: int = 4 << 30
    memory_factor: int = 4
    seconds: int = 30
    seconds_per_gigabyte: int = 30

    def memory_of(self, size: int) -> int:
        """Bytes for files of `size` bytes."""
        return self.memory + self.memory_factor * size

    def seconds_of(self, size: int) -> int:
        """Seconds of computing for files of `size` bytes."""
        return self.seconds + int(self.seconds_per_gigabyte * size / 1e9)


def load(model: ModelFiles, *, dims: Mapping[str, int] | None = None, limits: Limits | None = None) -> Model:
    """Opens a model by name or file. A file seen for the first time is tried in a process of its own.

    Args:
        model: the name of a shipped model ("b-alexnet"), or the path of an ONNX file; several with "+" between them
            are a bundle, named after all of them.
        dims: numbers for free dimensions. A free leading dimension is the batch and becomes 1.
        limits: what the trial may cost.

    Raises:
        ModelError: see `edgent.engine.loading.load`; also a file that cannot be opened and run once within the limits.
    """
    _try(model, dims or {}, limits or Limits())
    return loading.load(model, dims=dims)


def _try(model: ModelFiles, dims: Mapping[str, int], limits: Limits) -> None:
    shipped = named.shipped_folders()
    paths = [path for path in named.files(model) if path.parent not in shipped]
    if not paths:
        return
    for path in paths:
        check_file(path)
    kept = cache_folder() / "tried" / f"{_key(paths, dims)}.json"
    if not _is_remembered(kept):
        beside = _tried(model, dims, limits)
        with suppress(OSError):  # it is tried again the next time
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(beside))


def _key(paths: list[Path], dims: Mapping[str, int]) -> str:
    """Of what the files hold, their configurations and the numbers of free dimensions."""
    # With our version and the sizes bound: another version may fold otherwise, and other sizes may take more memory.
    total = hashlib.sha256(json.dumps([__version__, sorted(dims.items())]).encode())
    for path in paths:
        for file in (path, *files_beside(path)):
            total.update(_hash(file) if is_file(file) else b"")
    return total.hexdigest()


def _hash(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None


def _is_remembered(kept: Path) -> bool:
    """Whether the file passed, with the other files that it and its configuration name as they are now."""
    try:
        return all(stamp(Path(name)) == seen for name, *seen in json.loads(kept.read_bytes()))
    except (OSError, ValueError, TypeError):
        return False


def stamp(path: Path) -> list[int]:
    """What tells whether a file has been changed since it was tried."""
    stat = path.stat()
    # Size and time and no hash: files of weights have gigabytes, and are looked at each time that a model is opened.
    return [stat.st_size, stat.st_mtime_ns]


def _tried(model: ModelFiles, dims: Mapping[str, int], limits: Limits) -> list[Any]:
    """The files of weights, labels and post-processing that were read, each with its stamp."""
    named = str(model) if isinstance(model, str | Path) else [str(file) for file in model]
    code, said = _run({"model": named, "dims": dict(dims), "limits": asdict(limits)})
    if code:
        raise ModelError(f"{named}: {_why(-code, said, limits)}; refused")
    verdict = json.loads(said)
    if "error" in verdict:
        raise (ModelError if verdict["exit_code"] == ModelError.exit_code else EdgentError)(verdict["error"])
    beside: list[Any] = verdict["beside"]
    return beside


def _run(asked: Mapping[str, Any]) -> tuple[int, str]:
    """The trial's exit code, and the last that it said."""
    # The child must import what this process would, wherever that was found.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    # -P: nothing is imported from the folder that we stand in, which may be a stranger's.
    command = [sys.executable, "-P", "-m", "edgent.engine.trial", json.dumps(asked)]
    nothing = subprocess.DEVNULL
    try:
        child = subprocess.run(
            command, env=environment, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing, check=False
        )
    except OSError as error:
        raise EdgentError(f"{asked['model']}: no process could be started to try it in ({error})") from error
    return child.returncode, (child.stdout.decode().splitlines() or ["starting"])[-1]


def _why(number: int, doing: str, limits: Limits) -> str:
    # The kernel sends SIGXCPU at the soft limit of computing and SIGKILL at the hard one; SIGALRM ends a process that
    # only waits.
    if number in (signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL):
        return f"{doing} it takes more than {limits.seconds} seconds"
    if number == OUT_OF_MEMORY:
        return f"{doing} it takes more than {format_bytes(limits.memory)} of memory"
    name = signal.Signals(number).name if number in set(signal.Signals) else f"exit code {-number}"
    return f"{doing} it makes the process end with {name}"
