"""The README's code runs, and what the docs tell people to type exists."""

from __future__ import annotations

import functools
import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_python_block_runs(block: str) -> None:
    done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr


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
    return [found for line in lines for found in re.findall(r"(?:^|[\s/])edgent ([a-z]+)([^|#]*)", line)]


@functools.cache
def help_of(verb: str) -> str:
    """Empty if there is no such verb."""
    shown = [sys.executable, "-m", "edgent", verb, "--help"]
    done = subprocess.run(shown, capture_output=True, text=True, timeout=200, check=False)
    return "" if done.returncode else done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_verb_and_option_on_a_page_exists(page: Path) -> None:
    for verb, rest in commands(page):
        assert help_of(verb), f"edgent has no verb {verb}"
        for option in re.findall(r"(?<![\w-])(--[a-z][a-z-]*)", rest):
            assert re.search(rf"{option}(?![\w-])", help_of(verb)), f"edgent {verb} has no {option}"


def test_the_pages_show_every_verb_of_the_quickstart() -> None:
    assert {"serve", "run", "plan", "profile", "inspect"} <= {verb for page in PAGES for verb, _ in commands(page)}
