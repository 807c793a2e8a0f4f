"""A cluster behind an edge's door: what it costs a request, and what becomes of requests when parts of it are killed.

    python benchmarks/cluster.py [--json] [--requests N] [--seconds S] [--nodes N]

Three nodes of Ray on this machine (`ray.cluster_utils.Cluster`), of one core each by Ray's counting; `edgent serve
--cluster` is the door, and the plain edge stands beside it. *Overhead*: one caller asks both in turn; the difference of
the medians. *Faults*: four callers ask for some seconds, each request with a budget of some seconds; meanwhile a
replica is killed (SIGKILL of its process), then a node (its processes likewise). A request is *lost* where it is not
answered within its budget, and *wrong* where the answer is not that of the undivided file.

Needs the extra `ray`; on two cores about a minute and a half, and 2 GB of memory.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import command
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine, Original
from edgent.errors import EdgentError, MissingExtraError
from edgent.lab.processes.server_process import ServerProcess
from edgent.model import Model
from edgent.profiling.model_profiler import profile
from edgent.wire import messages as m
from edgent.wire.grpc_channel import GrpcChannel
from edgent.wire.tensors import raw_parcel, read_arrays, write_request
from tables import aligned

MODEL = "b-alexnet"
CALLERS = 4
BUDGET = 5.0  # seconds of each request while something is killed
MOST = 6.0  # milliseconds over the plain edge
TOLERANCE = 1e-5
_OBJECT_STORE = 100 << 20  # bytes of each node: Ray takes no less than 75 MB
_WARM = 30
_KILLED_AFTER, _PAUSE = 2.0, 0.002
_SHOWN = 3  # of what was lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """One caller, medians in milliseconds."""

    plain_ms: float
    cluster_ms: float
    over_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What became of the requests during which something was killed."""

    killed: str
    requests: int
    lost: int
    wrong: int
    longest_ms: float


class Caller:
    """One connection to an edge, and the same question again and again."""

    def __init__(self, address: str, model: Model) -> None:
        tensor = model.inputs[0]
        picture = np.random.default_rng(0).normal(size=tensor.shape).astype(np.float32)
        self._channel = GrpcChannel(address, max_message=4 << 20)
        self._message = write_request(model.name, "", [raw_parcel(tensor, picture)], ())
        self._outputs = [output for branch in model.branches for output in branch.outputs]
        self._right = Original(model.path).run({tensor.name: picture})

    def seconds(self, budget: float = BUDGET) -> float:
        """That an answer takes; infinite for a wrong one.

        Raises:
            EdgentError: there was none.
        """
        began = time.perf_counter()
        reply = self._channel.call(m.MODEL_INFER, self._message, budget)
        took, answers = time.perf_counter() - began, read_arrays(reply.body, self._outputs)
        right = all(np.abs(array - self._right[name]).max() <= TOLERANCE for name, array in answers.items())
        return took if right else float("inf")

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()


@contextmanager
def nodes(number: int) -> Iterator[Any]:
    """A cluster of so many nodes on this machine; whatever of it still runs is ended in the end."""
    try:
        import ray
        from ray.cluster_utils import Cluster
    except ImportError as error:
        raise MissingExtraError("a cluster", "ray") from error
    settings = {"num_cpus": 1, "object_store_memory": _OBJECT_STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=settings)
    try:
        for _ in range(number - 1):
            cluster.add_node(**settings)
        yield cluster
    finally:
        ray.shutdown()  # Ray removes no node to which this process is connected
        cluster.shutdown()


@contextmanager
def doors(address: str) -> Iterator[tuple[str, str]]:
    """The plain edge, and the one with the cluster behind it: their addresses."""
    with tempfile.TemporaryDirectory(prefix="edgent-cluster-") as folder:
        times = Path(folder) / "profile.json"
        profile(load(MODEL), OnnxRuntimeEngine(), budget=2.0).save(times)
        serve = ("-m", "edgent", "serve", MODEL, "--port", "0", "--json", "--profile", str(times))
        with ServerProcess(*serve) as plain, ServerProcess(*serve, "--cluster", address) as door:
            yield plain.address, door.address


