from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgent.errors import InputError
from edgent.lab.necessity import shipped, sized
from edgent.lab.necessity.grid import load_grid
from edgent.lab.reproduction.reproduction import reproduce
from lab.necessity.made import small


def silent(what: str, done: int, whole: int) -> None:
    pass


@pytest.fixture
def grid(tmp_path, monkeypatch):
    """Puts a grid in place of the one that ships."""
    path = tmp_path / "grid.json"

    def put(content):
        path.write_text(json.dumps(content))
        monkeypatch.setattr(shipped, "load_grid", lambda: load_grid(path))

    put(small())
    return put


def reproduced(figure, folder: Path):
    (done,) = reproduce([figure], folder, seed=0, traces=None, progress=silent)
    return done


def test_the_shipped_networks_map_is_computed_checked_live_and_kept(grid, tmp_path):
    first = reproduced(shipped.FIGURE, tmp_path / "out")
    titles = [table.title for table in first.result.tables]
    assert any(title.startswith("Run live: 2 cells") for title in titles)
    notes = " ".join(first.result.notes)
    assert "emulated" in notes and "range 8.6-19.9" in notes and "hidden factor" in notes  # whatever is used is named
    assert "no-such-network" in notes
    assert "pieces of work" in notes
    again = reproduced(shipped.FIGURE, tmp_path / "out")
    assert again.computed == 0
    assert again.result.document() == first.result.document()
    grid(small(live={"share": 0.5, "requests": 10}))
    with pytest.raises(InputError, match="changed after its run"):
        reproduced(shipped.FIGURE, tmp_path / "out")


def test_the_sized_networks_map_says_what_is_assumed_and_is_kept(grid, tmp_path):
    first = reproduced(sized.FIGURE, tmp_path / "out")
    notes = " ".join(first.result.notes)
    assert "ASSUMED" in notes and "range 8.6-19.9" in notes
    assert {path.suffix for path in first.files} == {".json", ".svg", ".png"}
    networks = next(table for table in first.result.tables if "network" in table.title)
    assert [row[0] for row in networks.rows] == ["squeezenet"]
    again = reproduced(sized.FIGURE, tmp_path / "out")
    assert again.computed == 0
    assert again.result.document() == first.result.document()
