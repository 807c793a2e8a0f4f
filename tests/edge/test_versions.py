"""Two versions of one name on one edge, as devices see them: by the wire's own messages, over the in-memory channel."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.errors import RefusedError
from edgent.testing import FakeLink
from edgent.wire import messages as m
from edgent.wire.edge_client import EdgeClient
from edgent.wire.tensors import raw_array, raw_parcel, read_outputs
from graphs import dense, residual, saved

INPUT = np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)


@pytest.fixture
def versions(tmp_path):
    for network in (residual, dense):
        (folder := tmp_path / network.__name__).mkdir()
        saved(network(), folder / "net.onnx")
    return [load(tmp_path / network.__name__ / "net.onnx") for network in (residual, dense)]


@pytest.fixture
def link(versions, clock):
    return FakeLink(Edge(versions, clock=clock).service.methods(), clock=clock)


def asked(remote, model, version):
    parcels = [raw_parcel(model.inputs[0], INPUT)]
    return remote.infer("net", version, parcels, [], budget=1.0)


def test_each_version_answers_by_its_own_weights(versions, link):
    for model in versions:
        reply = asked(EdgeClient(link), model, model.version)
        (parcel,) = read_outputs(reply.body, model.branches[0].outputs)
        session = onnxruntime.InferenceSession(model.path, providers=["CPUExecutionProvider"])
        (expected,) = session.run(None, {"x": INPUT})
        np.testing.assert_allclose(raw_array(parcel), expected, rtol=1e-4, atol=1e-4)


def test_who_asks_for_an_older_version_is_told_of_the_newest(versions, link):
    new, old = versions
    assert asked(EdgeClient(link), new, new.version).newest == ""
    assert asked(EdgeClient(link), new, "").newest == ""
    assert asked(EdgeClient(link), old, old.version).newest == new.version


def test_a_probe_that_says_a_name_is_told_what_that_stands_for_where_it_is_another_version(versions, link):
    new, old = versions
    remote = EdgeClient(link)
    told = {version: remote.probe(0, 0, 1.0, name="net", version=version).newest for version in (new.version, "0" * 12)}
    assert told == {new.version: "", "0" * 12: new.version}
    assert remote.probe(0, 0, 1.0, name="net", version=old.version).newest == new.version
    assert remote.probe(0, 0, 1.0).newest == remote.probe(0, 0, 1.0, name="nobody", version="0" * 12).newest == ""


def test_old_devices_are_described_the_newest_version_alone(versions, link):
    new, old = versions
    response = m.DescribeResponse.FromString(link.call(m.DESCRIBE, b"", 1.0).body)
    assert [(entry.name, entry.digest) for entry in response.models] == [("net", new.digest)]
    assert [entry.digest for entry in response.older] == [old.digest]
    found = EdgeClient(link).describe(1.0)
    assert [(entry.version, entry.is_newest) for entry in found] == [(new.version, True), (old.version, False)]


def test_each_version_is_fetched_and_prepared_by_its_digest_and_a_third_one_is_refused_naming_all(versions, link):
    remote = EdgeClient(link)
    for model in versions:
        data = b"".join(piece for file in remote.fetch("model", "net", model.digest) for piece in file.pieces)
        assert data == model.path.read_bytes()
        remote.prepare("net.x0.u0.d1", model.version, 1.0)
    named = f"{versions[0].version} and {versions[1].version}, asked for was 000000000000"
    for refused in (
        lambda: list(remote.fetch("model", "net", "0" * 64)),
        lambda: remote.prepare("net.x0.u0.d1", "0" * 12, 1.0),
        lambda: asked(remote, versions[0], "0" * 12),
    ):
        with pytest.raises(RefusedError, match=named):
            refused()


def test_each_version_has_an_account_of_its_own(versions, link):
    remote = EdgeClient(link)
    for model, times in zip(versions, (2, 3), strict=True):
        for _ in range(times):
            asked(remote, model, model.version)
    assert [(each.name, each.version, each.answered) for each in remote.report(1.0)] == [
        ("net", model.version, times) for model, times in zip(versions, (2, 3), strict=True)
    ]
