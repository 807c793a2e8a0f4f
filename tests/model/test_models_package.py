"""What the package edgent-models holds, where it is installed (`make .venv/.models`)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edgent.codec import decode_pixels, fit, normalise
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.evaluation.data.folders import read_folders
from edgent.evaluation.data.parts import part_of
from edgent.model import Model, models_folder

FOLDER = models_folder()
NETWORKS = ("clothing", "clothing-int8", "clothing-big")
MOST_BYTES = 45_000_000

pytestmark = pytest.mark.skipif(
    FOLDER is None or not (FOLDER / "clothing.onnx").is_file(), reason="needs pip install packages/edgent-models"
)


@pytest.fixture(scope="module")
def folder() -> Path:
    assert FOLDER is not None
    return FOLDER


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Model:
    return load(request.param)


def test_the_package_is_small_enough_to_be_fetched(folder: Path) -> None:
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) <= MOST_BYTES


def test_a_network_says_what_it_is_and_how_good(network: Model) -> None:
    assert network.metadata.task == "classification"
    assert len(network.metadata.labels) == 10
    for entry in network.metadata.exits:
        assert entry.accuracy is not None
        assert 0.5 < entry.accuracy < 1
        assert entry.data == "clothing test"


def test_there_are_150_pictures_of_the_test_part_of_every_kind(folder: Path) -> None:
    listing = read_folders(folder / "pictures")
    assert len(listing.files) == 150
    assert {part_of(file.path.read_bytes()) for file in listing.files} == {"test"}
    assert len(Counter(file.truth for file in listing.files)) == 10


def test_a_network_is_right_about_most_of_its_pictures(network: Model, folder: Path) -> None:
    listing, form = read_folders(folder / "pictures"), network.metadata.preprocessing
    assert form is not None
    name, answer = network.inputs[0].name, network.branches[-1].outputs[0].name
    session = Engine().session(network, [name], [answer])
    files = listing.files[::6]
    right = 0
    for file in files:
        x = normalise(fit(decode_pixels(file.path.read_bytes()), form), form)
        right += int(np.argmax(session.run({name: x})[answer])) == file.truth
    assert right >= 0.8 * len(files)


def test_the_small_network_has_exits_and_the_earliest_is_the_least_accurate() -> None:
    accuracies = [branch.accuracy or 0.0 for branch in load("clothing").branches]
    assert len(accuracies) == 3
    assert accuracies[0] == min(accuracies)


def test_small_and_big_are_a_bundle_whose_best_exit_is_the_big_ones() -> None:
    bundle = load("clothing+clothing-big")
    assert bundle.branches[-1].name.startswith("clothing-big/")
