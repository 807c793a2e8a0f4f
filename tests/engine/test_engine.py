"""Whoever is an engine: the same requests to each, so that a room that knows only the protocol can use any."""

from __future__ import annotations

import ast
import threading
from importlib.util import find_spec
from inspect import signature
from pathlib import Path

import numpy as np
import pytest

import edgent
from edgent.engine.engine import Engine, Session, branch_ends, one_line
from edgent.engine.kept_sessions import KeptSessions
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgentError
from edgent.testing import FakeEngine


def openvino() -> Engine:
    from edgent.engine.openvino import OpenVinoEngine

    return OpenVinoEngine()


MISSING = pytest.mark.skipif(find_spec("openvino") is None, reason="the extra openvino is not installed")
ENGINES = [
    pytest.param(FakeEngine, id="fake"),
    pytest.param(OnnxRuntimeEngine, id="onnxruntime"),
    pytest.param(openvino, id="openvino", marks=MISSING),
]


@pytest.fixture(params=ENGINES)
def engine(request) -> Engine:
    return request.param()


def members(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


def test_an_engine_and_its_sessions_have_what_the_protocol_names(engine, model, tmp_path) -> None:
    assert members(Engine) >= {"name", "threads", "options", "session", "build", "profiled"}
    for name in members(Engine):
        there, wanted = getattr(engine, name), vars(Engine)[name]
        if callable(there):
            assert list(signature(there).parameters) == list(signature(wanted).parameters)[1:]
    session = engine.session(model, *branch_ends(model.branches[0]))
    assert all(hasattr(session, name) for name in members(Session))


def test_a_session_is_kept_and_one_that_is_built_is_not(engine, model) -> None:
    ends = branch_ends(model.branches[0])
    assert engine.session(model, *ends) is engine.session(model, *ends)
    segment = model.segment(*ends)
    assert engine.build(segment) is not engine.build(segment)


def test_a_session_names_what_it_takes_and_answers_what_was_asked_in_its_shape(engine, model, picture) -> None:
    branch = model.branches[1]
    session = engine.session(model, *branch_ends(branch))
    assert [tensor.name for tensor in session.given] == ["image"]
    answers = session.run({"image": picture})
    assert {name: array.shape for name, array in answers.items()} == {t.name: t.shape for t in branch.outputs}
    assert all(array.dtype == np.float32 for array in answers.values())


def test_what_is_not_fed_as_it_must_be_is_an_error_of_ours(engine, model) -> None:
    session = engine.session(model, *branch_ends(model.branches[0]))
    with pytest.raises(EdgentError):
        session.run({"other": np.zeros(1, np.float32)})


def test_a_profiled_branch_tells_times_of_nodes_and_whose_they_are(engine, model, picture, tmp_path) -> None:
    branch = model.branches[0]
    session, layers = engine.profiled(model, branch, tmp_path)
    for _ in range(5):
        session.run({"image": picture})
    times = session.end_profiling()
    assert times and all(len(runs) == 5 and min(runs) >= 0 for runs in times.values())
    assert set().union(*(layers.get(node, ()) for node in times)) <= set(range(len(branch.layers)))


class Counted:
    """A session that counts its runs."""

    def __init__(self, segment) -> None:
        self.given, self.runs = segment.given, 0

    def run(self, feeds):
        self.runs += 1
        return {}

    def end_profiling(self):
        return {}


def kept(capacity: int) -> tuple[KeptSessions, list[Counted]]:
    built: list[Counted] = []

    def build(segment):
        built.append(Counted(segment))
        return built[-1]

    return KeptSessions(build, capacity), built


def test_a_session_is_warmed_once_and_then_taken_as_it_is(model) -> None:
    sessions, built = kept(4)
    first = sessions.of(model, ["image"], ["exit0"])
    assert first.runs == 1 and sessions.of(model, ("image",), ("exit0",)) is first and built == [first]


def test_the_session_that_was_not_used_for_longest_goes_first(model) -> None:
    sessions, built = kept(2)
    names = [branch.outputs[0].name for branch in model.branches[:3]]
    first, second = (sessions.of(model, ["image"], [name]) for name in names[:2])
    assert sessions.of(model, ["image"], [names[0]]) is first
    sessions.of(model, ["image"], [names[2]])
    assert sessions.of(model, ["image"], [names[0]]) is first
    assert sessions.of(model, ["image"], [names[1]]) is not second and len(built) == 4


def test_a_session_that_is_spared_is_the_one_that_was_not_used_for_longest_and_never_the_last(engine, model) -> None:
    (name,) = (tensor.name for tensor in model.inputs)
    asked = [[branch.outputs[0].name] for branch in model.branches[:3]]
    sessions = [engine.session(model, [name], outputs) for outputs in asked]
    engine.session(model, [name], asked[0])
    assert [engine.spare() for _ in range(4)][:2] == [True, True]
    assert not engine.spare()
    assert engine.session(model, [name], asked[0]) is sessions[0]


def test_who_asks_for_a_kept_session_does_not_wait_for_one_that_is_made(model) -> None:
    begun, may_end = threading.Event(), threading.Event()
    first = KeptSessions(Counted, 4)
    ready = first.of(model, ["image"], ["exit0"])

    def slow(segment):
        begun.set()
        assert may_end.wait(20)
        return Counted(segment)

    first._build = slow
    making = threading.Thread(target=lambda: first.of(model, ["image"], ["exit1"]))
    making.start()
    assert begun.wait(20)
    assert first.of(model, ["image"], ["exit0"]) is ready  # or it waits for ever
    may_end.set()
    making.join()


@pytest.mark.parametrize(("length", "expected"), [(200, 200), (201, 200), (5000, 200)])
def test_a_long_complaint_is_cut(length, expected) -> None:
    words = one_line(ValueError("x" * length))
    assert len(words) == expected and words.endswith("..." if length > 200 else "x")


def test_a_complaint_of_many_lines_is_one() -> None:
    assert one_line(ValueError("a\n  b\t c")) == "a b c"


def test_no_other_room_names_an_engine_in_its_signatures_but_by_the_protocol() -> None:
    rooms = Path(edgent.__file__).parent
    named = {"OnnxRuntimeEngine", "OpenVinoEngine", "OnnxRuntimeSession", "OpenVinoSession"}
    for file in rooms.rglob("*.py"):
        if file.is_relative_to(rooms / "engine"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            hint = getattr(node, "annotation", None) or getattr(node, "returns", None)
            words = {leaf.id for leaf in ast.walk(hint) if isinstance(leaf, ast.Name)} if hint else set()
            assert not words & named, f"{file}: {ast.unparse(node)}"
