"""`edgent quantize` from the outside."""

from __future__ import annotations

import json

import pytest

from networks.taught import shaded, staged


def test_its_document_tells_what_stands_in_the_file(edgent, tmp_path) -> None:
    net, data, out = staged(tmp_path / "net.onnx"), shaded(tmp_path / "shades"), tmp_path / "out.onnx"
    ended = edgent("quantize", net, "--data", data, "-o", out, "--json")
    assert ended.code == 0
    document = json.loads(ended.out)
    inspected = json.loads(edgent("inspect", out, "--json").out)
    assert document["digest"] == inspected["digest"]
    assert [exit["accuracy"] for exit in document["exits"]] == [exit["accuracy"] for exit in inspected["exits"]]
    assert (document["bytes"], document["float_bytes"]) == (out.stat().st_size, net.stat().st_size)
    assert edgent("inspect", out, "--verify", "all").code == 0


def test_what_it_wins_is_said_in_pairs_and_never_assumed(edgent, tmp_path) -> None:
    net, data = staged(tmp_path / "net.onnx"), shaded(tmp_path / "shades")
    ended = edgent("quantize", net, "--data", data, "-o", tmp_path / "out.onnx")
    assert ended.code == 0
    assert "in pairs (" in ended.out
    assert any(word in ended.out for word in ("): faster", "): slower", "): neither faster nor slower"))
    assert not ended.complaints


def test_nothing_is_learned_from_the_test_pictures_of_cifar10(edgent, tmp_path) -> None:
    (tmp_path / "test_batch.bin").touch()
    ended = edgent("quantize", staged(tmp_path / "net.onnx"), "--data", tmp_path)
    assert ended.code == 2
    assert "found CIFAR-10, of which cifar10 means the test pictures" in ended.complaints[0]


@pytest.mark.parametrize(
    ("task", "each", "words"),
    [("raw", 30, "not for detectors"), ("classification", 5, "found 15 pictures, expected at least 50")],
)
def test_bad_input_is_one_line(edgent, tmp_path, task, each, words) -> None:
    net, data = staged(tmp_path / "net.onnx", task=task), shaded(tmp_path / "shades", each)
    ended = edgent("quantize", net, "--data", data, "-o", tmp_path / "out.onnx")
    assert ended.code == 2
    assert len(ended.complaints) == 1
    assert words in ended.complaints[0]
