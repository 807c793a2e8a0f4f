"""What stands beside figures: commit, day and processor, and nothing that tells one machine's owner."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def provenance():
    sys.path.insert(0, str(FOLDER))
    import provenance

    yield provenance
    sys.path.remove(str(FOLDER))
    sys.modules.pop("provenance", None)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with one commit."""
    (tmp_path / "file").write_text("as committed")
    for words in ("init -q", "add file", "-c user.name=n -c user.email=e commit -q -m first"):
        subprocess.run(["git", "-C", str(tmp_path), *words.split()], check=True)
    return tmp_path


def test_a_changed_tree_is_told_from_its_commit(provenance, tree: Path) -> None:
    head = subprocess.run(["git", "-C", str(tree), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert provenance.commit(tree) == head.stdout[:12]
    (tree / "file").write_text("changed")
    assert provenance.commit(tree) == head.stdout[:12] + "+"


def test_outside_a_repository_there_is_no_commit(provenance, tmp_path: Path) -> None:
    assert provenance.commit(tmp_path) == ""


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        ("model\t: 17\nmodel name\t: AMD EPYC\ncpu family\t: 25\n", "AMD EPYC, family 25, model 17"),
        ("model name : Cortex: A72\n", "Cortex: A72, family ?, model ?"),
    ],
)
def test_the_processor_is_named_as_linux_names_it(provenance, cpuinfo: str, name: str) -> None:
    assert provenance.processor(cpuinfo) == name


def test_without_linux_a_processor_still_has_a_name(provenance) -> None:
    assert provenance.processor("")


def test_no_path_and_no_host_is_told(provenance, tree: Path) -> None:
    found = provenance.provenance(tree, datetime(2031, 2, 3, tzinfo=UTC))
    assert found["date"] == "2031-02-03"
    assert set(found) == {"commit", "date", "processor", "cores", "python", "onnxruntime", "numpy"}
    assert not any("/" in str(value) for value in found.values())