def overhead(addresses: tuple[str, str], requests: int) -> Overhead:
    """Both asked in turn."""
    callers = [Caller(address, load(MODEL)) for address in addresses]
    taken: list[list[float]] = [[], []]
    for _ in range(_WARM + requests):
        for caller, times in zip(callers, taken, strict=True):
            times.append(caller.seconds())
    for caller in callers:
        caller.close()
    plain, clustered = (statistics.median(times[_WARM:]) * 1e3 for times in taken)
    return Overhead(plain_ms=plain, cluster_ms=clustered, over_ms=clustered - plain)


def fault(address: str, killed: str, kill: Any, seconds: float) -> Fault:
    """Callers ask for so long; something is killed meanwhile."""
    outcome, longest, until = Counter[str](), [0.0], time.perf_counter() + seconds

    def ask() -> None:
        caller = Caller(address, load(MODEL))
        while time.perf_counter() < until:
            outcome["requests"] += 1
            try:
                took = caller.seconds()
                longest.append(took)
                outcome["wrong"] += took == float("inf")
            except EdgentError as error:
                outcome["lost"] += 1
                if outcome["lost"] <= _SHOWN:
                    print(f"lost: {error}", file=sys.stderr)
            time.sleep(_PAUSE)
        caller.close()

    callers = [threading.Thread(target=ask) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    time.sleep(min(_KILLED_AFTER, seconds / 3))
    kill()
    for caller in callers:
        caller.join()
    return Fault(
        killed=killed,
        requests=outcome["requests"],
        lost=outcome["lost"],
        wrong=outcome["wrong"],
        longest_ms=max(longest) * 1e3,
    )


def replicas() -> dict[int, int]:
    """Processes of replicas, and those that started them: of this machine's /proc."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if words.startswith(b"ray::ServeReplica:edgent"):
            found[int(folder.name)] = parent
    return found


def kill_replica(cluster: Any) -> None:
    """Kills one that is on one of our nodes."""
    ours = {process.process.pid for node in cluster.list_all_nodes() for process in node.all_processes["raylet"]}
    victims = [process for process, parent in replicas().items() if parent in ours]
    os.kill(victims[0], signal.SIGKILL)


def kill_node(cluster: Any) -> None:
    """Kills one on which a replica is, and which is not the head."""
    parents = set(replicas().values())
    victim = next(
        node
        for node in cluster.worker_nodes
        if any(process.process.pid in parents for process in node.all_processes["raylet"])
    )
    cluster.remove_node(victim, allow_graceful=False)


def measured(requests: int, seconds: float, number: int) -> dict[str, Any]:
    """The JSON document."""
    with nodes(number) as cluster, doors(cluster.address) as (plain, door):
        cost = overhead((plain, door), requests)
        faults = [
            fault(door, "nothing", lambda: None, seconds / 2),
            fault(door, "a replica", lambda: kill_replica(cluster), seconds),
            fault(door, "a node", lambda: kill_node(cluster), seconds),
        ]
    return {"overhead": [asdict(cost)], "faults": [asdict(row) for row in faults], "budget_ms": BUDGET * 1e3}


def passes(document: dict[str, Any]) -> bool:
    """Whether the cluster costs no more than it may, and nothing was lost or wrong."""
    return document["overhead"][0]["over_ms"] <= MOST and not any(
        row["lost"] + row["wrong"] for row in document["faults"]
    )


def main() -> int:
    """Measures and prints."""
    parser = command.options(__doc__)
    parser.add_argument("--requests", type=int, default=300, help="to each edge, for the overhead")
    parser.add_argument("--seconds", type=float, default=12.0, help="of each fault")
    parser.add_argument("--nodes", type=int, default=3, help="of the cluster")
    options = parser.parse_args()
    if options.requests < 1 or options.nodes < 3 or not 1 <= options.seconds <= 600:
        parser.error("expected a request or more, three nodes or more, and 1 to 600 seconds")
    document = measured(options.requests, options.seconds, options.nodes)
    command.show(
        options, document, lambda: print(aligned(document["overhead"]), aligned(document["faults"]), sep="\n\n")
    )
    return 0 if passes(document) else 1


if __name__ == "__main__":
    command.run(main)
