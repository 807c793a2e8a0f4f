"""The whole way from a file without exits to one with some, but for what teaches."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import InputError
from edgent.evaluation.data.examples import opened
from edgent.evaluation.data.recognise import read_listing, recognised
from edgent.testing import ManualClock
from edgent.training.exits.add_exits import MOST_EPOCHS, Added, add_exits
from edgent.training.exits.job import ExitsJob, Order, new_job
from networks.taught import CLASSES, LABELS, SIDE, FixedTrainer, shaded, staged

SHARES = (0.6,)


def job_of(file: Path, data: Path, output: Path, test: Path | None = None, say=lambda *_: None, **order) -> ExitsJob:
    def pictures(root):
        return opened(read_listing(root, recognised(root)))

    wanted = Order(**({"shares": SHARES, "budget": 60.0} | order))
    others = None if test is None else pictures(test)
    engine = OnnxRuntimeEngine()
    clock = ManualClock()
    return new_job(
        load(file), pictures(data), output, engine=engine, order=wanted, test=others, say=say, clock=clock.now
    )


def made(folder: Path, trainer: FixedTrainer | None = None, **more) -> Added:
    # Written once: pictures that are written again are other pictures to a run that goes on.
    file, data = more.pop("file", folder / "net.onnx"), more.pop("data", folder / "shades")
    if not file.exists():
        staged(file)
    if not data.exists():
        shaded(data)
    output = folder / "net-exits.onnx"
    return add_exits(job_of(file, data, output, **more), trainer or FixedTrainer(), output)


def plain(path: Path, picture: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, {"image": picture}), strict=True))


def test_the_last_answer_is_the_old_one_to_the_bit_and_still_the_first_output_of_the_file(tmp_path) -> None:
    added = made(tmp_path)
    for seed in range(5):
        picture = np.random.default_rng(seed).random((1, 3, SIDE, SIDE)).astype(np.float32)
        before, after = plain(tmp_path / "net.onnx", picture), plain(added.model.path, picture)
        assert after["scores"].tobytes() == before["scores"].tobytes()
        assert next(iter(after)) == "scores"


def test_what_an_exit_is_worth_is_in_the_file_and_was_measured_on_pictures_held_back(tmp_path) -> None:
    added = made(tmp_path)
    (early, last) = load(tmp_path / "net-exits.onnx").metadata.exits
    assert (early.accuracy, early.samples, early.data) == (added.exits[0].score.number, 9, "shades, a tenth held back")
    assert last.accuracy == added.exits[1].score.number
    # Shades are far apart: whoever reads the first channel is right, and chance is a third.
    assert early.accuracy > 0.9


def test_all_that_the_file_said_of_itself_is_still_in_it(tmp_path) -> None:
    added = made(tmp_path)
    before, after = load(tmp_path / "net.onnx").metadata, added.model.metadata
    assert (after.labels, after.task, after.preprocessing) == (before.labels, before.task, before.preprocessing)
    assert [branch.exit for branch in added.model.branches] == [0, 1]
    assert len(added.model.branches[0].layers) > 0


def test_other_pictures_measure_where_there_are_some_and_then_none_is_held_back(tmp_path) -> None:
    added = made(tmp_path, test=shaded(tmp_path / "others", each=12))
    assert (added.samples, added.data) == (36, "others")


def test_without_labels_the_network_itself_is_what_is_learned_and_no_accuracy_is_claimed(tmp_path) -> None:
    added = made(tmp_path, data=shaded(tmp_path / "loose", labelled=False))
    assert (added.measure, added.metric) == ("fidelity", "same label")
    assert added.exits[-1].score.number == 1
    assert [entry.accuracy for entry in added.model.metadata.exits] == [None, None]


def test_an_embedder_learns_from_its_own_vectors_though_pictures_have_labels(tmp_path) -> None:
    others = shaded(tmp_path / "others", each=10)
    added = made(tmp_path, file=staged(tmp_path / "net.onnx", task="embedding"), test=others)
    assert (added.measure, added.metric, added.samples) == ("fidelity", "cosine", 30)
    assert added.exits[0].temperature == 1


def test_exits_of_a_network_that_answers_shares_answer_shares(tmp_path) -> None:
    added = made(tmp_path, file=staged(tmp_path / "net.onnx", softmax=True))
    picture = np.random.default_rng(0).random((1, 3, SIDE, SIDE)).astype(np.float32)
    assert all(answer.sum() == pytest.approx(1) for answer in plain(added.model.path, picture).values())


def test_a_run_that_is_killed_anywhere_goes_on_and_ends_as_one_that_was_not(tmp_path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
        staged(folder / "net.onnx")
        shaded(folder / "shades")
    expected = made(whole, file=whole / "net.onnx", data=whole / "shades")

    class Killed(Exception):
        pass

    def kill_in(step):
        def say(what, done, of):
            if what == step and done >= of / 2:
                raise Killed

        return say

    steps = ("looking at every place", "keeping what the places hold", "teaching exit 0", "measuring")
    for step in (step for step in steps for _ in range(2)):  # the second time it has less to do
        with suppress(Killed):
            made(broken, file=broken / "net.onnx", data=broken / "shades", say=kill_in(step))
            pytest.fail("it was not killed") if step in steps[2:] else None
        assert not (broken / "net-exits.onnx").exists()
    added = made(broken, file=broken / "net.onnx", data=broken / "shades")
    assert added.model.digest == expected.model.digest
    assert not list(broken.glob("*.work"))


def test_what_is_done_is_not_done_again(tmp_path) -> None:
    trainer = FixedTrainer()

    def say(what, done, whole):
        if what == "measuring":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(tmp_path, trainer, say=say)
    made(tmp_path, trainer)
    assert len(trainer.taught) == 1


def test_an_unfinished_run_of_another_order_is_not_thrown_away(tmp_path) -> None:
    def say(what, done, whole):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(tmp_path, say=say)
    with pytest.raises(InputError, match="holds an unfinished run with another model, other pictures or other options"):
        made(tmp_path, shares=(0.5,))
    with pytest.raises(InputError, match="holds an unfinished run"):
        made(tmp_path, test=shaded(tmp_path / "others", each=10))


def test_a_budget_that_is_too_small_says_how_much_is_needed_and_a_larger_one_goes_on(tmp_path) -> None:
    slow, steps = FixedTrainer(slow=100), []
    with pytest.raises(InputError, match="a budget of 60 s is too small: 72 pictures need 1360 s for"):
        made(tmp_path, slow, say=lambda what, *_: steps.append(what))
    assert set(steps) == {"looking at every place"}, "it is said before anything is kept to teach with"
    # Nothing else takes time here: what was left for looking is there for teaching.
    assert made(tmp_path, slow, budget=1360.0).epochs == (1 - 0.1) * 1360 // 100


def test_a_run_that_goes_on_with_too_small_a_budget_says_so_before_it_teaches(tmp_path) -> None:
    trainer = FixedTrainer(slow=100)

    def killed_in(step: str):
        def say(what, *_):
            if what == step:
                raise KeyboardInterrupt

        return say

    def goes_on(budget: float, **more) -> Added:
        return made(tmp_path, trainer, budget=budget, shares=(0.4, 0.6), **more)

    with pytest.raises(KeyboardInterrupt):  # 3 x 8 epochs of both, of 200 s each
        goes_on(2 * 3 * 1600 / 0.9, say=killed_in("keeping what the places hold"))
    with pytest.raises(InputError, match="a budget of 60 s is too small: 72 pictures need 2720 s"):
        goes_on(60.0)
    with pytest.raises(KeyboardInterrupt):
        goes_on(3 * 1600 / 0.9, say=killed_in("teaching exit 1"))
    assert len(trainer.taught) == 2  # the second one was broken off
    with pytest.raises(InputError, match="a budget of 2000 s is too small: 72 pictures need 2720 s"):
        goes_on(2000.0)  # for the other half of 24 epochs
    assert goes_on(2720.0).epochs == 24 and len(trainer.taught) == 3


def test_no_more_epochs_are_given_than_help(tmp_path) -> None:
    assert made(tmp_path, FixedTrainer(slow=0.001)).epochs == MOST_EPOCHS


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": "raw"}, "the task of net is raw: adding exits is for classifiers and embedders, not for detectors"),
        ({"classes": LABELS[:2]}, "found no picture of the class 'light', expected some of each of 3"),
        ({"each": 9}, "found 27 pictures, expected at least 50"),
        ({"each": 30, "few": 4}, "found 4 pictures of class 2, expected at least 10 of each"),
        ({"shares": (0.02,)}, "no exit at 2% of the operations: the earliest place takes"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_before_anything_is_computed(tmp_path, change, words) -> None:
    file = staged(tmp_path / "net.onnx", task=change.get("task", "classification"))
    data = shaded(tmp_path / "shades", change.get("each", 30), classes=change.get("classes", LABELS))
    for extra in sorted((data / "light").glob("*"))[change.get("few", 1000) :] if "few" in change else ():
        extra.unlink()
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        made(tmp_path, file=file, data=data, **{k: v for k, v in change.items() if k == "shares"})


def test_a_network_that_has_exits_is_refused(tmp_path) -> None:
    added = made(tmp_path)
    with pytest.raises(InputError, match="net-exits has 2 exits already"):
        made(tmp_path, file=added.model.path)


def test_a_network_without_a_place_is_refused(tmp_path) -> None:
    file = staged(tmp_path / "net.onnx")
    proto = onnx.load(file)
    # All that crosses alone is flat from the first layer on.
    first, *_, pooled, flat, linear = proto.graph.node
    pooled.input[0] = first.input[0]
    del proto.graph.node[:]
    proto.graph.node.extend([pooled, flat, linear])
    weights = {t.name: t for t in proto.graph.initializer}
    weights["w"].CopyFrom(onnx.numpy_helper.from_array(np.ones((3, CLASSES), np.float32), "w"))
    onnx.save(proto, file)
    with pytest.raises(InputError, match="has no place for an exit"):
        made(tmp_path, file=file)
