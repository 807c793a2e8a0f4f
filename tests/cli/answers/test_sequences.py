"""An answer of sequences and maps, as scikit-learn's classifiers give it, is said and kept whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from edgent.cli.answers.folder import AnswerFolder
from edgent.cli.answers.words import in_words
from edgent.device.answer import Answer
from edgent.model.metadata import Metadata
from edgent.planning.plan import Stages
from edgent.telemetry import Record
from edgent.units import Seconds


def answer(**outputs: Any) -> Answer:
    record = Record(
        input="a", label=None, exit=0, by="device", deadline_met=True, total=Seconds(0.1), stages=Stages(), plan=None
    )
    return Answer(outputs=outputs, label=None, record=record, metadata=Metadata(task="raw"), source=None)


def test_a_map_of_shares_is_said_and_is_all_in_the_document() -> None:
    shares = [{0: 0.75, 1: 0.25, 2: float("nan")}]
    result = answer(probability=shares, label=np.array(["cat"], object)).document()
    assert result["outputs"]["probability"] == {
        "type": "list",
        "length": 1,
        "values": [{"0": 0.75, "1": 0.25, "2": None}],
    }
    assert result["outputs"]["label"]["values"] == ["cat"]
    assert in_words(result) == "probability [{0: 0.75, 1: 0.25, 2: -}], label [cat]"
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_of_a_long_one_the_beginning_is_said() -> None:
    said = in_words(answer(y=[dict.fromkeys(range(100), 0.5)]).document())
    assert said.startswith("y [{0: 0.5, 1: 0.5, ") and said.endswith(", ...}]") and len(said) < 120


def test_the_arrays_of_a_sequence_are_kept_by_their_numbers(tmp_path: Path) -> None:
    parts = [np.arange(3), np.ones((2, 2), np.float32)]
    kept = answer(parts=parts, y=np.zeros(2), table={"a": 1.0})
    AnswerFolder(tmp_path, annotate=False).keep(kept, {"result": kept.document()}, "x.npy")
    arrays = np.load(tmp_path / "x.npz")
    assert sorted(arrays) == ["parts.0", "parts.1", "y"]
    assert all(np.array_equal(arrays[f"parts.{number}"], part) for number, part in enumerate(parts))
    assert in_words(kept.document()).startswith("parts [[0, 1, 2], [1, 1, 1, 1]], y")
