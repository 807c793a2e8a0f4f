"""The README's code runs, and what the docs tell people to type exists."""

from __future__ import annotations

import functools
import itertools
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import edgent

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


def strictly_typed(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What mypy says of a program that uses the package: of the installed wheel, or else of the sources."""
    pytest.importorskip("mypy", reason="mypy is in the group `check`: `make check` runs this test")
    (folder / "block.py").write_text(code)
    sources = {} if HOME.name == "site-packages" else {"MYPYPATH": str(HOME)}
    options = ("--strict", "--follow-imports=silent", "--config-file=", "--cache-dir=.mypy")
    return run("-m", "mypy", *options, "block.py", folder=folder, **sources)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_python_block_passes_mypy_strict(block: str, tmp_path: Path) -> None:
    done = strictly_typed(block, tmp_path)
    assert done.returncode == 0, done.stdout


def test_to_mypy_the_package_has_types(tmp_path: Path) -> None:
    done = strictly_typed("import edgent\nreveal_type(edgent.connect)\nedgent.load(3)\n", tmp_path)
    assert "-> edgent.device.device.Device" in done.stdout
    assert done.stdout.count("error:") == 1 and 'incompatible type "int"' in done.stdout


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
    return [found for line in lines for found in re.findall(r"(?:^|[\s/])edgent ([a-z-]+)([^|#]*)", line)]


OF_VERBS = {"token": ("create",), "devices": ("list", "limit", "remove")}


@functools.cache
def help_of(verb: str) -> str:
    """Empty if there is no such verb; of one with verbs of its own, theirs as well."""
    shown = [sys.executable, "-m", "edgent", *verb.split(), "--help"]
    done = subprocess.run(shown, capture_output=True, text=True, timeout=200, check=False)
    further = [help_of(f"{verb} {word}") for word in OF_VERBS.get(verb, ())]
    return "" if done.returncode else "".join((done.stdout, *further))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_verb_and_option_on_a_page_exists(page: Path) -> None:
    for verb, rest in commands(page):
        assert help_of(verb), f"edgent has no verb {verb}"
        for option in re.findall(r"(?<![\w-])(--[a-z][a-z-]*)", rest):
            assert re.search(rf"{option}(?![\w-])", help_of(verb)), f"edgent {verb} has no {option}"


def test_the_pages_show_every_verb_of_the_quickstart() -> None:
    assert {"serve", "run", "plan", "profile", "inspect"} <= {verb for page in PAGES for verb, _ in commands(page)}
