"""What models may be called that one edge serves."""

from __future__ import annotations

import onnx
import pytest

from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.errors import InputError
from graphs import residual


def named(folder, *names):
    for name in names:
        onnx.save(residual(), folder / name)
    return [load(folder / name) for name in names]


def test_a_model_named_like_a_segment_of_another_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"'net\.x0\.u1\.d2' has the name of a segment of 'net'"):
        Edge(named(tmp_path, "net.onnx", "net.x0.u1.d2.onnx"))


def test_other_odd_names_can_be_served_together(tmp_path):
    odd = (
        "net.x0.u1.d2.onnx",
        "net.x0.u1.d2.x0.onnx",
        "a b.onnx",
        "[bold].onnx",
        b"\xff.onnx".decode(errors="surrogateescape"),
    )
    edge = Edge(named(tmp_path, *odd))
    assert [model.name for model in edge.models] == ["net.x0.u1.d2", "net.x0.u1.d2.x0", "a b", "[bold]", r"\xff"]
