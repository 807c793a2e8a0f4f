"""Device, edge and link as processes, once and in small: every kind of fault, and what is promised all the same."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

import chaos
from edgent.errors import EdgentError
from edgent.lab.chaos.faults import Fault
from edgent.lab.chaos.ground import small_disk
from edgent.lab.chaos.invariants import judged
from edgent.lab.chaos.real import Phase, possible_kinds, run
from edgent.units import Seconds


class ShortFaults:
    """Each kind once; and requests until all of them are over."""

    def __init__(self):
        self._over = threading.Event()

    def faults(self):
        for kind in possible_kinds():
            yield Fault(kind=kind, quiet=Seconds(0.1), seconds=Seconds(0.2))
        self._over.set()

    def phases(self):
        yield Phase(callers=4, requests=400)
        for _ in range(100):
            yield Phase(callers=1, requests=100)
            if self._over.is_set():
                break


def test_every_fault_is_made_and_undone_and_what_is_promised_holds(tmp_path: Path):
    made = chaos.bench(tmp_path)
    short = ShortFaults()
    found = run(tmp_path / "run", chaos.MODEL, made.profile, made.pictures, short.phases(), short.faults())
    verdict = judged(found.outcomes, found.lateness.between)
    assert verdict.requests >= 500
    assert not (verdict.wrong or verdict.twice or verdict.untyped), verdict.examples
    assert {spell.kind for spell in found.faults} == set(possible_kinds())
    assert found.edge_starts >= 3  # it was killed, and it was asked to stop


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="a disk takes root")
def test_a_small_disk_is_full_at_its_size_and_gone_in_the_end(tmp_path: Path):
    with small_disk(tmp_path / "disk"):
        with pytest.raises(OSError), (tmp_path / "disk" / "a").open("wb") as file:
            for _ in range(200):
                file.write(bytes(1 << 20))
        assert (tmp_path / "disk" / "a").stat().st_size < 100 << 20
    assert not list((tmp_path / "disk").iterdir())


def test_a_disk_that_cannot_be_made_is_told_in_one_line(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "mount").write_text(f"#!{sys.executable}\nimport sys\nsys.exit('only root can do that')\n")
    (tmp_path / "mount").chmod(0o755)
    with pytest.raises(EdgentError, match=r"^mount failed \(only root can do that\), expected"), small_disk(tmp_path):
        pass
