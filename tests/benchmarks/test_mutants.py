"""The judge of the tests: what it plants, draws, counts and loads."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from datetime import date
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def mutants():
    spec = importlib.util.spec_from_file_location("mutants", ROOT / "benchmarks" / "mutants.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutants"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["mutants"]


def some(mutants, file: str, count: int) -> list:
    return [mutants.Mutant(file=file, source=f"{file} {k}") for k in range(count)]


def test_what_its_table_names_is_there(mutants):
    for file, tests in mutants.ROOMS.items():
        assert (ROOT / "src" / "edgent" / file).is_file(), file
        assert tests
        for test in tests:
            assert (ROOT / "tests" / test).exists(), test


def test_of_each_file_a_share_is_drawn_that_is_not_too_small_to_say_anything(mutants):
    population = {
        "long": some(mutants, "long", 800),
        "short": some(mutants, "short", 200),
        "tiny": some(mutants, "t", 9),
    }
    drawn = mutants.sample(population, 101, seed=3)
    count = {file: sum(each.file == file for each in drawn) for file in ("long", "short", "t")}
    assert count == {"long": 80, "short": 20, "t": 9}
    assert len({each.source for each in drawn}) == 109
    assert drawn == mutants.sample(population, 101, seed=3) != mutants.sample(population, 101, seed=4)


@pytest.mark.parametrize(
    ("survivors", "enough"),
    [({}, True), ({"a": 20}, True), ({"a": 21}, False), ({"a": 10, "b": 10}, True), ({"a": 11, "b": 10}, False)],
)
def test_nine_of_ten_must_be_noticed_over_all_and_eight_of_ten_in_each_file(mutants, monkeypatch, survivors, enough):
    drawn = some(mutants, "a", 100) + some(mutants, "b", 100)
    verdicts = [
        "survived" if k % 100 < survivors.get(each.file, 0) else ("killed", "timeout")[k % 2]
        for k, each in enumerate(drawn)
    ]
    monkeypatch.setattr(mutants.Mutant, "diff", "what was changed")
    found = mutants.report(drawn, verdicts)
    assert found["enough"] == enough
    assert found["all"]["mutants"] == 200
    assert found["all"]["survived"] == len(found["survivors"]) == sum(survivors.values())
    assert sum(each["killed"] + each["timeout"] for each in found["files"].values()) == 200 - sum(survivors.values())


def test_its_table_has_a_line_for_each_file_and_one_for_all(mutants):
    drawn = some(mutants, "room/a.py", 4)
    found = mutants.report(drawn, ["killed", "killed", "timeout", "killed"])
    header, file, all_of_them = mutants.table(found).splitlines()
    assert header.split() == ["mutants", "killed", "survived", "timeouts", "noticed"]
    assert file.split() == ["room/a.py", "4", "3", "0", "1", "100.0%"]
    assert all_of_them.split() == ["all", "4", "3", "0", "1", "100.0%"]


def test_a_mutant_is_loaded_in_place_of_its_file_and_nothing_else_is(mutants):
    finder = mutants._Finder(mutants.Mutant(file="units.py", source="CHANGED = 7\n"))
    spec = finder.find_spec("edgent.units")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.CHANGED == 7
    assert finder.find_spec("edgent.errors") is None
    package = mutants._Finder(mutants.Mutant(file="codec/__init__.py", source="")).find_spec("edgent.codec")
    assert package.submodule_search_locations == [str(ROOT / "src" / "edgent" / "codec")]


def test_a_report_tells_how_to_run_it_again(mutants):
    found = mutants._circumstances(argparse.Namespace(sample=600, seed=5))
    assert (found["sample"], found["seed"]) == (600, 5)
    assert date.fromisoformat(found["date"]) and len(found["commit"]) in (0, 40)


SOURCE = """
from __future__ import annotations
Order = Literal["first", "last"]
MOST = 3

class Box:
    open: bool = False

    @property
    def full(self) -> bool:
        return len(self.things) >= MOST

def pairs(a, b):
    return list(zip(a, b, strict=True))
"""


def test_constants_and_properties_are_mutated_and_what_only_readers_see_is_not(mutants, monkeypatch):
    pytest.importorskip("mutmut", reason="in an environment of its own: make mutants")
    monkeypatch.setattr(mutants, "_source", lambda file: SOURCE)
    changed = {line for each in mutants.mutants_of("a.py") for line in set(each.source.splitlines())}
    changed -= set(SOURCE.splitlines())
    assert {"MOST = 4", "MOST = None", "    open: bool = True", "        return len(self.things) > MOST"} <= changed
    assert not [
        line for line in changed if line.startswith("Order") or "=None)" in line or "=False)" in line or "b, )" in line
    ]
    assert "    open: bool = None" not in changed
    assert "    return list(zip(b, strict=True))" in changed
