"""At which pairs of cuts a branch can be shared: the plane, the line for one pair, and their words."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgent.errors import ModelError
from edgent.model.values import Branch, Layer, Tensor


def branch(layers: list[tuple[tuple[str, ...], tuple[str, ...]]], answers, *, stuck=(), fused=()) -> Branch:
    """A branch with input x of layers (reads, makes); `stuck` are of bfloat16."""
    names = ["x", *(name for _, makes in layers for name in makes)]
    tensors = {n: Tensor(name=n, dtype="bfloat16" if n in stuck else "float32", shape=(2,)) for n in names}
    return Branch(
        exit=0,
        name="answer",
        layers=tuple(
            Layer(name=f"{k}", op="Op", nodes=(k,), inputs=reads, outputs=makes, own=makes)
            for k, (reads, makes) in enumerate(layers)
        ),
        inputs=(tensors["x"],),
        outputs=tuple(tensors[name] for name in answers),
        tensors=tensors,
        fused=frozenset(fused),
    )


@st.composite
def branches(draw):
    names, layers = ["x"], []
    for k in range(draw(st.integers(1, 6))):
        reads = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
        layers.append((tuple(reads), (f"t{k}",)))
        names.append(f"t{k}")
    answers = draw(st.lists(st.sampled_from(names[1:]), min_size=1, max_size=2, unique=True))
    bad = st.lists(st.sampled_from(names), max_size=2, unique=True)
    return branch(layers, answers, stuck=draw(bad), fused=draw(bad))


def handed_over(made: Branch, upload: int, download: int) -> set[str]:
    """Names of the tensors that one part makes, or the input is, and another reads; and answers of the middle."""

    def part(position):
        return 0 if position <= upload else 1 if position <= download else 2

    maker = {"x": 0} | {name: k for k, layer in enumerate(made.layers, 1) for name in layer.outputs}
    crossing = {name for k, layer in enumerate(made.layers, 1) for name in layer.inputs if part(k) != part(maker[name])}
    answers = {t.name for t in made.outputs if part(maker[t.name]) == 1 and not t.travels}
    return crossing | answers


@settings(max_examples=300)
@given(branches())
def test_a_pair_is_divisible_where_no_part_hands_over_what_cannot_travel_or_is_fused(made):
    n = len(made.layers)
    for upload, download in itertools.combinations(range(n + 1), 2):
        stuck = {t.name for t in made.tensors.values() if not t.travels} | made.fused
        blocked = handed_over(made, upload, download) & stuck
        assert made.divisible[upload, download] == (not blocked)
        obstacle = made.obstacle(upload, download)
        assert bool(obstacle) == bool(blocked)
        assert not blocked or any(f"tensor {name!r} " in obstacle for name in blocked)


def test_the_device_alone_is_always_possible():
    made = branch([(("x",), ("a",)), (("a",), ("b",))], ["b"], stuck=["x", "a", "b"], fused=["a"])
    assert made.divisible.diagonal().all()
    assert not made.divisible[0, 1:].any()
    assert [made.obstacle(k, k) for k in range(3)] == ["", "", ""]
    assert made.sent(1, 1).up == ()


def test_a_fused_answer_may_be_sent_where_nothing_else_reads_it():
    made = branch([(("x",), ("a",)), (("a",), ("b",))], ["b"], fused=["b"])
    assert made.divisible.all()
    assert made.obstacle(1, 2) == ""


def test_an_answer_that_cannot_travel_and_is_read_again_may_be_made_by_head_or_suffix():
    layers = [(("x",), ("a",)), (("a",), ("b",)), (("b",), ("c",))]
    made = branch(layers, ["b"], stuck=["b"])
    assert made.obstacle(0, 1) == ""
    assert "'b' of type bfloat16 cannot travel" in made.obstacle(0, 3)
    assert "'b'" in made.obstacle(1, 2)
    assert "'b'" in made.obstacle(2, 3)


def test_the_line_says_where_what_and_what_to_do():
    made = branch([(("x",), ("a",)), (("a",), ("b",))], ["b"], stuck=["a"])
    words = "cuts 1..2 of exit 0 cannot be used: tensor 'a' of type bfloat16 cannot travel; choose others"
    assert made.obstacle(1, 2) == words
    with pytest.raises(ModelError) as caught:
        made.sent(1, 2)
    assert str(caught.value) == words
    fused = branch([(("x",), ("a",)), (("a",), ("b",))], ["b"], fused=["a"])
    assert "tensor 'a' lies inside a quantised operator" in fused.obstacle(0, 1)
    assert fused.sent(0, 2).up[0].name == "x"


def test_cuts_outside_the_branch_are_refused_all_the_same():
    made = branch([(("x",), ("a",))], ["a"])
    for upload, download in ((-1, 1), (1, 0), (0, 2)):
        with pytest.raises(ModelError, match="expected 0 <= upload <= download <= 1"):
            made.obstacle(upload, download)


def test_what_is_no_tensor_of_one_type_is_named_by_what_it_may_be():
    made = branch([(("x",), ("a",)), (("a",), ("b",))], ["b"])
    tensors = made.tensors | {"a": Tensor(name="a", dtype=None, shape=None)}
    lost = Branch(exit=0, name="", layers=made.layers, inputs=made.inputs, outputs=made.outputs, tensors=tensors)
    assert "'a' of type sequence, map, optional, sparse or unknown cannot travel" in lost.obstacle(1, 2)
