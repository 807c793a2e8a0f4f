"""The README's code runs, and what the docs tell people to type exists."""

from __future__ import annotations

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


def test_every_verb_and_option_in_the_docs_exists() -> None:
    helps: dict[str, str] = {}
    for page in PAGES:
        for line in re.findall(r"edgent ([a-z]+ [^`\n]*)", page.read_text()):
            verb = line.split()[0]
            if verb not in helps:
                shown = [sys.executable, "-m", "edgent", verb, "--help"]
                done = subprocess.run(shown, capture_output=True, text=True, timeout=200, check=False)
                if done.returncode:
                    continue  # a word after the name in running text
                helps[verb] = done.stdout
            for option in re.findall(r"(--[a-z-]+)", line):
                assert option in helps[verb], f"{page.name}: edgent {verb} has no {option}"
    assert {"serve", "run", "plan", "profile", "inspect"} <= helps.keys()
