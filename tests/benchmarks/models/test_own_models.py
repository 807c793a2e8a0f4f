"""The benchmark of steps: what it fills in by hand, what it counts, and that it can fail."""

from __future__ import annotations

import numpy as np
import pytest

import models
import own_models
from edgent.engine.loading import load
from edgent.model.configuration.draft import draft, write_draft
from edgent.model.configuration.guess import ports
from edgent.model.configuration.sources import find
from graphs import residual, saved


def row(**changes):
    good = {"files": 1, "keys": 2, "commands_alone": 4, "commands_edge": 4, "same": True}
    return own_models.Row(**{**good, **changes})


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({}, True),
        ({"files": 2}, False),
        ({"commands_alone": 5}, False),
        ({"commands_edge": 5}, False),
        ({"same": False}, False),
        ({"why": "plan: no"}, False),
    ],
)
def test_a_model_passes_with_one_file_four_commands_and_one_answer(changes, passes) -> None:
    assert row(**changes).passes is passes


def test_a_draft_is_filled_in_as_a_reader_would(model_file) -> None:
    proto = residual(batch="N")
    saved(proto, model_file)
    text = write_draft(model_file, draft(proto, find(model_file, proto)), *ports(proto))
    filled = own_models.filled(text, {"task": "raw", "preprocessing.color": "BGR", "dims.N": 2})
    model_file.with_name("model.edgent.toml").write_text(filled)
    model = load(model_file)
    assert model.metadata.task == "raw" and model.inputs[0].shape[0] == 2
    assert model.metadata.preprocessing.color == "BGR"


def test_what_a_draft_does_not_mention_cannot_be_filled_in() -> None:
    with pytest.raises(ValueError, match=r"nothing of limits\.score"):
        own_models.filled('# task = "raw"\n', {"limits.score": 0.5})


def test_answers_are_alike_within_rounding_and_in_all_outputs() -> None:
    one = {"y": np.array([100.0, 1.0], np.float32), "n": np.array([3])}
    assert own_models.alike(one, {"y": one["y"] * np.float32(1 + 1e-5), "n": one["n"]})
    assert not own_models.alike(one, {"y": one["y"] + 1, "n": one["n"]})
    assert not own_models.alike(one, {"y": one["y"], "n": one["n"] + 1})
    assert not own_models.alike(one, {"y": one["y"]})
    assert not own_models.alike({"y": np.zeros((1, 6), np.float32)}, {"y": np.zeros((2, 6), np.float32)})


def test_each_recipe_is_for_a_model_of_the_list() -> None:
    names = {entry.name for entry in models.MODELS}
    assert own_models.RECIPES.keys() <= names and own_models.GRAPHS.keys() <= own_models.RECIPES.keys()
