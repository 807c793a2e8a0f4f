"""The benchmark of loading: what it compares, and that it can fail."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgent.errors import EdgentError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def loading():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import loading

    yield loading
    sys.path.remove(str(ROOT / "benchmarks"))
    for name in ("loading", "provenance"):
        sys.modules.pop(name, None)


def stages(load: float, answer: float) -> dict[str, dict[str, float]]:
    parts = {"import": 100.0, "load": load, "answer": answer, "load_and_answer": load + answer}
    return {"wall": parts, "cpu": {stage: ms / 2 for stage, ms in parts.items()}}


def document(loading, pairs: list) -> dict:
    rows = [loading.compared(pairs, "load_and_answer", clock) for clock in ("wall", "cpu")]
    return {"stages": {"load_and_answer": rows, "import": [{"ratio": 9.0}]}}


def test_a_run_tells_every_stage_by_both_clocks(loading, tmp_path: Path) -> None:
    found = loading.run(ROOT, "b-alexnet-int8", tmp_path)
    assert set(found) == {"wall", "cpu"}
    for clock in found.values():
        assert set(clock) == {"import", "load", "answer", "load_and_answer"} and min(clock.values()) > 0
        assert clock["load_and_answer"] == pytest.approx(clock["load"] + clock["answer"])


def test_a_tree_that_does_not_run_is_said_in_one_line(loading, tmp_path: Path) -> None:
    (tmp_path / "src" / "edgent").mkdir(parents=True)
    (tmp_path / "src" / "edgent" / "__init__.py").write_text("raise ValueError('this is no version')\n")
    with pytest.raises(EdgentError, match=r"does not run b-alexnet: .*ValueError: this is no version$"):
        loading.run(tmp_path, "b-alexnet", tmp_path / "cache")


def test_ratios_are_of_pairs_and_not_of_medians(loading) -> None:
    pairs = [(stages(10, 10), stages(11, 11)), (stages(100, 100), stages(110, 110)), (stages(40, 40), stages(44, 44))]
    row = loading.compared(pairs, "load_and_answer", "wall")
    assert (row["before_ms"], row["after_ms"]) == (80, 88)
    assert row["ratio"] == row["ratio_low"] == row["ratio_high"] == 1.1


def test_one_slow_run_of_many_changes_no_verdict(loading) -> None:
    pairs = [(stages(10, 10), stages(10, 10))] * 4 + [(stages(10, 10), stages(900, 900))]
    assert loading.passes(document(loading, pairs))
    assert loading.compared(pairs, "load", "cpu")["ratio"] == 1.0


@pytest.mark.parametrize(
    ("load", "answer", "passes"), [(10, 30, True), (10, 34, True), (20, 24, True), (10, 34.5, False), (15, 30, False)]
)
def test_loading_and_answering_together_may_be_a_tenth_slower(
    loading, load: float, answer: float, passes: bool
) -> None:
    pairs = [(stages(10, 30), stages(load, answer))] * 3
    assert loading.passes(document(loading, pairs)) is passes


def test_either_clock_fails_it(loading) -> None:
    slower = stages(10, 10)
    slower["cpu"]["load_and_answer"] *= 1.2
    assert not loading.passes(document(loading, [(stages(10, 10), slower)] * 3))


def test_both_versions_are_run_in_turn_with_a_cache_of_their_own(loading, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def noted(tree: Path, model: str, cache: Path):
        seen.append((tree.name, cache, cache.is_dir()))
        return stages(1, 1)

    monkeypatch.setattr(loading, "run", noted)
    trees = (Path("before"), Path("after"))
    assert len(loading.pairs_of(trees, "net", 3, keep=True)) == 3
    assert [tree for tree, _, _ in seen] == ["before", "after", "before", "after", "after", "before", "before", "after"]
    assert len({cache for _, cache, _ in seen}) == 2, "kept"
    seen.clear()
    loading.pairs_of(trees, "net", 2, keep=False)
    assert len({cache for _, cache, _ in seen}) == 4 and all(there for _, _, there in seen), "empty each time"


def test_the_document_has_a_row_for_each_model_cache_and_clock(loading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "pairs_of", lambda *_, **__: [(stages(10, 10), stages(11, 10))])
    found = loading.measured(ROOT, 1)
    assert set(found["stages"]) == {"import", "load", "answer", "load_and_answer"} and found["pairs"] == 1
    for rows in found["stages"].values():
        kinds = {(row["model"], row["cache"], row["clock"]) for row in rows}
        assert len(kinds) == len(rows) == 3 * 2 * 2
    assert {row["ratio"] for row in found["stages"]["load"]} == {1.1}
    assert loading.passes(found)
