"""Where figures come from: the commit, the day, the processor and the engine. No names or paths of a machine."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime

_CPUINFO = Path("/proc/cpuinfo")


def provenance(source: Path, now: datetime | None = None) -> dict[str, str | int]:
    """What belongs beside figures.

    Args:
        source: any folder of the repository that was measured.
        now: when; by default the present.
    """
    return {
        "commit": commit(source),
        "date": (now or datetime.now(UTC)).date().isoformat(),
        "processor": processor(_CPUINFO.read_text() if _CPUINFO.is_file() else ""),
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
    }


def commit(source: Path) -> str:
    """The commit of a working tree, with a plus where it was changed since; empty where there is none."""
    said = [_git(source, *words) for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "-uno"))]
    return said[0] and said[0][:12] + ("+" if said[1] else "")


def processor(cpuinfo: str) -> str:
    """The processor's name, family and model as Linux tells them; elsewhere what Python knows."""
    entries = (line.partition(":") for line in cpuinfo.splitlines())
    known = {key.strip(): value.strip() for key, _, value in entries}
    if "model name" not in known:
        return platform.processor() or platform.machine()
    return f"{known['model name']}, family {known.get('cpu family', '?')}, model {known.get('model', '?')}"


def _git(source: Path, *words: str) -> str:
    ended = subprocess.run(["git", "-C", str(source), *words], capture_output=True, text=True, check=False, timeout=60)
    return ended.stdout.strip() if ended.returncode == 0 else ""
