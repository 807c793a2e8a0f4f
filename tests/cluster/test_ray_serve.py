"""Ray Serve behind the door, with real nodes of Ray; all of it needs the extra `ray`, and skips without."""

from __future__ import annotations

import socket
import subprocess
import sys
import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray is warned by its own libraries, as soon as it is imported
    pytest.importorskip("ray.serve", reason="the extra 'ray' is not installed")

import cluster as bench
from edgent.cluster import ray_serve
from edgent.cluster.model_copy import ModelCopy
from edgent.cluster.ray_serve import RayCluster
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgeError, EdgentError, InputError
from edgent.lab.processes.server_process import ServerProcess
from ports import reserved_port

pytestmark = pytest.mark.filterwarnings("ignore")  # and goes on to be
WITHIN = 180.0  # seconds: only ever waited for when something is broken
SERVE = ("-m", "edgent", "serve", "b-alexnet", "--port", "0", "--json")


@pytest.fixture(scope="module")
def nodes():
    with bench.nodes(3) as started:
        yield started


@pytest.fixture(scope="module")
def door(nodes):
    with ServerProcess(*SERVE, "--cluster", nodes.address) as started:
        yield started


def serve(*options):
    return subprocess.run(
        [sys.executable, *SERVE, "--cluster", *options],
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )


def told(ended, code):
    """The one line of an error."""
    assert ended.returncode == code, ended.stderr
    (line,) = ended.stderr.strip().splitlines()
    return line


def test_the_door_answers_as_the_undivided_file(door, model):
    caller = bench.Caller(door.address, model)
    assert caller.seconds() < float("inf")
    caller.close()


def test_a_replica_that_is_killed_loses_nothing(door, nodes):
    fault = bench.fault(door.address, "a replica", lambda: bench.kill_replica(nodes), 8.0)
    assert (fault.lost, fault.wrong) == (0, 0)
    assert fault.requests > 0


def test_a_node_that_is_killed_loses_nothing(door, nodes):
    fault = bench.fault(door.address, "a node", lambda: bench.kill_node(nodes), 8.0)
    assert (fault.lost, fault.wrong) == (0, 0)
    assert fault.requests > 0


def test_where_nothing_listens_is_told_in_one_line(model):
    with reserved_port() as nobodys:
        assert "ray start --head" in told(serve(f"127.0.0.1:{nobodys}"), 1)


def test_what_is_no_cluster_is_told_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as other:
        line = told(serve(f"127.0.0.1:{other.getsockname()[1]}"), 1)
    assert "no cluster" in line


def test_a_shelf_keeps_the_whole_model_and_the_last_segments_that_were_prepared(model):
    shelf = ray_serve._Shelf(ModelCopy.of(model))
    for number in (0, 1, 1, *range(200)):
        shelf.put(f"segment {number}")
    assert len(shelf.segments()) == ray_serve.SEGMENTS
    assert shelf.segments()[0] == model.name
    assert shelf.segments()[-1] == "segment 199"
    assert shelf.copy().digest == model.digest


@pytest.mark.parametrize("address", ["", "nowhere", "host:port", "host:99999"])
def test_what_is_no_address_is_bad_input(model, address):
    with pytest.raises(InputError):
        RayCluster(address, [model], OnnxRuntimeEngine())


def test_a_release_that_this_was_not_made_for_is_refused(model, monkeypatch):
    import ray

    for version in ("2.9.3", "1.13.0", "3.0.0"):
        monkeypatch.setattr(ray, "__version__", version)
        with pytest.raises(EdgentError, match=rf"^found Ray {version}, expected 2\.60 or later"):
            RayCluster("local", [model], OnnxRuntimeEngine())


def test_a_cluster_without_room_is_told_in_one_line(nodes, model, monkeypatch):
    monkeypatch.setattr(ray_serve, "_DEPLOYED", 3.0)
    with pytest.raises(EdgeError, match="has it 64 free cores for a replica"):
        RayCluster(nodes.address, [model], OnnxRuntimeEngine(threads=64)).__enter__()


def test_a_cluster_of_another_release_is_refused_in_one_line(nodes, model, monkeypatch):
    import ray

    monkeypatch.setattr(ray, "__version__", "2.99.0")
    with pytest.raises(EdgeError, match="no cluster for this edge") as caught:
        RayCluster(nodes.address, [model], OnnxRuntimeEngine()).__enter__()
    assert "\n" not in str(caught.value)
