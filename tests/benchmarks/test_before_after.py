"""A figure before a change and after it: by turns, and as a ratio of each round."""

from __future__ import annotations

from pathlib import Path

import pytest

from before_after import by_turns, changes, figures, main
from edgent.errors import EdgentError

BEFORE, AFTER = Path("before"), Path("after")


def test_every_number_of_a_document_is_a_figure_called_by_its_keys() -> None:
    document = {"rows": [{"ms": 3, "name": "x", "fine": True}, {"ms": 4.5, "left": None}], "ratio": {"1": 1.1}}
    assert dict(figures(document)) == {"rows.0.ms": 3.0, "rows.1.ms": 4.5, "ratio.1": 1.1}


def test_who_is_first_changes_from_round_to_round() -> None:
    order: list[Path] = []
    by_turns(lambda tree: order.append(tree) or {}, BEFORE, AFTER, 3)
    assert order == [BEFORE, AFTER, AFTER, BEFORE, BEFORE, AFTER]


def test_a_machine_that_becomes_slower_does_not_make_the_change_slow() -> None:
    slowness = iter([1.0, 1.0, 2.0, 2.0, 4.0, 4.0])
    pairs = by_turns(lambda tree: {"ms": next(slowness) * (11.0 if tree == AFTER else 10.0)}, BEFORE, AFTER, 3)
    (change,) = changes(pairs)
    assert (change.ratio, change.least, change.most) == pytest.approx((1.1, 1.1, 1.1))
    assert (change.before, change.after) == pytest.approx((20.0, 22.0))


def test_a_ratio_is_the_median_of_its_rounds_and_has_their_range() -> None:
    (change,) = changes([({"ms": 1.0}, {"ms": ratio}) for ratio in (0.9, 1.5, 1.0)])
    assert (change.ratio, change.least, change.most) == (1.0, 0.9, 1.5)


def test_only_what_every_run_has_above_zero_is_compared() -> None:
    pairs = [({"ms": 1.0, "old": 2.0, "late": 0.0}, {"ms": 2.0, "new": 3.0, "late": 4.0})]
    assert [change.figure for change in changes(pairs)] == ["ms"]


def test_a_tree_without_the_benchmark_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "benchmarks").mkdir()
    monkeypatch.setattr("sys.argv", ["before_after.py", str(tmp_path), "footprint", "--after", str(tmp_path)])
    with pytest.raises(EdgentError, match=r"footprint\.py"):
        main()
