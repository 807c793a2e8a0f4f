from __future__ import annotations

import pytest

from edgent.errors import RefusedError
from edgent.model import load
from edgent.runtime import messages as m
from edgent.runtime.faults import NotServedError
from edgent.runtime.fetch import fetch_model
from edgent.runtime.transport import Streaming


def test_a_fetched_model_is_the_edges_and_is_fetched_once(model, link, tmp_path):
    path = fetch_model("edge", "b-alexnet", cache=tmp_path, channel=link)
    assert path.name == "b-alexnet.onnx"
    assert load(path).digest == model.digest
    assert fetch_model("edge", "b-alexnet", cache=tmp_path, channel=link) == path
    assert link.calls.count(m.FETCH) == 1


def test_over_grpc_too(model, edge, tmp_path):
    assert fetch_model(edge.address, "b-alexnet", cache=tmp_path).read_bytes() == model.path.read_bytes()


def test_a_model_that_is_not_served_is_said_so_naming_those_that_are(link, tmp_path):
    with pytest.raises(NotServedError, match=r"no model 'resnet'.*b-alexnet"):
        fetch_model("edge", "resnet", cache=tmp_path, channel=link)


@pytest.mark.parametrize("file", ["../evil.onnx", "/tmp/evil.onnx", "."])
def test_a_file_outside_its_folder_is_not_written(link, tmp_path, file):
    chunk = m.Chunk(file=file, data=b"x").SerializeToString()
    link.mend({**link.methods, m.FETCH: Streaming(answer=lambda message, call: iter([chunk]))})
    cache = tmp_path / "cache"
    with pytest.raises(RefusedError, match="outside its folder"):
        fetch_model("edge", "b-alexnet", cache=cache, channel=link)
    assert list(cache.iterdir()) == []


def test_a_model_that_is_not_the_one_it_was_named_is_not_kept(model, link, tmp_path):
    import onnx

    other = onnx.load(model.path)
    other.graph.node[-1].name += "-changed"
    chunk = m.Chunk(file="b-alexnet.onnx", data=other.SerializeToString()).SerializeToString()
    link.mend({**link.methods, m.FETCH: Streaming(answer=lambda message, call: iter([chunk]))})
    with pytest.raises(RefusedError, match="but named"):
        fetch_model("edge", "b-alexnet", cache=tmp_path, channel=link)
    assert list(tmp_path.iterdir()) == []
