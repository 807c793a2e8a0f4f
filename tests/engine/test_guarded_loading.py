"""Files that nobody vouches for: tried first in a process of its own, whose memory and time are limited."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from edgent.cache import cache_folder
from edgent.engine import loading
from edgent.engine.guarded_loading import Limits, load
from edgent.engine.onnxruntime import Engine
from edgent.errors import EdgentError, ModelError
from graphs import residual, saved
from hostile import corpus
from hostile.protos import model, node, value, whole

_SMALL = Limits(memory=1 << 30)  # and time enough on any machine
_HOSTILE = {case.name: case for case in corpus()}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _forbid_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, whoever tries a file fails: there is no Python to try it with."""
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")


def test_an_honest_file_is_the_same_model(model_file: Path) -> None:
    saved(residual(), model_file)
    assert load(model_file).digest == loading.load(model_file).digest


def test_an_honest_file_is_tried_once(model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(saved(residual(), model_file))
    _forbid_trials(monkeypatch)
    assert load(model_file).branches
    with pytest.raises(EdgentError, match="to try it"):
        load(saved(residual(channels=4), model_file))


def test_the_same_file_under_another_name_is_not_tried_again(model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(saved(residual(), model_file))
    _forbid_trials(monkeypatch)
    assert load(saved(residual(), model_file.with_name("other.onnx"))).name == "other"


def test_other_dimensions_are_tried_anew(model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(saved(residual(batch="n"), model_file))
    _forbid_trials(monkeypatch)
    with pytest.raises(EdgentError, match="to try it"):
        load(model_file, dims={"n": 2})


def test_a_shipped_model_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    _forbid_trials(monkeypatch)
    assert len(load("b-alexnet").branches) == 5


def test_weights_beside_the_file_that_change_are_tried_anew(model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx.save(residual(), model_file, save_as_external_data=True, location="w.bin", size_threshold=0)
    load(model_file)
    weights = model_file.with_name("w.bin")
    os.utime(weights, ns=(1, 1))
    _forbid_trials(monkeypatch)
    with pytest.raises(EdgentError, match="to try it"):
        load(model_file)


@pytest.mark.parametrize("content", ["", "{", "5", '[["/nowhere", 1, 2]]', "[5]"])
def test_a_damaged_note_is_not_believed(model_file: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    load(saved(residual(), model_file))
    (note,) = (cache_folder() / "tried").iterdir()
    note.write_text(content)
    _forbid_trials(monkeypatch)
    with pytest.raises(EdgentError, match="to try it"):
        load(model_file)


def test_a_cache_that_cannot_be_written_costs_only_time(model_file: Path) -> None:
    cache_folder().mkdir(parents=True)
    (cache_folder() / "tried").write_text("in the way")
    assert load(saved(residual(), model_file)).branches


def test_nothing_is_imported_from_the_folder_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("onnx.py", "numpy.py", "resource.py"):
        (tmp_path / name).write_text("raise SystemExit('this must not run')")
    monkeypatch.chdir(tmp_path)
    saved(residual(), tmp_path / "model.onnx")
    assert load("model.onnx").branches


@pytest.mark.parametrize("name", ["reads-nothing-known", "raw-short", "flipped-3"])
def test_a_broken_file_is_refused_in_the_words_of_whoever_reads_it(tmp_path: Path, name: str) -> None:
    file = next(case for case in corpus() if case.name.endswith(name)).write(tmp_path)
    with pytest.raises(ModelError) as plainly:
        loading.load(file)
    with pytest.raises(ModelError) as tried:
        load(file, limits=_SMALL)
    assert str(tried.value) == str(plainly.value)


def test_a_file_that_fails_on_made_up_inputs_is_opened(tmp_path: Path) -> None:
    """Zeros and random numbers make no sense to every graph: here an input says which row to take."""
    index = value("i", [1], TensorProto.INT64)
    one = model(
        [node("Sub", "i hundred", "j"), node("Gather", "x j", axis=1)],
        [whole("hundred", 100)],
        inputs=[value("x"), index],
    )
    (tmp_path / "gather.onnx").write_bytes(one.SerializeToString())
    opened = load(tmp_path / "gather.onnx")
    with pytest.raises(EdgentError, match="failed in ONNX Runtime"):
        Engine().session(opened, ["x", "i"], ["y"]).run({"x": np.ones((1, 8), np.float32), "i": np.zeros(1, np.int64)})


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("expand-run-time", "it takes more than 1.07 GB of memory"),
        ("expand-data", "it takes more than 1.07 GB of memory"),
        ("concat-input", "tensor 't27' of shape .* more than 2.15 GB"),
        ("concat-shapes", "refused"),
        ("activation-outer-matmul", "takes 68.7 GB, more than 2.15 GB"),
        ("slow-pool", "it takes more than 2 seconds"),
        ("text-doubling", "it takes more than 1.07 GB of memory"),
        ("loop-trips", "it takes more than 2 seconds"),
        ("laughs-40", "its functions make 1,099,511,627,776 nodes"),
        ("function-call-each-other", "calls itself"),
        ("external-fifo", "external data 'fifo'"),
        ("external-dev-zero", "outside the model's folder"),
    ],
)
def test_a_greedy_file_is_refused_within_the_limits(tmp_path: Path, name: str, why: str) -> None:
    limits = replace(_SMALL, seconds=2) if "seconds" in why else _SMALL  # a slow machine is to meet its own limit
    with pytest.raises(ModelError, match=why):
        load(_HOSTILE[name].write(tmp_path), limits=limits)


@pytest.mark.parametrize("name", ["external-nul", "external-offset-digits", "metadata-deep", "constant-type-99"])
def test_what_makes_a_library_stumble_is_a_model_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError):
        load(_HOSTILE[name].write(tmp_path), limits=_SMALL)


def test_more_weights_may_take_more_memory(model_file: Path) -> None:
    limits = Limits(memory=100, memory_factor=3, seconds=10, seconds_per_gigabyte=20)
    assert limits.memory_of(50) == 250
    assert limits.seconds_of(2_500_000_000) == 60


def test_a_large_file_may_take_memory_for_its_weights(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.zeros((8, 3, 1024, 1024), np.float32), "w")  # 100 MB
    proto = residual()
    proto.graph.initializer.append(weight)
    file = saved(proto, tmp_path / "large.onnx")
    with pytest.raises(ModelError, match="of memory"):
        load(file, limits=Limits(memory=300 << 20, memory_factor=0))
    assert load(file, limits=Limits(memory=300 << 20)).branches


@pytest.mark.parametrize("limit", ["-d 4000000", "-t 100", "-c 0", "-d 4000000 -t 100"])
def test_a_file_is_tried_also_where_processes_are_limited_for_good(limit: str, model_file: Path) -> None:
    """As on machines shared by many, whose shells set limits that nobody may raise."""
    saved(residual(), model_file)
    program = f"from edgent.engine.guarded_loading import load; print(len(load({str(model_file)!r}).branches))"
    command = ["bash", "-c", f'ulimit {limit} && exec "$@"', "-", sys.executable, "-c", program]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("1\n", "")


def test_another_configuration_is_tried_anew(model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside, names = model_file.with_name("model.edgent.toml"), model_file.with_name("names.txt")
    names.write_text("cat\n")
    beside.write_text('labels = "names.txt"\n')
    assert load(saved(residual(), model_file)).metadata.labels == ("cat",)
    python = sys.executable
    for file, text in ((names, "a dog\n"), (beside, 'task = "raw"\n')):
        _forbid_trials(monkeypatch)
        assert load(model_file).branches
        before = file.read_text()
        file.write_text(text)
        with pytest.raises(EdgentError, match="to try it"):
            load(model_file)
        file.write_text(before)
        monkeypatch.setattr(sys, "executable", python)
        load(model_file)  # the file of labels has another time now
