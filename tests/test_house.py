"""What keeps the house walkable: small rooms, no circles, each class name once, tests beside what they test."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SRC, TESTS = ROOT / "src", ROOT / "tests"
MOST_MODULES, MOST_LINES = 16, 400
# Tests of scripts, and of the whole against other people's programs.
OF_NO_ROOM = {
    "benchmarks",
    "benchmarks/left_running",
    "benchmarks/models",
    "benchmarks/peers",
    "benchmarks/streaming",
    "conformance",
    "deploy",
}

MODULES = {".".join(file.relative_to(SRC).with_suffix("").parts): file for file in SRC.rglob("*.py")}


def folders() -> Iterator[Path]:
    for root in (SRC, TESTS):
        yield from {file.parent for file in root.rglob("*.py")}


def imports(file: Path) -> Iterator[str]:
    """Modules of the project that a file imports, those for type checking included; a package's face does not count."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in (node.module, *inside) if name in MODULES)


def test_no_folder_has_more_modules_than_one_can_keep_in_mind() -> None:
    crowded = {
        str(folder.relative_to(ROOT)): count
        for folder in folders()
        if (count := sum(file.name != "__init__.py" for file in folder.glob("*.py"))) > MOST_MODULES
    }
    assert not crowded


def test_no_file_is_longer_than_one_takes_in_at_once() -> None:
    files = [file for root in (SRC, TESTS) for file in root.rglob("*.py")]
    assert len(files) > 300
    lines = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in files}
    assert not {name: count for name, count in lines.items() if count > MOST_LINES}


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: set(imports(file)) - {name} for name, file in MODULES.items()}
    assert sum(map(len, graph.values())) > 500
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(reversed(error.args[1]))}")


def test_each_public_class_has_a_name_of_its_own() -> None:
    names = Counter(
        node.name
        for file in MODULES.values()
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert len(names) > 200
    assert not [name for name, count in names.items() if count > 1]


def test_tests_mirror_the_rooms() -> None:
    rooms = {folder.relative_to(SRC / "edgent") for folder in (SRC / "edgent").rglob("*") if folder.is_dir()}
    tested = {file.parent.relative_to(TESTS) for file in TESTS.rglob("test_*.py")} - {Path()}
    assert not {str(folder) for folder in tested - rooms} - OF_NO_ROOM
