"""A device in one call: what `edgent run` finds, fetches and measures before its first answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import edgent
from edgent.cli.arguments.models import meet_edge
from edgent.codec import Calibration, EncodedSize
from edgent.device.connect import settings_of_version
from edgent.device.versions.follower import Follower
from edgent.engine.loading import load
from graphs import dense, residual, saved
from ports import reserved_port
from real_time import until
from shared_fixtures import make_profile

INPUT = np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)


@pytest.fixture
def theirs(tmp_path, empty_cache) -> Path:
    """A model that lies on the edge's side alone."""
    (folder := tmp_path / "edge").mkdir()
    onnx.save(residual(), folder / "theirs.onnx")
    return folder / "theirs.onnx"


@pytest.fixture
def edge(theirs):
    with reserved_port() as port, edgent.Edge(load(theirs), port=port) as started:  # it may go, and come back there
        yield started


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens."""
    with reserved_port() as port:
        yield f"127.0.0.1:{port}"


def test_a_name_is_fetched_profiled_connected_and_answered_as_the_file_itself_does(edge, theirs, empty_cache) -> None:
    rounds = []
    with edgent.connect(edge.address, "theirs", deadline=5, progress=lambda done, total: rounds.append(done)) as device:
        assert until(lambda: device.connected) and device.deadline == 5.0
        answer = device.infer(INPUT)
    (expected,) = onnxruntime.InferenceSession(theirs).run(None, {"x": INPUT})
    assert np.allclose(answer.scores, expected.ravel(), rtol=1e-4, atol=1e-5)
    assert rounds and {folder.name for folder in empty_cache.iterdir()} >= {"models", "profiles"}


def test_a_second_time_nothing_is_measured(edge) -> None:
    edgent.connect(edge.address, "theirs", deadline=5).close()
    rounds = []
    edgent.connect(edge.address, "theirs", deadline=5, progress=lambda done, total: rounds.append(done)).close()
    assert not rounds


@pytest.mark.parametrize("kind", [str, Path, load])
def test_a_file_or_a_model_is_taken_as_it_is(kind, edge, theirs) -> None:
    with edgent.connect(edge.address, kind(theirs), deadline=5) as device:
        assert until(lambda: device.connected) and device.model.path == theirs


def test_each_record_is_told(edge) -> None:
    told = []
    with edgent.connect(edge.address, "theirs", deadline=5, on_record=told.append) as device:
        records = [device.infer(INPUT).record for _ in range(3)]
    assert told == records


def test_an_edge_that_is_not_there_is_done_without_unless_it_is_required(theirs, nobody) -> None:
    with edgent.connect(nobody, theirs, deadline=5) as device:
        assert not device.connected and device.infer(INPUT).record.by == "device"
    with pytest.raises(edgent.EdgeError, match="required"):
        edgent.connect(nobody, theirs, deadline=5, require_edge=True)
    with pytest.raises(edgent.EdgeError):
        edgent.connect(nobody, "theirs", deadline=5)  # the file is there alone


def test_a_board_that_starts_again_while_its_edge_is_away_answers_and_moves_to_the_edges_version_later(
    edge, theirs, tmp_path, caplog
) -> None:
    edgent.connect(address := edge.address, "theirs", deadline=5).close()
    edge.stop()
    with pytest.raises(edgent.EdgeError, match="cannot be reached"):
        edgent.connect(address, "theirs", deadline=5, require_edge=True)
    rounds: list[int] = []
    with edgent.connect(address, "theirs", deadline=5, progress=lambda done, total: rounds.append(done)) as device:
        assert device.began_alone
        answer = device.infer(INPUT)
        (expected,) = onnxruntime.InferenceSession(theirs).run(None, {"x": INPUT})
        assert answer.record.by == "device" and np.allclose(answer.scores, expected.ravel(), rtol=1e-4, atol=1e-5)
        assert not rounds, "its profile is kept as well"
        assert sum("fetched there before" in line for line in caplog.messages) == 1
        newer = load(reweighted(tmp_path / "newer"))
        with edgent.Edge(newer, port=int(address.rpartition(":")[2])):
            assert until(lambda: device.model.digest == newer.digest and device.connected)
    caplog.clear()
    edgent.connect(address, "theirs", deadline=5).close()
    is_said = [f"version {newer.version} of theirs" in line for line in caplog.messages]
    assert any(is_said), "what it moved to is what it begins with now"


def test_an_edge_that_was_away_as_its_model_was_wanted_is_not_waited_for_once_more(edge, monkeypatch) -> None:
    edgent.connect(address := edge.address, "theirs", deadline=5).close()
    edge.stop()
    monkeypatch.setattr(Follower, "wait_ready", lambda *_: pytest.fail("it was waited for"))
    with edgent.connect(address, "theirs", deadline=5) as device:
        meet_edge(device, address)
        assert device.infer(INPUT).record.by == "device"


def test_a_name_that_the_edge_does_not_serve_is_refused_naming_what_it_has(edge) -> None:
    with pytest.raises(edgent.NotServedError, match="it serves theirs"):
        edgent.connect(edge.address, "nobody", deadline=5)


def test_an_edge_that_serves_another_model_of_the_name_is_refused(edge, tmp_path) -> None:
    onnx.save(dense(), other := tmp_path / "theirs.onnx")
    with pytest.raises(edgent.RefusedError):
        edgent.connect(edge.address, other, deadline=5)


@pytest.mark.parametrize("address", ["nowhere", "http://10.0.0.2:8001", "", ":8001", "host:99999"])
def test_an_address_that_is_none_is_refused_before_any_work(address, empty_cache) -> None:
    with pytest.raises(edgent.InputError, match="HOST:PORT"):
        edgent.connect(address, "b-alexnet", deadline=0.1)
    assert not empty_cache.exists()


@pytest.mark.parametrize("deadline", [0, -0.1, float("nan"), float("inf"), "100ms", None])
def test_a_deadline_that_is_none_is_refused_before_any_work(deadline, empty_cache) -> None:
    with pytest.raises(edgent.InputError, match="deadline"):
        edgent.connect("10.0.0.2:8001", "b-alexnet", deadline=deadline)
    assert not empty_cache.exists()


def reweighted(folder: Path) -> Path:
    """The same network trained again: its profile holds, its answers are others."""
    proto = residual()
    for tensor in proto.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor) * np.float32(0.5)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    folder.mkdir()
    onnx.save(proto, folder / "theirs.onnx")
    return folder / "theirs.onnx"


def sizes_of(model) -> Calibration:
    """As `edgent run` measures them of its first pictures."""
    size = EncodedSize(tensors=("x",), codec="png", mean_bytes=500.0, samples=4)
    return Calibration(model=model.name, digest=model.digest, data="pictures", sizes=(size,), accuracies=())


def test_sizes_of_pictures_are_those_of_the_next_version_too_where_only_weights_changed(tmp_path) -> None:
    old, new = load(saved(residual(), tmp_path / "theirs.onnx")), load(reweighted(tmp_path / "new"))
    with edgent.Device(old, deadline=5, device_profile=make_profile(old), expected_sizes=sizes_of(old)) as device:
        settings = settings_of_version(device, new)
    assert settings is not None and settings.expected_sizes == sizes_of(new)
    edgent.Device(new, None, settings).close()  # which refuses what is of another version


def test_sizes_of_another_version_are_refused(theirs, tmp_path) -> None:
    model = load(theirs)
    onnx.save(dense(), tmp_path / "other.onnx")
    other = sizes_of(load(tmp_path / "other.onnx"))
    with pytest.raises(edgent.InputError, match="measure it again"):
        edgent.Device(model, deadline=5, device_profile=make_profile(model), expected_sizes=other)
