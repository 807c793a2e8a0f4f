"""At connect an edge must have the very model of the device, and a refusal names both versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edgent.device.connection.handshake import Handshake
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.errors import RefusedError
from edgent.model import Model
from edgent.model.configuration.document import KEY
from edgent.testing import FakeLink, ManualClock
from edgent.wire import messages as m
from edgent.wire.edge_client import EdgeClient
from edgent.wire.transport import Streaming
from graphs import residual, saved
from shared_fixtures import make_profile


def net(folder: Path, *, mean: float = 0.0, labels: tuple[str, ...] = (), nudge: float = 0.0, **dims: int) -> Model:
    proto = residual(batch="batch")
    weight = onnx.numpy_helper.to_array(proto.graph.initializer[0]) + np.float32(nudge)
    proto.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weight, proto.graph.initializer[0].name))
    document = {"version": 1, "labels": labels, "preprocessing": {"size": [8, 8], "mean": [mean] * 3}}
    proto.metadata_props.add(key=KEY, value=json.dumps(document))
    folder.mkdir()
    return load(saved(proto, folder / "net.onnx"), dims=dims)


def link_to(*edge: Model) -> FakeLink:
    clock = ManualClock()
    return FakeLink(Edge(edge, clock=clock).service.methods(), clock=clock)


def meeting(device: Model, *edge: Model, **told: Any) -> Handshake:
    return Handshake(EdgeClient(link_to(*edge)), device, wants_calibration=False, **told)


@pytest.mark.parametrize("other", [{"mean": 0.5}, {"nudge": 0.01}, {"batch": 2}])
def test_a_model_that_answers_otherwise_is_refused_naming_both(other: dict[str, float], tmp_path: Path) -> None:
    ours, theirs = net(tmp_path / "a"), net(tmp_path / "b", **other)
    with pytest.raises(RefusedError, match=rf"serves net in version {theirs.version}, here it is {ours.version}: "):
        meeting(ours, theirs).ours(1.0)
    with pytest.raises(
        RefusedError, match=rf"net is served in version {theirs.version}, asked for was {ours.version}: "
    ):
        EdgeClient(link_to(theirs)).prepare("net", ours.version, 1.0)


def test_one_that_answers_the_same_is_met(tmp_path: Path) -> None:
    ours, theirs = net(tmp_path / "a"), net(tmp_path / "b", labels=("cat", "dog"))
    assert meeting(ours, theirs).ours(1.0).profile is None


def test_any_version_that_is_served_is_met_and_the_first_is_told_to_be_what_the_name_stands_for(tmp_path: Path) -> None:
    new, old, strange = (net(tmp_path / str(mean), mean=mean) for mean in (0.1, 0.2, 0.3))
    names: list[str] = []
    for ours in (new, old):
        meeting(ours, new, old, on_version=names.append).ours(1.0)
    served = f"{new.version} and {old.version}"
    with pytest.raises(RefusedError, match=f"serves net in version {served}, here it is {strange.version}: "):
        meeting(strange, new, old, on_version=names.append).ours(1.0)
    assert names == [new.version] * 3


def test_documents_are_those_of_the_version_that_was_met(tmp_path: Path) -> None:
    versions = [net(tmp_path / str(mean), mean=mean) for mean in (0.1, 0.2)]
    profiles = [make_profile(model, layer=seconds) for model, seconds in zip(versions, (0.1, 0.2), strict=True)]
    clock = ManualClock()
    link = FakeLink(Edge(versions, profiles=profiles, clock=clock).service.methods(), clock=clock)
    for model, profile in zip(versions, profiles, strict=True):
        assert Handshake(EdgeClient(link), model, wants_calibration=False).ours(1.0).profile == profile


@pytest.mark.parametrize("size", [2, 65 << 20])
def test_a_document_that_is_none_is_refused_before_more_of_it_comes(size: int, tmp_path: Path) -> None:
    link = link_to(net(tmp_path / "a"))
    chunk = m.Chunk(file="profile.json", size=size, data=b"\xff\xfe").SerializeToString()
    link.mend({**link.methods, m.FETCH: Streaming(answer=lambda message, call: iter([chunk]))})
    with pytest.raises(RefusedError, match=r"is no text|more than 67,108,864: it is none"):
        EdgeClient(link).document("profile", "net", "")
