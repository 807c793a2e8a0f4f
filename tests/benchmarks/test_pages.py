"""What pages name is there: other pages, files and folders of ours, modules that are run, targets of make."""

from __future__ import annotations

import fnmatch
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

each_page = pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])


def files(text: str) -> set[str]:
    """What a page names as code and looks like a file or folder of ours; running text is no code."""
    code = " ".join(re.findall(r"`([^`\n]+)`", text))
    return set(re.findall(r"(?<![\w./~-])(?:[\w-]+/)*(?:\w+\.py|(?<=/))(?![\w/])", code))


def is_there(name: str) -> bool:
    return any((folder / name).exists() for folder in (ROOT, ROOT / "src", ROOT / "src" / "edgent"))


@each_page
def test_every_link_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


@each_page
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    assert not [name for name in files(page.read_text()) if not is_there(name)]


def test_files_and_folders_are_told_from_other_code() -> None:
    text = "`device/device.py`, `python benchmarks/turns.py --json`, `lab/figures/`; a/b.py `~/.cache/x.py` `P/edgent`"
    assert files(text) == {"device/device.py", "benchmarks/turns.py", "lab/figures/"}


@each_page
def test_every_module_that_a_page_runs_exists(page: Path) -> None:
    for module in re.findall(r"python -m (edgent[\w.]*)", page.read_text()):
        assert importlib.util.find_spec(module) is not None, module


@each_page
def test_every_target_of_make_on_a_page_exists(page: Path) -> None:
    targets = re.findall(r"^([\w%-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    patterns = [target.replace("%", "*") for target in targets]
    named = re.findall(r"^make ([\w-]+)|`make ([\w-]+)", page.read_text(), re.MULTILINE)
    for target in {first or second for first, second in named}:
        assert any(fnmatch.fnmatchcase(target, pattern) for pattern in patterns), target
