from __future__ import annotations

import json
from dataclasses import replace

import pytest

pytest.importorskip("matplotlib")

from edgent.errors import InputError
from edgent.lab.reproduction.reproduction import reproduce
from lab.figures.made import figure, result


def run(figures, folder, traces=None):
    return list(reproduce(figures, folder, seed=3, traces=traces, progress=lambda *step: None))


def test_a_figure_becomes_json_svg_and_png(tmp_path):
    (done,) = run([figure()], tmp_path / "out")
    assert {path.name for path in done.files} == {"F0.json", "F0.svg", "F0.png"}
    document = json.loads((tmp_path / "out" / "F0.json").read_text())
    assert document["orderings"][0]["reproduced"] is True
    assert document["tables"][0]["rows"] == [{"name": "a", "latency_ms": 1.5}, {"name": "b", "latency_ms": None}]
    assert (tmp_path / "out" / "F0.svg").read_text().count("time, ms") >= 5  # axes carry their units
    assert (tmp_path / "out" / "F0.png").read_bytes().startswith(b"\x89PNG")


def test_what_never_ended_is_null_in_json(tmp_path):
    run([figure(lambda lab: result(float("inf")))], tmp_path)
    assert json.loads((tmp_path / "F0.json").read_text())["tables"][0]["rows"][0]["latency_ms"] is None


def test_the_same_result_is_the_same_picture(tmp_path):
    run([figure()], tmp_path / "a")
    run([figure()], tmp_path / "b")
    assert (tmp_path / "a" / "F0.svg").read_text() == (tmp_path / "b" / "F0.svg").read_text()


def test_an_interrupted_reproduction_goes_on_with_the_parts_that_are_done(tmp_path):
    ids = []

    def parts(lab, last):
        def make(name):
            if name == last:
                raise KeyboardInterrupt
            ids.append(name)
            return 1.0

        return result(sum(lab.parts.part(name, {}, lambda name=name: make(name)) for name in ("one", "two")))

    with pytest.raises(KeyboardInterrupt):
        run([figure(lambda lab: parts(lab, "two"))], tmp_path)
    (done,) = run([figure(lambda lab: parts(lab, None))], tmp_path)
    assert ids == ["one", "two"]
    assert (done.kept, done.computed) == (1, 1)


def test_traces_that_are_no_folder_are_bad_input(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        run([figure()], tmp_path, traces=tmp_path / "nowhere")


def test_a_plot_of_one_panel_is_drawn(tmp_path):
    one = replace(result(), panels=result().panels[:1])
    (done,) = run([figure(lambda lab: one)], tmp_path)
    assert done.files and all(path.is_file() for path in done.files)
