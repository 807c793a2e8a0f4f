"""What a task appends is a part of the graph: branches, sizes, digest and verification see it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import decoders
from detectors import SIDE, detector, in_one_order, passing, plain
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import ModelError
from edgent.evaluation.verify import run_pieces, verify
from edgent.model.metadata import BoxLimits


@pytest.fixture
def picture() -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(2).random((1, 3, SIDE, SIDE), dtype=np.float32)}


def run(model, feeds):
    names = [tensor.name for tensor in model.branches[0].outputs]
    return Engine().session(model, [tensor.name for tensor in model.inputs], names).run(feeds)[names[0]]


def test_a_detector_answers_boxes_of_which_only_the_most_is_known_beforehand(tmp_path, picture) -> None:
    path = detector(tmp_path / "m.onnx", limits=BoxLimits(most=20))
    model = load(path)
    (answer,) = model.branches[0].outputs
    assert (answer.name, answer.shape, answer.most, answer.nbytes) == ("boxes", None, (20, 6), 20 * 6 * 4)
    _, down = model.branches[0].boundary_bytes()
    assert down[0, -1] == answer.nbytes
    assert model.own_outputs == ("output0",)
    expected = decoders.yolov8(plain(path, picture)["output0"], most=20)
    assert len(expected) > 5
    np.testing.assert_allclose(in_one_order(run(model, picture)), in_one_order(expected), rtol=1e-4)


def test_pieces_cut_anywhere_answer_as_the_undivided_file_and_a_plain_decoder(tmp_path, picture) -> None:
    path = detector(tmp_path / "m.onnx")
    model = load(path)
    branch, engine = model.branches[0], Engine()
    expected = in_one_order(decoders.yolov8(plain(path, picture)["output0"]))
    cuts = [cut for cut in range(len(branch.layers) + 1) if branch.clean_cuts[cut]]
    assert len(cuts) > 30
    for cut in cuts:
        for pair in ((cut, len(branch.layers)), (0, cut)):
            found = run_pieces(model, branch, engine, picture, *pair)["boxes"]
            np.testing.assert_allclose(in_one_order(found), expected, rtol=1e-4, err_msg=str(pair))


def test_verification_holds_boxes_against_the_file_s_own_outputs(tmp_path, picture) -> None:
    model = load(detector(tmp_path / "m.onnx"))
    found = verify(model, Engine(), inputs=[picture])
    assert not found.failed and found.answers_equal and found.verified > 30


def test_each_choice_that_changes_an_answer_changes_the_digest_and_a_label_does_not(tmp_path) -> None:
    said = [{}, {"head": "end-to-end"}, {"limits": BoxLimits(score=0.3)}, {"limits": BoxLimits(most=9)}]
    said += [{"task": "raw", "head": ""}, {"task": "segmentation", "head": ""}]
    shape = {"o": (1, 6, 6)}
    usual = {"task": "detection", "head": "yolov8", "labels": ("a", "b")}
    paths = [passing(tmp_path / f"{at}.onnx", shape, **(usual | {"labels": ()} | one)) for at, one in enumerate(said)]
    digests = [load(path).digest for path in paths[:5]]
    assert len(set(digests)) == 5
    assert load(passing(tmp_path / "l.onnx", shape, **usual)).digest == digests[0]


def test_a_mask_has_the_best_class_of_each_pixel_as_a_byte(tmp_path) -> None:
    scores = np.random.default_rng(0).random((1, 4, 6, 5), dtype=np.float32)
    model = load(passing(tmp_path / "m.onnx", {"o": scores.shape}, task="segmentation", labels=tuple("abcd")))
    (answer,) = model.branches[0].outputs
    assert (answer.name, answer.dtype, answer.shape, answer.nbytes) == ("mask", "uint8", (6, 5), 30)
    np.testing.assert_array_equal(run(model, {"o_in": scores}), scores[0].argmax(0))


def test_scores_that_only_training_needs_are_left_out_of_a_mask(tmp_path) -> None:
    random = np.random.default_rng(0)
    out, aux = (random.random((1, 4, 6, 5), dtype=np.float32) for _ in range(2))
    model = load(passing(tmp_path / "m.onnx", {"aux": aux.shape, "out": out.shape}, task="segmentation"))
    np.testing.assert_array_equal(run(model, {"out_in": out, "aux_in": aux}), out[0].argmax(0))


@pytest.mark.parametrize(("head", "least"), [("", 0.5), ("logits", 0.0)])
def test_a_single_class_is_where_its_score_is_high(head, least, tmp_path) -> None:
    scores = np.random.default_rng(0).normal(0, 1, (1, 1, 6, 5)).astype(np.float32)
    model = load(passing(tmp_path / "m.onnx", {"o": scores.shape}, task="segmentation", head=head))
    np.testing.assert_array_equal(run(model, {"o_in": scores}), scores[0, 0] > least)


def test_scores_with_the_classes_last_and_classes_themselves_are_masks_too(tmp_path) -> None:
    scores = np.random.default_rng(0).random((1, 6, 5, 3), dtype=np.float32)
    model = load(passing(tmp_path / "m.onnx", {"o": scores.shape}, task="segmentation", labels=tuple("abc")))
    np.testing.assert_array_equal(run(model, {"o_in": scores}), scores[0].argmax(-1))
    classes = scores[:, :, :, 0].round().astype(np.int64)
    path = passing(tmp_path / "n.onnx", {"o": classes.shape}, kind=TensorProto.INT64, task="segmentation")
    np.testing.assert_array_equal(run(load(path), {"o_in": classes}), classes[0])


def test_logits_become_shares_and_a_vector_gets_the_length_of_one(tmp_path) -> None:
    vector = np.random.default_rng(0).normal(0, 3, (1, 10)).astype(np.float32)
    shares = run(
        load(passing(tmp_path / "c.onnx", {"o": (1, 10)}, task="classification", head="logits")), {"o_in": vector}
    )
    np.testing.assert_allclose(shares, decoders.softmax(vector), rtol=1e-5)
    unit = run(load(passing(tmp_path / "e.onnx", {"o": (1, 10)}, task="embedding", head="l2")), {"o_in": vector})
    np.testing.assert_allclose(unit, vector / np.linalg.norm(vector), rtol=1e-5)
    plain_ = run(load(passing(tmp_path / "p.onnx", {"o": (1, 10)}, task="embedding")), {"o_in": vector})
    np.testing.assert_array_equal(plain_, vector)


@pytest.mark.parametrize(
    ("shapes", "said", "expected"),
    [
        ({"o": (1, 10)}, {"task": "classification", "labels": ("a", "b")}, "2 labels"),
        ({"o": (1, 10)}, {"task": "segmentation"}, "expected scores [1, classes, height, width]"),
        ({"o": (2, 3, 4, 4)}, {"task": "segmentation"}, "expected scores [1, classes, height, width]"),
        ({"o": (1, 3, 4, 4), "p": (1, 3, 4, 4)}, {"task": "segmentation"}, "found the outputs 'o' [1, 3, 4, 4], 'p'"),
        ({"o": (1, 300, 4, 4)}, {"task": "segmentation"}, "found 300 classes, expected at most 256"),
        ({"o": (1, 3, 4, 4)}, {"task": "segmentation", "labels": ("a", "b")}, "3 classes, but there are 2 labels"),
    ],
)
def test_what_a_task_cannot_read_is_refused(shapes, said, expected, tmp_path) -> None:
    with pytest.raises(ModelError, match=re.escape(expected)):
        load(passing(tmp_path / "m.onnx", shapes, **said))


def post_graph(shape=(1, 6, 3), reads="o", answer=("n", 6), *, opset=17, kind=TensorProto.FLOAT) -> onnx.ModelProto:
    """Boxes side by side become rows: [1, 6, n] -> [n, 6]."""
    nodes = [
        helper.make_node("Reshape", [reads, "flat"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["turned"], perm=[1, 0]),
        helper.make_node("Cast", ["turned"], ["boxes"], to=kind),
    ]
    graph = helper.make_graph(
        nodes,
        "post",
        [helper.make_tensor_value_info(reads, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("boxes", kind, answer)],
        initializer=[numpy_helper.from_array(np.array([shape[1], -1]), "flat")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def with_post(folder, post: onnx.ModelProto | bytes, shape=(1, 6, 3)):
    (folder / "post.onnx").write_bytes(post if isinstance(post, bytes) else post.SerializeToString())
    return passing(folder / "m.onnx", {"o": shape}, task="detection", post="post.onnx")


def test_a_graph_of_one_s_own_makes_the_answer_and_the_best_come_first(tmp_path) -> None:
    rows = np.float32([[0, 0, 1, 1, 0.3, 2], [1, 1, 2, 2, 0.9, 0], [2, 2, 3, 3, 0.5, 1]])
    model = load(with_post(tmp_path, post_graph(reads="x")))  # one output, one input: their names do not matter
    np.testing.assert_array_equal(run(model, {"o_in": rows.T[None]}), rows[[1, 2, 0]])
    assert model.branches[0].outputs[0].most == (300, 6)
    assert not verify(model, Engine()).failed


def test_another_graph_of_one_s_own_is_another_model(tmp_path) -> None:
    digests = set()
    for name in ("a", "b"):
        post = post_graph()
        post.graph.initializer.append(numpy_helper.from_array(np.float32([ord(name)]), "unused"))
        digests.add(load(with_post(tmp_path, post)).digest)
    assert len(digests) == 2


UNFIT = {
    "no graph": (b"hello", "is no ONNX file"),
    "another opset": (post_graph(opset=16), "found opset 16, expected the model's, 17"),
    "another shape": (post_graph((1, 6, 4)), "reads 'o' of shape [1, 6, 4], the model's 'o' has [1, 6, 3]"),
    "another rank": (post_graph((1, 6)), "reads 'o' of shape [1, 6], the model's 'o' has [1, 6, 3]"),
    "another type": (post_graph(kind=TensorProto.INT64), "its answer is int64 [3, 6], expected float [n, 6]"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_graph_that_does_not_fit_is_refused_by_its_name(kind, tmp_path) -> None:
    post, expected = UNFIT[kind]
    with pytest.raises(ModelError, match=re.escape(expected)) as refused:
        load(with_post(tmp_path, post))
    assert "post.onnx" in str(refused.value) and "\n" not in str(refused.value)


def test_a_graph_whose_answer_is_no_boxes_is_refused_with_what_it_is(tmp_path) -> None:
    path = with_post(tmp_path, post_graph((1, 7, 3), answer=None), (1, 7, 3))
    with pytest.raises(ModelError, match=re.escape("its answer is float [3, 7], expected float [n, 6]")):
        load(path)


def test_a_graph_that_reads_what_is_not_put_out_is_refused(tmp_path) -> None:
    (tmp_path / "post.onnx").write_bytes(post_graph(reads="p").SerializeToString())
    path = passing(tmp_path / "m.onnx", {"o": (1, 6, 3), "q": (1, 2)}, task="detection", post="post.onnx")
    with pytest.raises(ModelError, match="reads 'p'; the model puts out o, q"):
        load(path)


def test_what_a_file_has_already_keeps_its_name(tmp_path) -> None:
    model = load(passing(tmp_path / "m.onnx", {"boxes": (1, 9, 6)}, task="detection", head="end-to-end"))
    (answer,) = model.branches[0].outputs
    assert answer.name != "boxes" and "boxes" in model.tensors
    assert replace(answer, most=None).nbytes is None


def spoilt(path, where: tuple[int, ...], value: float):
    """A detector whose output has this value in one place, whatever it sees."""
    proto = onnx.load(detector(path))
    values = np.zeros((1, 9, 256), np.float32)
    values[where] = value
    proto.graph.initializer.append(numpy_helper.from_array(values, "spoil"))
    proto.graph.node[-1].output[0] = "before"
    proto.graph.node.append(helper.make_node("Add", ["before", "spoil"], ["output0"], name="spoilt"))
    onnx.save(proto, path)
    return load(path)


@pytest.mark.parametrize("where", [(0, 0, 0), (0, 3, 200), (0, 4, 0), (0, 8, 255)])
def test_a_nan_that_a_head_would_swallow_is_told_before_the_boxes(where, tmp_path, picture) -> None:
    sound = run(spoilt(tmp_path / "sound.onnx", where, 0.0), picture)
    found = run(spoilt(tmp_path / "m.onnx", where, np.nan), picture)
    assert np.isnan(found[0, 4]) and not np.isnan(found[1:, 4]).any()
    kept = [row for row in sound.tolist() if row in found.tolist()]
    assert len(kept) >= len(sound) - 3, "the other boxes stay: but one box has a NaN, and what it may have suppressed"
    assert not np.isnan(sound).any()


@pytest.mark.parametrize("opset", [11, 13, 18])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_a_nan_in_boxes_or_in_scores_is_told_on_every_opset(kind, opset, tmp_path) -> None:
    random = np.random.default_rng(0)
    shapes = {"boxes": (1, 30, 4), "scores": (1, 30, 5)}
    path = passing(tmp_path / "m.onnx", shapes, opset=opset, kind=kind, task="detection", head="boxes-scores")
    model = load(path)
    for name in shapes:
        dtype = {TensorProto.FLOAT: np.float32, TensorProto.FLOAT16: np.float16}[kind]
        feeds = {f"{name}_in": random.random(shape).astype(dtype) for name, shape in shapes.items()}
        assert not np.isnan(run(model, feeds)).any()
        feeds[f"{name}_in"][0, 7, 2] = np.nan
        assert np.isnan(run(model, feeds)[0, 4])


@pytest.mark.parametrize("opset", [11, 13, 18])
@pytest.mark.parametrize(("shape", "spoilt_at"), [((1, 4, 6, 5), (0, 2, 3, 1)), ((1, 1, 6, 5), (0, 0, 3, 1))])
def test_a_pixel_whose_scores_are_nan_is_of_no_class(shape, spoilt_at, opset, tmp_path) -> None:
    scores = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    model = load(passing(tmp_path / "m.onnx", {"o": shape}, opset=opset, task="segmentation", head="logits"))
    sound = run(model, {"o_in": scores})
    assert sound.max() < 4
    scores[spoilt_at] = np.nan
    found = run(model, {"o_in": scores})
    assert found[3, 1] == 255 and (found != sound).sum() == 1


@pytest.mark.parametrize("opset", [11, 13, 22])
def test_the_best_of_half_precise_scores_is_not_lost_among_equal_shares(opset, tmp_path) -> None:
    scores = np.zeros((1, 1000), np.float16)
    scores[0, 700] = 1 / 1024  # in half precision its share of a thousand is the others'
    path = passing(tmp_path / "m.onnx", {"o": (1, 1000)}, opset=opset, kind=10, task="classification", head="logits")
    shares = run(load(path), {"o_in": scores})
    assert shares.dtype == np.float32 and np.flatnonzero(shares == shares.max()).tolist() == [700]
    np.testing.assert_allclose(shares, decoders.softmax(scores.astype(np.float32)), rtol=1e-6)


@pytest.mark.parametrize("opset", [11, 13, 22])
def test_a_long_half_precise_vector_has_length_one(opset, tmp_path) -> None:
    vector = np.full((1, 512), 300, np.float16)  # the sum of its squares is more than half precision holds
    path = passing(tmp_path / "m.onnx", {"o": (1, 512)}, opset=opset, kind=10, task="embedding", head="l2")
    np.testing.assert_allclose(run(load(path), {"o_in": vector}), np.full((1, 512), 512**-0.5), rtol=1e-6)
