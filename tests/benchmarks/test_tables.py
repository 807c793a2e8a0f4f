"""Tables of figures: numbers as a reader wants them, the same on a page and in a terminal."""

from __future__ import annotations

import pytest

from tables import aligned, markdown

ROWS = [
    {"name": "one", "rate_bps": 5e4, "bytes": 126000, "ms": {"low": 1.23456}},
    {"name": "the other", "rate_bps": 2e7},
]


def test_bits_per_second_are_shown_as_mbit_per_second_and_objects_are_columns() -> None:
    assert markdown(ROWS).splitlines() == [
        "| name | rate Mbit/s | bytes | ms low |",
        "| --- | --- | --- | --- |",
        "| one | 0.05 | 126,000 | 1.235 |",
        "| the other | 20 |  |  |",
    ]


def test_in_a_terminal_numbers_end_below_each_other_and_no_line_ends_in_spaces() -> None:
    assert aligned(ROWS, ["name", "bytes", "ms_low"]).splitlines() == [
        "name       bytes    ms low",
        "one        126,000   1.235",
        "the other",
    ]


@pytest.mark.parametrize(
    ("value", "cell"),
    [(8309.1, "8309"), (1e6, "1,000,000"), (0.000123456, "0.0001235"), (-2.5, "-2.5"), (True, "yes"), (None, ""),
     (float("inf"), "inf"), ("a|b\nc", "a\\|b c")],
)  # fmt: skip
def test_a_cell_is_short_and_keeps_to_its_cell(value: object, cell: str) -> None:
    assert markdown([{"x": value}]).splitlines()[-1] == f"| {cell} |"
