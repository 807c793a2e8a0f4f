"""A configuration map that is followed: by the chooser alone, by a device, and from the command line."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from edgent.cli import app
from edgent.device.choosers.chooser import Scope, Static
from edgent.device.choosers.mapped import Mapped
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.errors import InputError, RefusedError
from edgent.evaluation.calibration_files import calibration_for
from edgent.link import TransferModel
from edgent.link.transfer import Transfer
from edgent.planning import Candidates, Conditions, Configuration
from edgent.planning.paper.algorithm2 import MapSettings, build_map, grid

DEADLINE = 0.3
ALONE = Configuration(exit=4, upload_cut=22, download_cut=22)
WITHIN = 20.0


@pytest.fixture(scope="module")
def table(model, slow, fast):
    return Candidates.build(model, slow, fast, calibration_for(model, None))


@pytest.fixture(scope="module")
def states(table, slow, fast):
    recipe = MapSettings(bandwidths=grid(1e4, 1e8, 33), deadlines=[0.1, 10.0])
    return build_map(table, slow.model, slow, fast, recipe)


@pytest.fixture
def chooser(states, table, slow, fast):
    return Mapped(states, scope(table, slow, fast))


@pytest.fixture(scope="module")
def photo():
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def scope(table, slow, fast, deadline=DEADLINE):
    return Scope(candidates=table, device=slow, edge=fast, deadline=deadline, race=True, margin=lambda _: 0.009)


def link(bandwidth: float) -> Conditions:
    way = TransferModel(bandwidth=bandwidth)
    return Conditions(uplink=way, downlink=way)


def told(chooser, bandwidth, *, direction="up", seconds=None):
    for at in range(20):
        took = 12288 * 8 / bandwidth if seconds is None else seconds
        chooser.observe([Transfer(direction=direction, size=12288, seconds=took, at=float(at))])


def plan(chooser, deadline=DEADLINE, ready=None):
    return chooser.choose(0.0, link(5e6), deadline, ready).configuration


def test_a_state_of_the_uplink_decides_and_not_the_conditions(chooser, states):
    told(chooser, 2e4)
    assert plan(chooser) == states.look_up(2e4, DEADLINE) and plan(chooser).device_only
    told(chooser, 2e7, direction="down")
    assert plan(chooser).device_only
    told(chooser, 2e7)
    assert plan(chooser) == states.look_up(2e7, DEADLINE) and not plan(chooser).device_only


def test_a_deadline_of_one_request_is_looked_up_in_the_state_that_the_link_is_in(chooser, states):
    told(chooser, 5e4)
    seen = [plan(chooser, deadline) for deadline in (0.15, 5.0)]
    assert seen[0] != seen[1]
    assert seen == [states.look_up(5e4, deadline) for deadline in (0.15, 5.0)]
    with pytest.raises(InputError, match=r"100 ms \.\. 10 s"):
        plan(chooser, 0.05)


@pytest.mark.parametrize("seconds", [0.0, -0.003])
def test_a_transfer_that_seems_to_have_taken_no_time_tells_nothing(chooser, seconds):
    told(chooser, 2e4)
    told(chooser, 2e4, seconds=seconds)
    assert plan(chooser).device_only


def test_a_transfer_that_was_given_up_is_an_outage_until_the_next_sample(chooser, states):
    told(chooser, 2e7)
    well = plan(chooser)
    chooser.observe([Transfer(direction="up", size=12288, seconds=0.005, at=20.0, cut=True)])
    assert plan(chooser) == states.look_up(0.0, DEADLINE) and plan(chooser).device_only
    chooser.observe([Transfer(direction="up", size=12288, seconds=0.005, at=21.0)])
    assert plan(chooser) == well


def test_until_its_plan_is_ready_the_best_of_what_is_answers(chooser):
    told(chooser, 2e7)
    wanted = plan(chooser)
    assert plan(chooser, ready=[]).device_only
    assert plan(chooser, ready=[wanted]) == wanted


def test_what_the_map_asks_for_and_cannot_be_run_the_planner_replaces_and_it_is_said(states, table, slow, fast, caplog):
    raw = scope(table.restricted(codecs=["float32"]), slow, fast)
    chooser = Mapped(states, raw)
    assert "cannot be run here" in caplog.text
    told(chooser, 2e7)
    assert states.look_up(2e7, DEADLINE).codec != "float32"
    assert plan(chooser) == Static(raw).choose(0.0, link(5e6), DEADLINE).configuration


def test_a_map_for_another_edge_device_or_model_is_refused(states, table, slow, fast):
    others = {
        "edge made up": {"edge": replace(fast, machine="another")},
        "device made up": {"device": replace(slow, threads=2)},
        "version": {"device": replace(slow, digest="0b" * 32)},
    }
    for words, change in others.items():
        with pytest.raises(RefusedError, match=words):
            Mapped(states, replace(scope(table, slow, fast), **change))


def test_a_device_follows_its_map(model, made, fast, link, clock, states, photo, caplog):
    link.mend(Edge(model, profiles=[fast], calibrations=[calibration_for(model, None)], clock=clock).service.methods())
    link.bandwidth = 2e7
    device = made(environment=states)
    assert device.wait_ready(WITHIN)
    assert device.infer(photo).record.plan.configuration in states.configurations
    with pytest.raises(InputError, match="the map was built for"):
        device.infer(photo, deadline=60.0)
    assert not caplog.records


def test_a_device_refuses_at_once_what_it_can_tell_by_itself(model, slow, states):
    for words, deadline, profile in (
        ("the map was built for", 0.05, slow),
        ("for the device made up", DEADLINE, replace(slow, machine="another")),
    ):
        with pytest.raises(InputError, match=words):
            Device(model, deadline=deadline, device_profile=profile, environment=states)


def test_a_device_refuses_an_edge_that_the_map_was_not_built_for_until_the_right_one_is_there(
    model, made, fast, link, clock, until, states, picture
):
    right = link.methods
    link.mend(Edge(model, profiles=[replace(fast, machine="another")], clock=clock).service.methods())
    device = made(environment=states)
    with pytest.raises(RefusedError, match="for the edge made up, fake x1, this one is another"):
        device.wait_ready(WITHIN)
    with pytest.raises(RefusedError, match="edgent map"):
        device.infer(picture)
    link.mend(right)
    assert until(lambda: device.connected)
    assert device.wait_ready(WITHIN)
    assert device.infer(picture).record.plan is not None


@pytest.fixture
def given(tmp_path, model, slow, fast, states, photo):
    """Files for the command line, and an edge that it reaches."""
    slow.save(tmp_path / "device.json")
    states.save(tmp_path / "map.json")
    (tmp_path / "photo.png").write_bytes(photo)
    with Edge(model, port=0, profiles=[fast]) as edge:
        yield [
            *("run", "b-alexnet", str(tmp_path / "photo.png"), "--profile", str(tmp_path / "device.json")),
            *("--edge", edge.address, "--deadline", "300ms", "--json"),
        ]


def test_a_run_takes_the_map_that_was_written(given, tmp_path):
    done = CliRunner().invoke(app, [*given, "--environment", "dynamic", "--map", str(tmp_path / "map.json")])
    assert done.exit_code == 0, done.output
    (answer,) = json.loads(done.stdout)["answers"]
    assert answer["plan"] is not None
    assert "cannot be run" not in done.stderr


def spoiled(file: Path, **changes: object) -> None:
    found = json.loads(file.read_text())
    file.write_text(json.dumps(found | changes))


@pytest.mark.parametrize(
    ("changes", "more", "words"),
    [
        ({}, ("--environment", "static"), "--environment dynamic"),
        ({}, ("--environment", "dynamic", "--edge", ""), "add --edge"),
        ({}, ("--environment", "windy"), "--environment dynamic"),
        ({}, ("--deadline", "20s"), "100 ms .. 10 s"),
        ({"digest": "0b" * 32}, (), "is of version 0b0b0b0b0b0b"),
        ({"device": {"machine": "phone", "engine": "fake", "threads": 1, "emulated": None}}, (), "device phone"),
        ({"edge": {"machine": "box", "engine": "fake", "threads": 1, "emulated": None}}, (), "edge box"),
        ({"schema": 2}, (), "schema 2"),
        ({"states": []}, (), "map.json: states: expected"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_map_that_does_not_fit_is_bad_input_in_one_line_that_says_what_to_do(given, tmp_path, changes, more, words):
    spoiled(tmp_path / "map.json", **changes)
    done = CliRunner().invoke(app, [*given, "--environment", "dynamic", "--map", str(tmp_path / "map.json"), *more])
    assert isinstance(done.exception, InputError) and done.exception.exit_code == 2
    assert words in str(done.exception) and "\n" not in str(done.exception)
    assert done.stdout == ""


def test_a_map_that_is_not_there_is_bad_input(given, tmp_path):
    done = CliRunner().invoke(app, [*given, "--environment", "dynamic", "--map", str(tmp_path / "none.json")])
    assert isinstance(done.exception, InputError) and "none.json: cannot be read" in str(done.exception)
