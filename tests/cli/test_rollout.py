"""`edgent serve` as a process of its own, with files and a cache that its devices do not see: bundles and versions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import edgent
from graphs import residual
from ports import reserved_port

IMAGE = np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)
WITHIN = 60.0  # seconds, for what takes one


@contextmanager
def serving(folder: Path, *arguments: str, port: int = 0) -> Iterator[int]:
    """An edge with a cache in a folder; its port."""
    command = [sys.executable, "-m", "edgent", "serve", *arguments, "--port", str(port), "--json"]
    variables = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = "".join(takewhile(lambda line: line != "}\n", process.stdout)) + "}"
            yield int(json.loads(said)["address"].rpartition(":")[2])
        finally:
            process.terminate()


def network(path: Path, *, accuracy: float, by: float = 1.0) -> Path:
    """A file with a measured accuracy, and weights that are this many times as large."""
    proto = residual()
    for tensor in proto.graph.initializer:
        tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor) * np.float32(by), tensor.name))
    outputs = [value.name for value in proto.graph.output]
    exits = [{"name": "output", "outputs": outputs, "accuracy": accuracy, "data": "made up"}]
    proto.metadata_props.add(key="edgent", value=json.dumps({"version": 1, "exits": exits}))
    path.parent.mkdir(exist_ok=True)
    onnx.save(proto, path)
    return path


def undivided(path: Path) -> np.ndarray:
    (answer,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": IMAGE})
    return answer


def close(answer: edgent.Answer, path: Path) -> bool:
    (found,) = answer.outputs.values()
    expected = undivided(path)
    return bool(np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max())


@pytest.fixture
def edge(tmp_path: Path, empty_cache: Path) -> Path:
    """The edge's folder; the cache of this process is the device's."""
    (folder := tmp_path / "edge").mkdir()
    return folder


def test_a_bundle_of_which_one_file_stays_on_the_edge_is_run_by_its_name(edge, edgent, tmp_path, empty_cache) -> None:
    files = network(edge / "small.onnx", accuracy=0.5), network(edge / "big.onnx", accuracy=0.9, by=0.5)
    np.save(tmp_path / "x.npy", IMAGE)
    with serving(edge, "+".join(map(str, files)), "--edge-only", "big") as port:
        run = ("run", "small+big", "--edge", f"127.0.0.1:{port}", "--deadline", "30s", tmp_path / "x.npy", "--json")
        done = edgent(*run)
    assert done.code == 0, done.err
    (answer,) = json.loads(done.out)["answers"]
    assert answer["exit"] == 1 and answer["by"] == "edge"
    assert {path.name for path in empty_cache.rglob("*.onnx")} == {"small.onnx"}
    assert edgent(*run[:2], "--deadline", "30s", tmp_path / "x.npy").code == 2, "the edge is gone, and with it the name"


@pytest.fixture
def reserved() -> Iterator[int]:
    """A port that nobody else takes while the edge is away."""
    with reserved_port() as port:
        yield port


@pytest.mark.parametrize("beside", [True, False])
def test_an_edge_started_again_with_another_version_takes_its_devices_along(edge, beside, reserved, caplog) -> None:
    old, new = network(edge / "v1" / "net.onnx", accuracy=0.5), network(edge / "v2" / "net.onnx", accuracy=0.6, by=0.5)
    with serving(edge, str(old), port=reserved) as port:
        device = edgent.connect(f"127.0.0.1:{port}", "net", deadline=30)
        assert close(device.infer(IMAGE), old)
    with device:
        assert close(device.infer(IMAGE), old), "by the device alone"
        with serving(edge, str(new), *([str(old)] if beside else []), port=port):
            give_up_at = time.monotonic() + WITHIN
            version = edgent.load(new).version
            while device.model.version != version:
                answer = device.infer(IMAGE)
                assert close(answer, old) or close(answer, new)
                assert time.monotonic() < give_up_at, caplog.messages
                time.sleep(0.01)
            answer = device.infer(IMAGE)
            assert close(answer, new) and answer.record.deadline_met and device.connected
