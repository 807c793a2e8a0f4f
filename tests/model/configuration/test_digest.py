"""What a configuration says of pictures changes the digest where it changes an answer, and nothing else does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgent.engine.loading import load
from edgent.model.configuration.document import KEY
from graphs import residual, saved

FORM = {
    "size": [8, 8], "resize": "stretch", "color": "RGB", "layout": "NCHW", "scale": 0.5, "mean": [0, 0.25, 0],
    "std": [1.0, 1.0, 2.0],
}  # fmt: skip
PLAIN = '"size": [8, 8], "mean": [0, 0.25, 0], "std": [1, 1, 2]'


def digest(path: Path, text: str) -> str:
    """Of a network with this text under our own key."""
    proto = residual(batch="N")
    proto.metadata_props.add(key=KEY, value=text)
    return load(saved(proto, path)).digest


def said(**changed: object) -> str:
    return json.dumps({"preprocessing": FORM | changed})


@pytest.mark.parametrize(
    "text",
    [
        said(mean=[0, 0.5, 0]),
        said(std=[1, 1, 2.5]),
        said(scale=0.25),
        said(resize="crop"),
        said(resize="crop", crop=0.5),
        said(filter="bicubic"),
        said(resize="letterbox"),
        said(resize="letterbox", padding=0),
        said(resize="height", excess="refuse"),
        said(color="BGR"),
        "{}",
    ],
)
def test_another_way_to_prepare_a_picture_is_another_model(text: str, model_file: Path) -> None:
    assert digest(model_file, text) != digest(model_file, said())


@pytest.mark.parametrize(
    "text",
    [
        said(filter="bilinear", crop=1, padding=114, excess="shrink"),
        said(mean=[-0.0, 0.25, 0]),
        json.dumps({"preprocessing": dict(reversed(FORM.items()))}),
        json.dumps({"preprocessing": FORM, "dims": {"N": 1}}),
        json.dumps({"preprocessing": FORM, "labels": ["cat", "dog"]}),
        '{"preprocessing": {' + PLAIN + ', "scale": 0.5}}',
        '{"preprocessing": {"scale": 5e-1, ' + PLAIN + "}}",
    ],
)
def test_another_way_to_write_it_is_not(text: str, model_file: Path) -> None:
    assert digest(model_file, text) == digest(model_file, said())
