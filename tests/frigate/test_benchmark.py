"""What the benchmark of Frigate's endpoint counts, and when it says that a target was missed."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

from edgent.lab.chaos.faults import FaultSpell
from frigate_client import NOTHING, Detection

benchmark = import_module("frigate")


def asked(at: float, seconds: float = 0.05, **more: bool) -> object:
    return benchmark.Asked(at=at, seconds=seconds, **({"timed_out": False, "empty": False, "other": False} | more))


def test_questions_are_counted_under_the_fault_that_there_was() -> None:
    spells = [FaultSpell(kind="kill", since=10.0, until=12.0), FaultSpell(kind="stop", since=20.0, until=21.0)]
    questions = [asked(1), asked(11), asked(11.5, 0.2, timed_out=True, empty=True), asked(20.5, empty=True), asked(30)]
    document = benchmark.figures(questions, spells)
    rows = {row["fault"]: row for row in document["rows"]}
    assert [rows[fault]["frames"] for fault in ("none", "kill", "stop")] == [2, 2, 1]
    assert rows["kill"]["timed_out"] == 1 and rows["kill"]["most_ms"] == 200
    assert document["whole"]["empty"] == 2 and document["faults"] == 2


@pytest.mark.parametrize(
    ("rows", "empty", "other"),
    [(NOTHING, True, True), (NOTHING + 0.5, False, False), (NOTHING + 0.502, False, True)],
)
def test_an_answer_is_held_against_what_the_board_alone_finds(rows: np.ndarray, empty: bool, other: bool) -> None:
    class Client:
        def detect(self, tensor: np.ndarray) -> Detection:
            assert tensor.shape == (1, 2, 2, 3)
            return Detection(rows=rows.astype(np.float32), seconds=0.01, timed_out=False)

    known = benchmark.Known(pixels=np.zeros((2, 2, 3), np.uint8), rows=NOTHING + np.float32(0.5))
    question = benchmark.one_question(Client(), known)
    assert (question.empty, question.other, question.timed_out) == (empty, other, False)
