"""The benchmarks of load, of a crowd, a herd and a cluster: what they make of their runs, and that they can fail."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import cluster
import crowd
import herd
import load
import load_client
from edgent.lab.boards.emulation import EmulationReport
from edgent.lab.simulation.herd import Crowd


def run(at, goodput, *, refused=None):
    return load.Run(
        model_ms=9.0, load=at, capacity=100.0, offered=at, goodput=goodput, refused_after_ms=refused, statuses={}
    )


def test_shares_are_of_the_best_load_up_to_one_and_figures_are_medians():
    runs = [run(at, at * 0.8, refused=None) for at in load.BELOW for _ in range(3)]
    runs += [run(at, goodput, refused=2.0) for at in load.ABOVE for goodput in (0.1, 0.4, 0.9)]
    rows = {row.load: row for row in load.rows(runs)}
    assert rows[1.0].of_peak == 1.0
    assert rows[0.5].of_peak == pytest.approx(0.5)
    assert rows[4.0].goodput == 0.4
    assert rows[4.0].of_peak == pytest.approx(0.5)
    assert (rows[0.5].refused_after_ms, rows[2.0].refused_after_ms) == (None, 2.0)


def test_a_throughput_is_over_the_bare_loop_beside_it():
    row = load.throughput(9.0, "edgent", [(90.0, 100.0), (45.0, 50.0), (10.0, 50.0)])
    assert (row.server, row.of_bare, row.bare_per_second) == ("edgent", 0.9, 50.0)


@pytest.mark.parametrize("layers", [1, 3])
def test_the_made_network_takes_the_picture_of_the_client(tmp_path, layers):
    file = tmp_path / "load.onnx"
    file.write_bytes(load.network(layers).SerializeToString())
    assert load.Bare(file).times(0.0) == []
    picture = np.frombuffer(load_client.tensor(load.SHAPE), np.float32)
    assert (picture.size, float(picture[0])) == (np.prod(load.SHAPE), 0.5)


def test_over_http_a_caller_posts_the_tensor_and_counts_the_answers(monkeypatch):
    posted, now = [], [0.0]
    monkeypatch.setattr(load_client, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    async def answer(reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            posted.append(await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0])))
            status = b"200 OK" if len(posted) % 2 else b"503 Busy"
            now[0] += 1.0  # which this answer took
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\n{}")

    async def ask():
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        order = {"address": f"{host}:{port}", "http": "/predict", "shape": [1, 3], "seconds": 5.0, "callers": 1}
        client = load_client.HttpClient(order)
        await client.closed_loop()
        server.close()
        return client.outcome

    outcome = asyncio.run(ask())
    assert (outcome.sent, outcome.answered, outcome.seconds) == (5, 3, 5.0)
    assert len(posted) == 5
    assert load_client.tensor([1, 3]) in posted[0]


def test_a_crowd_is_late_by_its_deadline_and_hides_what_its_record_does_not_say():
    requests = [
        crowd.Asked(deadline=1.0, seconds=0.9, recorded=0.9),
        crowd.Asked(deadline=1.0, seconds=1.1, recorded=1.0),
    ]
    row = crowd.row("alone", requests, EmulationReport(pieces=4, overran=1))
    assert (row.requests, row.in_time, row.overran) == (2, 0.5, 0.25)
    assert row.longest_ms == pytest.approx(1100.0)
    assert row.hidden_ms == pytest.approx(100.0)


def test_a_herd_is_set_beside_the_best_split_of_the_same_arrivals():
    small = Crowd(devices=4, rate=12.0, local=0.070, remote=0.030, deadline=0.120, seconds=4.0)
    row = herd.row("small", small, seeds=2)
    assert row.asked == pytest.approx(4 * 12 * 0.030)
    assert 0 < row.alone <= row.fixed
    assert row.ahead == pytest.approx(row.planned - row.fixed, abs=0.05)
    assert herd.row("small", replace(small, rate=0.5), seeds=1).refused == 0


@pytest.mark.parametrize(
    ("over", "lost", "wrong", "passes"), [(6.0, 0, 0, True), (6.1, 0, 0, False), (1.0, 1, 0, False), (1.0, 0, 1, False)]
)
def test_a_cluster_passes_where_it_costs_little_and_loses_nothing(over, lost, wrong, passes):
    faults = [{"lost": 0, "wrong": 0}, {"lost": lost, "wrong": wrong}]
    assert cluster.passes({"overhead": [{"over_ms": over}], "faults": faults}) is passes
