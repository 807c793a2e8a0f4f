"""The README's code runs, and what the docs tell people to type exists."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import edgent
from shown_help import help_of

ROOT = Path(__file__).parent.parent
HOME = Path(edgent.__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [
    pytest.param(textwrap.dedent(block), id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"^ *```python\n(.*?)```", page.read_text(), re.DOTALL | re.MULTILINE))
]


def run(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python with these arguments, in a folder of its own."""
    command = [sys.executable, *arguments]
    variables = os.environ | environment
    if "PYTHONPATH" in variables:
        variables["PYTHONPATH"] = str(HOME)
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, cwd=folder, env=variables)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_python_block_runs(block: str, tmp_path: Path) -> None:
    done = run("-c", block, folder=tmp_path)
    assert done.returncode == 0, done.stderr


PACKAGE = pytest.param("import edgent\nreveal_type(edgent.connect)\nedgent.load(3)\n", id="the package")


@pytest.fixture(scope="module")
def said_by_mypy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Of each block, as a program that uses the package: of the installed wheel, or else of the sources."""
    pytest.importorskip("mypy", reason="mypy is in the group `check`: `make check` runs this test")
    folder = tmp_path_factory.mktemp("typed")
    files = {str(block.id): f"block_{number}.py" for number, block in enumerate([*BLOCKS, PACKAGE])}
    for block in [*BLOCKS, PACKAGE]:
        (folder / files[str(block.id)]).write_text(block.values[0])
    sources = {} if HOME.name == "site-packages" else {"MYPYPATH": str(HOME)}
    options = ("--strict", "--follow-imports=silent", "--config-file=", "--cache-dir=.mypy")
    # All in one run: most of it is the reading of the package.
    done = run("-m", "mypy", *options, *files.values(), folder=folder, **sources)
    assert done.returncode == 1, done.stderr  # for one of them is wrong
    return {
        block: [line for line in done.stdout.splitlines() if line.startswith(f"{file}:")]
        for block, file in files.items()
    }


@pytest.mark.parametrize("block", [block.id for block in BLOCKS])
def test_a_python_block_passes_mypy_strict(block: str, said_by_mypy: dict[str, list[str]]) -> None:
    assert said_by_mypy[block] == []


def test_to_mypy_the_package_has_types(said_by_mypy: dict[str, list[str]]) -> None:
    note, error = said_by_mypy["the package"]
    assert "-> edgent.device.device.Device" in note
    assert "error:" in error and 'incompatible type "int"' in error


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def commands(page: Path) -> list[tuple[str, str]]:
    """Each verb that a page shows as code, with the rest of its command; running text is no code."""
    text = page.read_text().replace("\\\n", " ")
    blocks = [block for language, block in re.findall(r"```(\w*)\n(.*?)```", text, re.DOTALL) if language != "python"]
    running = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    blocks += re.findall(r"^    (.*)$", running, re.MULTILINE)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", running)]
    lines = itertools.chain(spans, *(block.splitlines() for block in blocks))
    return [found for line in lines for found in re.findall(r"(?:^|[\s/])edgent ([a-z]+(?:-[a-z]+)*)([^|#]*)", line)]


OF_VERBS = {"token": ("create",), "devices": ("list", "limit", "remove")}


def shown_of(verb: str) -> str:
    """Empty if there is no such verb; of one with verbs of its own, theirs as well."""
    return "".join(help_of(verb, *word) for word in ((), *((word,) for word in OF_VERBS.get(verb, ()))))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_verb_and_option_on_a_page_exists(page: Path) -> None:
    for verb, rest in commands(page):
        assert shown_of(verb), f"edgent has no verb {verb}"
        for option in re.findall(r"(?<![\w-])(--[a-z][a-z-]*)", rest):
            assert re.search(rf"{option}(?![\w-])", shown_of(verb)), f"edgent {verb} has no {option}"


def test_the_pages_show_every_verb_of_the_quickstart() -> None:
    assert {"serve", "run", "plan", "profile", "inspect"} <= {verb for page in PAGES for verb, _ in commands(page)}
