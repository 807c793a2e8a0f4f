"""The README's code runs, and what the docs tell people to type exists."""

from __future__ import annotations

import fnmatch
import functools
import importlib.util
import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
BLOCKS = [
    pytest.param(block, id=f"{name}-{number}")
    for name, page in zip(NAMES, PAGES, strict=True)
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_python_block_runs(block: str) -> None:
    done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def files(text: str) -> set[str]:
    """What a page names as code and looks like a file or folder of ours; running text is no code."""
    code = " ".join(re.findall(r"`([^`\n]+)`", text))
    return set(re.findall(r"(?<![\w./~-])(?:[\w-]+/)*(?:\w+\.py|(?<=/))(?![\w/])", code))


def is_there(name: str) -> bool:
    return any((folder / name).exists() for folder in (ROOT, ROOT / "src", ROOT / "src" / "edgent"))


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    assert not [name for name in files(page.read_text()) if not is_there(name)]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_module_that_a_page_runs_exists(page: Path) -> None:
    for module in re.findall(r"python -m (edgent[\w.]*)", page.read_text()):
        assert importlib.util.find_spec(module) is not None, module


def test_files_and_folders_are_told_from_other_code() -> None:
    text = (
        "`device/device.py` and `python benchmarks/rivals.py --json`, `lab/figures/`; a/b.py `~/.cache/x.py` `P/edgent`"
    )
    assert files(text) == {"device/device.py", "benchmarks/rivals.py", "lab/figures/"}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_target_of_make_on_a_page_exists(page: Path) -> None:
    targets = re.findall(r"^([\w%-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = set(re.findall(r"^make ([\w-]+)|`make ([\w-]+)", page.read_text(), re.MULTILINE))
    patterns = [target.replace("%", "*") for target in targets]
    for target in {first or second for first, second in named}:
        assert any(fnmatch.fnmatchcase(target, pattern) for pattern in patterns), target


def commands(page: Path) -> list[tuple[str, str]]:
    """Each verb that a page shows as code, with the rest of its command; running text is no code."""
    text = page.read_text().replace("\\\n", " ")
    blocks = [block for language, block in re.findall(r"```(\w*)\n(.*?)```", text, re.DOTALL) if language != "python"]
    running = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    blocks += re.findall(r"^    (.*)$", running, re.MULTILINE)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", running)]
    lines = itertools.chain(spans, *(block.splitlines() for block in blocks))
    return [found for line in lines for found in re.findall(r"(?:^|[\s/])edgent ([a-z]+)([^|#]*)", line)]


@functools.cache
def help_of(verb: str) -> str:
    """Empty if there is no such verb."""
    shown = [sys.executable, "-m", "edgent", verb, "--help"]
    done = subprocess.run(shown, capture_output=True, text=True, timeout=200, check=False)
    return "" if done.returncode else done.stdout


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_verb_and_option_on_a_page_exists(page: Path) -> None:
    for verb, rest in commands(page):
        assert help_of(verb), f"edgent has no verb {verb}"
        for option in re.findall(r"(?<![\w-])(--[a-z][a-z-]*)", rest):
            assert re.search(rf"{option}(?![\w-])", help_of(verb)), f"edgent {verb} has no {option}"


def test_the_pages_show_every_verb_of_the_quickstart() -> None:
    assert {"serve", "run", "plan", "profile", "inspect"} <= {verb for page in PAGES for verb, _ in commands(page)}
