from __future__ import annotations

import json

import pytest

from edgent.errors import InputError
from edgent.lab.necessity.grid import INPUTS, load_grid
from lab.necessity.made import SHIPPED, small


@pytest.fixture
def written(tmp_path):
    def write(content, indent=None):
        path = tmp_path / "grid.json"
        path.write_text(json.dumps(content, indent=indent))
        return path

    return write


def test_the_grid_that_ships_has_every_device_input_and_bandwidth_and_deadline_rising():
    grid = load_grid()
    assert set(grid.shipped.devices) == {"paper-pi3", "paper-pi3-resident", "pi-3b+", "pi-4", "pi-5"}
    assert set(grid.public.devices) == {"pi-3b+", "pi-4", "pi-5"} == set(grid.assumed.int8_time)
    for axes in (grid.shipped, grid.public):
        assert set(axes.inputs) == set(INPUTS)
        assert list(axes.bandwidths) == sorted(axes.bandwidths)
        assert list(axes.deadlines) == sorted(axes.deadlines)
    assert len(list(grid.shipped.cells())) == 5 * 3 * 2 * 12 * 14


def test_a_digest_is_of_the_content_and_not_of_the_layout(written):
    assert load_grid(written(SHIPPED, indent=7)).digest == load_grid().digest
    assert load_grid(written(small())).digest != load_grid().digest


def test_another_grid_than_the_run_s_is_refused(written):
    ran = load_grid().digest
    load_grid().check_unchanged(ran)
    with pytest.raises(InputError, match="changed after its run") as refused:
        load_grid(written(small())).check_unchanged(ran)
    assert ran[:12] in str(refused.value)


def test_a_seeded_twentieth_of_the_cells_is_the_same_each_time():
    axes = load_grid().shipped
    first, again, other = (axes.some(0.05, seed) for seed in (0, 0, 1))
    assert first == again != other
    assert len(first) == len(set(first)) == 252
    assert set(first) <= set(axes.cells())


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"schema": 2}, "expected 1"),
        ({"shipped": {**SHIPPED["shipped"], "devices": ["pi-9"]}}, "pi-9"),
        ({"shipped": {**SHIPPED["shipped"], "bandwidths_bps": []}}, "one at least"),
        ({"shipped": {**SHIPPED["shipped"], "deadlines_ms": [5, 5]}}, "none twice"),
        ({"shipped": {**SHIPPED["shipped"], "deadlines_ms": [0]}}, "positive"),
        ({"shipped": {**SHIPPED["shipped"], "inputs": ["smell"]}}, "smell"),
        ({"live": {"share": 0, "requests": 10}}, "share"),
        ({"live": {"share": 1, "requests": 3}}, "10 requests"),
        ({"more": 1}, "unknown key"),
    ],
)
def test_a_grid_that_is_none_is_refused_in_a_line_with_its_file(written, broken, words):
    path = written(SHIPPED | broken)
    with pytest.raises(InputError, match=words) as refused:
        load_grid(path)
    assert str(path) in str(refused.value)


def test_a_grid_that_is_no_json_or_not_there_is_refused(tmp_path):
    (torn := tmp_path / "torn.json").write_text('{"schema": 1,')
    for path in (torn, tmp_path / "none.json"):
        with pytest.raises(InputError, match=path.name):
            load_grid(path)
