"""Tables of a figure: the same rows as text and as JSON, and a dash where nothing is known."""

from __future__ import annotations

import json
import math

import pytest

from edgent.lab.reproduction.figure import Column, Ordering, Result, Table

COLUMNS = (
    Column(key="name", title="name"),
    Column(key="latency_ms", title="latency", show=lambda ms: f"{ms:.1f} ms"),
    Column(key="met", title="met"),
)


def table(*rows: tuple[object, ...]) -> Table:
    return Table(title="numbers", columns=COLUMNS, rows=rows)


def test_a_known_value_is_printed_as_its_column_says_and_an_unknown_one_as_a_dash() -> None:
    rows = table(("a", 1.26, True), ("b", None, None), (None, 0.0, False))
    assert rows.texts() == [["a", "1.3 ms", "True"], ["b", "-", "-"], ["-", "0.0 ms", "False"]]


def test_json_has_an_object_for_each_row_and_null_for_what_never_ended() -> None:
    document = table(("a", math.inf, True), ("b", 2.0, None)).document()
    assert json.loads(json.dumps(document, allow_nan=False)) == {
        "title": "numbers",
        "rows": [{"name": "a", "latency_ms": None, "met": True}, {"name": "b", "latency_ms": 2.0, "met": None}],
    }


def test_a_row_that_lacks_a_value_is_a_mistake_that_shows() -> None:
    with pytest.raises(ValueError, match="zip"):
        table(("a", 1.0)).texts()
    with pytest.raises(ValueError, match="zip"):
        table(("a", 1.0)).document()


def test_a_result_keeps_its_long_tables_for_json_alone() -> None:
    short, long = table(("a", 1.0, True)), Table(title="details", columns=COLUMNS, rows=(("b", 2.0, False),))
    result = Result(
        orderings=(Ordering(reported="one above two", ours="2 above 1", reproduced=False, why="the device is quick"),),
        tables=(short,),
        panels=(),
        notes=("emulated",),
        details=(long,),
    )
    document = result.document()
    assert [part["title"] for part in document["tables"]] == ["numbers", "details"]
    assert [part.title for part in result.tables] == ["numbers"]
    assert document["notes"] == ["emulated"]
    assert document["orderings"][0]["reproduced"] is False
    assert "panels" not in document
