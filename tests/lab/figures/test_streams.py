"""A stream in numbers: beside a dictionary, arithmetic, and what was put in."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from edgent.lab.figures.streams import Course, accuracies, stream, throughputs
from edgent.lab.processes.live_runs import StreamRequest
from edgent.link.trace import Trace
from edgent.units import Seconds
from lab.figures import made


def request(total: float, configuration=None, exit: int | None = None, why: str = "") -> StreamRequest:
    return StreamRequest(
        at=0.0, total=total, by="edge", exit=exit, deadline_met=total <= 0.1, why=why, configuration=configuration
    )


@pytest.fixture(scope="module")
def setting():
    return made.setting()


def test_an_answer_counts_by_its_plan_or_by_the_branch_that_stood_in_for_it(setting) -> None:
    of_exit = {branch.exit: branch.accuracy for branch in setting.model.branches}
    requests = [
        request(0.05, made.plan(exit=4), exit=4),
        request(0.05, made.plan(exit=4), exit=1, why="edge late"),
        request(math.inf, made.plan(exit=4), exit=None, why="edge lost"),
        request(0.05, None, exit=2),
    ]
    assert accuracies(setting, requests) == [of_exit[4], of_exit[1], 0.0, of_exit[2]]


def test_throughput_is_one_over_the_latency_and_none_where_nobody_answered() -> None:
    assert throughputs([request(0.05), request(0.2), request(math.inf)]) == [20.0, 5.0, 0.0]


def test_a_stream_that_was_kept_is_read_and_not_run_again(setting, tmp_path) -> None:
    trace = Trace(name="t", starts=np.array([0.0, 1.0]), bandwidths=np.array([1e6, 2e6]), duration=Seconds(2.0))
    lab, course = made.lab(tmp_path), Course(setting=setting, environment="static", deadline=0.1, trace=trace)
    kept = [request(0.05, made.plan(exit=3), exit=3), request(math.inf, None, why="edge lost")]

    class Parts:
        def part(self, name, depends, run):
            assert name == "stream" and depends["deadline"] == 0.1
            documents = [
                {
                    "at": one.at,
                    "total": None if one.total == math.inf else one.total,
                    "by": one.by,
                    "exit": one.exit,
                    "deadline_met": one.deadline_met,
                    "why": one.why,
                    "configuration": None
                    if one.configuration is None
                    else {
                        "exit": one.configuration.exit,
                        "upload_cut": one.configuration.upload_cut,
                        "download_cut": one.configuration.download_cut,
                        "codec": one.configuration.codec,
                        "download_codec": one.configuration.download_codec,
                    },
                }
                for one in kept
            ]
            return json.loads(json.dumps(documents, allow_nan=False))

    object.__setattr__(lab, "parts", Parts())
    assert list(stream(lab, course)) == kept
