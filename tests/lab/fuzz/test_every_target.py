"""Every decoder and reader has a target, and a new one cannot be forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgent.document import Document
from edgent.lab.fuzz.every_target import every_target
from edgent.lab.fuzz.fuzzing import fuzzed
from edgent.lab.fuzz.readers import NOT_FUZZED, reading_modules

FEW = 40


@pytest.fixture(scope="module")
def targets(model, tmp_path_factory):
    return every_target(model, tmp_path_factory.mktemp("fuzz"))


def test_each_module_that_reads_has_a_target_or_a_reason(targets):
    covered = {module for target in targets for module in target.modules}
    reading = set(reading_modules())
    assert len(reading) > 40
    assert reading - covered - NOT_FUZZED.keys() == set(), "give it a target, or say in NOT_FUZZED why it needs none"
    assert NOT_FUZZED.keys() - reading == set(), "these read no more"
    assert NOT_FUZZED.keys() & covered == set(), "these have a target after all"


@pytest.mark.parametrize(
    ("line", "reads"),
    [
        ("import json\nx = json.loads(text)", True),
        ("from edgent.document import parse\nx = parse(text)", True),
        ("x = Address.parse(text)", False),
        ("x = np.frombuffer(data, 'f4')", True),
        ("x = m.Thing.FromString(data)", True),
        ("x = sum(data)", False),
    ],
)
def test_a_new_reader_is_seen_wherever_it_stands(tmp_path: Path, line, reads):
    (tmp_path / "wire").mkdir()
    (tmp_path / "wire" / "brand_new.py").write_text(line)
    assert list(reading_modules(tmp_path)) == (["wire.brand_new"] if reads else [])


def test_each_kind_of_document_has_a_target_of_its_name(targets):
    kinds = {kind.KIND for kind in Document.__subclasses__()}
    assert len(kinds) > 4
    assert kinds - {target.name for target in targets} == set()


def test_names_of_targets_are_distinct(targets):
    names = [target.name for target in targets]
    assert len(set(names)) == len(names) > 50


def test_no_reader_fails_on_a_few_changed_inputs(targets):
    """The same that `make fuzz` does with a million: seeds and order are fixed, so a failure is made again at once."""
    results = [fuzzed(target, 1, range(FEW)) for target in targets]
    assert [finding for result in results for finding in result.findings] == []
    assert sum(result.read for result in results) > 10 * len(targets)
    assert sum(result.rejected for result in results) > 10 * len(targets)
