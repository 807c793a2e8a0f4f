"""How many cameras come, on a street whose processes are made up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from demo.cameras import made
from edgent.demo.cameras.setting import StreetOptions
from edgent.demo.cameras.stage import CARRIER, EDGE, play

OPTIONS = StreetOptions(steps=(2, 4, 6), seconds=1.0)


class Live:
    """Each method's carrying core is as full as is said, by the number of cameras; so is the edge's."""

    def __init__(self, carrier: dict[int, float], edge: dict[int, float]) -> None:
        self.carrier, self.edge, self.link = carrier, edge, SimpleNamespace(cut=None, restore=None)

    def grow(self, cameras: int) -> None:
        """They are there at once."""

    def watch(self, method, street, watcher, events=()):
        meter = made.meter(
            method,
            street.cameras,
            [True],
            carrier=self.carrier.get(street.cameras, 0.1),
            edge=self.edge.get(street.cameras, 0.1),
        )
        return meter, [(moment, moment) for moment, _ in events]


@pytest.mark.parametrize(
    ("carrier", "edge", "counted", "ended"),
    [
        ({}, {}, [2, 4, 6], "so many were asked for"),
        ({}, {4: 0.95}, [2, 4], EDGE),
        ({4: 0.95}, {}, [2], f"with 4, {CARRIER}, and so that street is left out"),
        ({4: 0.95}, {4: 0.95}, [2], f"with 4, {CARRIER}, and so that street is left out"),
        ({2: 0.95}, {}, [2], CARRIER),
    ],
)
def test_a_street_that_measures_the_carrying_core_counts_for_nothing_unless_it_is_all(carrier, edge, counted, ended):
    show = play(OPTIONS, Live(carrier, edge), 1, lambda meter: None)
    assert [street.cameras for street in show.streets] == counted
    assert [meter.cameras for meter in show.meters] == [n for n in counted for _ in range(2)]
    assert show.ended == ended
