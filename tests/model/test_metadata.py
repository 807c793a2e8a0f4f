from __future__ import annotations

import json

import pytest

from edgent.errors import ModelError
from edgent.model.metadata import Metadata, parse

EXIT = {"name": "last", "outputs": ["y"], "accuracy": 0.9, "samples": 100, "data": "made"}
PICTURES = {"size": [28, 32], "mean": [0.5], "std": [0.5], "color": "L"}


def document(**changed: object) -> str:
    return json.dumps({"version": 1, "exits": [EXIT], "labels": ["cat", "dog"], "preprocessing": PICTURES, **changed})


def test_what_is_left_out_has_its_default() -> None:
    assert parse('{"version": 1}') == Metadata()
    found = parse(document())
    assert found.labels == ("cat", "dog") and found.exits[0].accuracy == 0.9
    assert found.preprocessing is not None
    assert (found.preprocessing.size, found.preprocessing.layout) == ((28, 32), "NCHW")
    assert parse(found.to_json()) == found


def test_whole_sizes_may_be_written_as_fractions() -> None:
    found = parse(document(preprocessing={**PICTURES, "size": [28.0, 32]}))
    assert found.preprocessing is not None and found.preprocessing.size == (28, 32)


def pictures(**changed: object) -> str:
    return document(preprocessing={**PICTURES, **changed})


def of_exit(**changed: object) -> str:
    return document(exits=[{**EXIT, **changed}])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '{"version": 2}',
        '{"version": true}',
        '{"version": 1, "version": 1}',
        document(more=1),
        document(labels="cat"),
        document(labels={"cat": 0}),
        document(labels=[1, 2]),
        document(labels=[None]),
        document(exits={"name": "last"}),
        document(exits=[["last"]]),
        document(exits=[{"name": "last"}]),
        document(preprocessing=[28, 28]),
        document(preprocessing={}),
        of_exit(accuracy="0.9"),
        of_exit(accuracy=True),
        of_exit(accuracy=1.5),
        of_exit(accuracy=-0.1),
        of_exit(accuracy=10**400),
        of_exit(outputs="y"),
        of_exit(outputs=[]),
        of_exit(outputs=[1]),
        of_exit(samples="many"),
        of_exit(samples=1.5),
        of_exit(name=3),
        of_exit(more=1),
        pictures(size=[True, 28]),
        pictures(size=[28]),
        pictures(size=[28, 28, 28]),
        pictures(size=28),
        pictures(size="28"),
        pictures(size=[28.5, 28]),
        pictures(size=[0, 28]),
        pictures(size=[-28, 28]),
        pictures(size=[10**9, 10**9]),
        pictures(size=[10**400, 28]),
        pictures(scale="1"),
        pictures(scale=0),
        pictures(scale=True),
        pictures(scale=10**400),
        pictures(mean=0.5),
        pictures(mean=[0.5, 0.5]),
        pictures(mean=["0.5"]),
        pictures(std=[0]),
        pictures(resize="zoom"),
        pictures(resize=1),
        pictures(color=None),
        document(labels="L").replace('"L"', r'["\ud800"]'),
        document(labels="L").replace('"L"', "[" * 9000),
        of_exit(accuracy="A").replace('"A"', "NaN"),
        of_exit(accuracy="A").replace('"A"', "9" * 9000),
        pictures(size="S").replace('"S"', "[true, 1e999]"),
        pictures(scale="S").replace('"S"', "1e999"),
    ],
)
def test_metadata_that_cannot_be_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse(text)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
