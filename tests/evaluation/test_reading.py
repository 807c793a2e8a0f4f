"""Outputs read by their task: beside the numbers that a network was built to answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.evaluation.data.examples import Listed, Listing, opened
from edgent.evaluation.reading import form_of, reader_of, task_of
from edgent.model import Metadata
from evaluation.data.folders_on_disk import picture
from evaluation.small_networks import FORM, answers


@pytest.fixture
def examples(tmp_path: Path):
    picture(tmp_path / "one.png", 100, (24, 16))  # 24 wide, 16 high: the networks see 8 x 8
    return opened(Listing(name="one", format="pictures", files=(Listed(path=tmp_path / "one.png"),)))


def network(folder: Path, value: object, **said: object):
    return load(answers(folder, np.array(value, np.float32), Metadata(preprocessing=FORM, **said)))


@pytest.mark.parametrize(
    ("value", "task"),
    [
        ([[0.1, 0.9, 0.3]], "classification"),
        ([0.1, 0.9], "classification"),
        ([[0.1, 0.9], [0.3, 0.2]], "raw"),
        ([[[0.5]]], "classification"),
    ],
)
def test_a_model_that_does_not_say_is_taken_for_a_classifier_where_it_gives_one_row(tmp_path, value, task) -> None:
    assert task_of(network(tmp_path, value)) == task


def test_what_a_model_says_goes_before_what_it_looks_like(tmp_path: Path) -> None:
    assert task_of(network(tmp_path, [[0.1, 0.9]], task="embedding")) == "embedding"


def test_a_classifier_answers_the_place_of_its_highest_score(tmp_path: Path, examples) -> None:
    read = reader_of(network(tmp_path, [[0.1, 0.9, 0.3]]), examples)
    for scores in ([0.1, 0.9, 0.3], [7.0, -1.0, 2.0], [0.0, 0.0, 1e-9]):
        assert read([np.array([scores], np.float32)], 0) == scores.index(max(scores))


def test_boxes_come_in_the_pixels_of_the_picture(tmp_path: Path, examples) -> None:
    box = [2.0, 1.0, 6.0, 5.0, 0.75, 3.0]
    model = network(tmp_path, np.zeros((1, 4, 6)), task="detection", head="end-to-end")
    (placed,) = reader_of(model, examples)([np.array([box], np.float32)], 0)
    # Stretched to 8 x 8, a pixel of the input is 3 pixels wide and 2 high in the picture.
    assert placed.tolist() == pytest.approx([6.0, 2.0, 18.0, 10.0, 0.75, 3.0])


def test_numbers_that_are_no_boxes_are_refused_and_the_message_says_where_to_say_what_they_are(tmp_path, examples):
    read = reader_of(network(tmp_path, np.zeros((1, 4, 6)), task="detection", head="end-to-end"), examples)
    with pytest.raises(InputError, match=r"answers with \[1, 2\] numbers, expected boxes \[n, 6\].*configuration"):
        read([np.array([[1.0, 2.0]], np.float32)], 0)


def test_a_mask_is_as_large_as_the_picture(tmp_path: Path, examples) -> None:
    mask = np.zeros((1, 8, 8), np.float32)
    mask[0, :, 4:] = 2
    seen = reader_of(network(tmp_path, np.zeros((1, 3, 8, 8)), task="segmentation"), examples)([mask], 0)
    assert seen.shape == (16, 24)
    assert (seen[:, :12] == 0).all() and (seen[:, 12:] == 2).all()


def test_all_other_answers_are_one_vector_of_their_numbers(tmp_path: Path, examples) -> None:
    read = reader_of(network(tmp_path, [[1.0, 2.0], [3.0, 4.0]]), examples)
    outputs = [np.array([[1, 2], [3, 4]], np.float32), np.array(["text"], object), np.array([True, False])]
    assert read(outputs, 0).tolist() == [1, 2, 3, 4, 1, 0]
    assert read([np.array(["text"], object)], 0).tolist() == []


def test_a_model_that_does_not_say_how_pictures_become_its_input_is_refused(tmp_path: Path) -> None:
    silent = load(answers(tmp_path, np.ones((1, 2)), Metadata()))
    with pytest.raises(InputError, match=r"does not say how a picture becomes its input.*edgent init"):
        form_of(silent)
    assert form_of(network(tmp_path, [[1.0]])) == FORM
