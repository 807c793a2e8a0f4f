"""The process in which a model file is tried: it loads it and runs every branch, within limits; see `opening`.

It says on stdout what it is doing, a line each, and last, as JSON, what came of it.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from edgent.engine.engine import branch_ends, one_line
from edgent.engine.feeds import Feeds, random_feeds, zeros
from edgent.engine.guarded_loading import OUT_OF_MEMORY, Limits, stamp
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.engine.overtime import OvertimeError
from edgent.errors import EdgentError
from edgent.files import is_file
from edgent.model import Model, Tensor
from edgent.model.configuration.sources import files_named
from edgent.model.files.constants import all_tensors
from edgent.model.files.external import is_external
from edgent.model.files.named import ModelFiles, files
from edgent.model.files.read import read

_BUSY = 5  # so many times the computing time may pass: on a busy machine a process also waits, which is no fault of it
# What engines and libraries say where there is no more memory; the last is all that protobuf tells.
_NO_MEMORY = (
    "bad_alloc",
    "bad allocation",
    "Failed to allocate",
    "alloc failed",
    "MemoryError",
    "Cannot allocate memory",
    "Failed to serialize proto",
)


def main() -> None:
    """Tries the model that the only argument names."""
    asked = json.loads(sys.argv[1])
    try:
        verdict = _verdict(asked["model"], asked["dims"], Limits(**asked["limits"]))
    except MemoryError:
        sys.exit(-OUT_OF_MEMORY)
    _say(json.dumps(verdict))


def _verdict(name: ModelFiles, dims: Mapping[str, int], limits: Limits) -> dict[str, Any]:
    paths = files(name)
    _limit(limits, paths)
    _say("reading")
    try:
        beside = [file for path in paths for file in (*_files_of_weights(path, read(path)), *files_named(path))]
        _limit(limits, [*paths, *beside])
        _say("loading")
        model = load(name, dims=dims)
    except MemoryError:
        raise
    except Exception as error:  # whatever a damaged file makes of a library
        _refuse_without_memory(error)
        return _refusal(name, error)
    _limit(limits, [*paths, *beside])
    _run(model)
    return {"beside": [[str(file), *stamp(file)] for file in beside]}


def _refusal(name: ModelFiles, error: Exception) -> dict[str, Any]:
    if isinstance(error, EdgentError):
        return {"error": str(error), "exit_code": error.exit_code}
    if isinstance(error, OSError):
        return {"error": f"{name}: {one_line(error)}", "exit_code": EdgentError.exit_code}
    return {
        "error": f"{name} cannot be read as a model ({type(error).__name__}: {one_line(error)}); export it again",
        "exit_code": 2,
    }


def _files_of_weights(path: Path, proto: onnx.ModelProto) -> set[Path]:
    entries = (entry for tensor in all_tensors(proto) if is_external(tensor) for entry in tensor.external_data)
    return {path.parent.resolve() / entry.value for entry in entries if entry.key == "location"}


def _limit(limits: Limits, paths: Iterable[Path]) -> None:
    """Holds the next step to the limits for these files; they count with what they take on the disk."""
    size = sum(path.stat().st_blocks * 512 for path in paths if is_file(path))  # opening it says which is missing
    seconds = limits.seconds_of(size)
    # A file that makes a library crash must not leave a core of gigabytes in the user's folder.
    _allow(resource.RLIMIT_CORE, 0)
    _allow(resource.RLIMIT_DATA, limits.memory_of(size))
    # The limit counts from the start of the process, the step from now.
    _allow(resource.RLIMIT_CPU, int(time.process_time()) + seconds)
    signal.alarm(seconds * _BUSY)


def _allow(kind: int, most: int) -> None:
    """Sets a limit, below the one that whoever started us has set for good: that one cannot be raised."""
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _run(model: Model) -> None:
    """Runs every branch on zeros and on random numbers; what fails, fails again in front of the user."""
    engine = OnnxRuntimeEngine()
    for branch in model.branches:
        try:
            _say("making a session of")
            session = engine.build(model.segment(*branch_ends(branch)))
            _say("running")
            for feeds in _inputs(session.given):
                session.run(feeds)
        except OvertimeError:
            signal.raise_signal(signal.SIGALRM)
        except EdgentError as error:
            _refuse_without_memory(error)


def _inputs(tensors: tuple[Tensor, ...]) -> Iterator[Feeds]:
    if all(tensor.nbytes is not None for tensor in tensors):
        yield zeros(tensors)
    if all(tensor.dtype is not None and tensor.shape is not None for tensor in tensors):
        text = {
            t.name: np.full(t.shape or (), "text", dtype=object)
            for t in tensors
            if t.dtype == "string" and not t.example
        }
        yield text | random_feeds([t for t in tensors if t.name not in text], np.random.default_rng(0))


def _refuse_without_memory(error: BaseException | None) -> None:
    """Engines say in words of their own that there is no more memory."""
    # The errors that engines raise reach us wrapped in ours, so the causes are looked at as well.
    while error is not None:
        if any(words in str(error) for words in _NO_MEMORY):
            raise MemoryError
        error = error.__cause__


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
