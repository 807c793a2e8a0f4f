from __future__ import annotations

import json

import numpy as np
import pytest
import typer

from edgent.cli.odd import print_links
from edgent.errors import InputError
from edgent.link.odd_links import ODD_LINKS
from edgent.replay import odd
from edgent.replay.methods import METHODS
from edgent.replay.odd import OddReport, odd_links, replay_odd
from edgent.replay.report import Report
from edgent.replay.trace import Sums
from edgent.units import Seconds
from replay.machines import request


def report(name: str, ours: float, baseline: float) -> OddReport:
    """Of a link on which every method but ours has the same accuracy."""

    def sums(accuracy: float) -> Sums:
        return Sums(requests=100, accuracy=100 * accuracy, missed=0, reward=0.0, throughput=1.0, switches=0)

    every = {method: sums(ours if method == "edgent" else baseline) for method in METHODS}
    (link,) = odd_links([name])
    found = Report(
        deadline=Seconds(0.1),
        measure="accuracy",
        names=("made",),
        per_trace=(every,),
        contested=0.0,
        fixed="exit 0 on the device",
        claims=np.zeros((0, 2)),
    )
    return OddReport(link=link, report=found)


def test_links_are_chosen_by_name_in_their_order() -> None:
    assert odd_links() == ODD_LINKS
    assert [link.name for link in odd_links(["train", "bursts"])] == ["bursts", "train"]
    with pytest.raises(InputError, match="link 'calm': expected one of alternating"):
        odd_links(["bursts", "calm"])


def test_a_point_behind_is_not_worse_and_more_is() -> None:
    near, far, ahead = report("bursts", 0.791, 0.8), report("bursts", 0.78, 0.8), report("bursts", 0.9, 0.8)
    assert [one.worse for one in (near, far, ahead)] == [False, True, False]
    assert far.behind == pytest.approx(0.02) and ahead.behind == pytest.approx(-0.1)


def test_a_known_reason_explains_only_a_link_that_is_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(odd, "REASONS", {"bursts": "because"})
    far, near, other = report("bursts", 0.7, 0.8), report("bursts", 0.8, 0.8), report("train", 0.7, 0.8)
    assert (far.reason, far.unexplained) == ("because", False)
    assert (near.reason, near.unexplained) == (None, False)
    assert (other.reason, other.unexplained) == (None, True)


def test_every_known_reason_is_of_a_link_and_a_line() -> None:
    assert odd.REASONS.keys() <= {link.name for link in ODD_LINKS}
    assert all("\n" not in reason for reason in odd.REASONS.values())


def test_what_is_behind_without_a_reason_ends_in_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught:
        print_links(request(), [report("train", 0.7, 0.8), report("steady-good", 0.8, 0.8)], as_json=False)
    printed = capsys.readouterr()
    assert caught.value.exit_code == 1
    assert all(len(line) <= 100 for line in printed.out.splitlines())
    (train,) = (line for line in printed.out.splitlines() if line.startswith("train"))
    assert train.split() == ["train", "80.0", "%", "fixed", "80.0", "%", "70.0", "%", "-10.0", "behind"]
    assert "on 1 of 2 links" in printed.out and printed.err.rstrip().endswith("no reason that is known: train")


def test_the_document_is_printed_whole_before_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        print_links(request(), [report("train", 0.7, 0.8)], as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["deadline_ms"] == 80.0
    (link,) = document["links"]
    assert link["behind"] == pytest.approx(0.1) and link["worse"] is True and link["best_baseline"] == "fixed"


def test_the_same_request_gives_the_same_reports() -> None:
    told: list[int] = []
    first, again = (replay_odd(request(interval=20.0), odd_links(["slow-down"]), done=told.append) for _ in range(2))
    assert [one.document() for one in first] == [one.document() for one in again]
    assert told == [1, 1]
