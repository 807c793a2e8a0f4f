"""Ray Serve: the only file that knows Ray (the extra ``ray``).

A deployment per model; its replicas come and go with how busy they are, and two at least are there wherever the cluster
has cores for them, so that one can die. Ray's own HTTP and gRPC doors stay shut.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from edgent.address import Address
from edgent.clock import MonotonicClock
from edgent.cluster.executor import ClusterExecutor, ReplicaLost
from edgent.cluster.model_copy import ModelCopy
from edgent.cluster.replica import SEGMENTS, Refusal, Replica
from edgent.engine.engine import Engine, one_line
from edgent.errors import EdgeError, EdgentError, MissingExtraError
from edgent.model import Model
from edgent.units import Seconds
from edgent.wire.errors import BrokenError, LateError

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # or Ray tells its makers of each cluster that it starts

try:
    import ray
    from ray import serve
    from ray.exceptions import RayError, RayTaskError
    from ray.serve.exceptions import RayServeException
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ImportError as error:
    raise MissingExtraError("a cluster", "ray") from error

LOCAL = "local"
_TESTED = (2, 60)  # Ray's release; its interface to deployments has changed within a major version before
_OBJECT_STORE = 200 << 20  # bytes of a cluster that we start: it holds copies of models, and messages above 100 kB
_REACHED, _HEALTHY = 3.0, 45.0  # seconds until somebody answers at an address, and until a cluster says that it is one
_DEPLOYED, _ASKED = 120.0, 0.2  # seconds that the first replicas may take; between two looks at them
_CHECKED = 2.0  # seconds between two looks of Ray at a replica
_LOOKED = 1.0  # seconds between two looks at how many replicas there are


class _Shelf:
    """An actor on the door's machine with what the replicas of a model need: its files, and what devices prepared."""

    def __init__(self, copy: ModelCopy) -> None:
        self._copy, self._segments = copy, list[str]()

    def copy(self) -> ModelCopy:
        """The model."""
        return self._copy

    def segments(self) -> list[str]:
        """The whole model, and the last ones that were prepared."""
        return [self._copy.name, *self._segments]

    def put(self, segment: str) -> None:
        """A segment was prepared."""
        if segment not in self.segments():
            self._segments = [*self._segments, segment][1 - SEGMENTS :]


class _Served:
    """A replica as Ray Serve runs it."""

    def __init__(self, shelf: Any, engine: Callable[[], Engine]) -> None:
        self._shelf, self._replica = shelf, Replica(ray.get(shelf.copy.remote()), engine())

    async def check_health(self) -> None:
        """Called by Ray before it serves and every few seconds: makes what devices have prepared since."""
        with suppress(RayError):  # the door has ended: what is kept ready serves nobody any more
            for segment in await self._shelf.segments.remote():
                with suppress(EdgentError):  # told to whoever asks for it
                    await self._ready(segment)

    @serve.multiplexed(max_num_models_per_replica=SEGMENTS)
    async def _ready(self, segment: str) -> str:
        self._replica.prepare(segment)
        return segment

    async def prepare(self) -> Refusal | None:
        """Makes the session of the segment that the request is for."""
        try:
            await self._ready(serve.get_multiplexed_model_id())
        except EdgentError as error:
            return Refusal.of(error)
        return None

    async def compute(self, message: bytes, choice: int) -> bytes | Refusal:
        """See `Replica.compute`."""
        try:
            await self._ready(serve.get_multiplexed_model_id())
            return self._replica.compute(message, choice)
        except EdgentError as error:
            return Refusal.of(error)


class _Deployment:
    """The replicas of one model, as the door sees them: `edgent.cluster.executor.Deployment`."""

    def __init__(self, model: Model, engine: Engine, most: int) -> None:
        # A name of its own: two edges may serve one model on one cluster, and each ends only what is its own.
        self.name = f"edgent-{model.version}-{uuid4().hex[:8]}"
        self._model, self._threads, self._most = model, engine.threads, most
        kind: Callable[..., Engine] = type(engine)
        self._engine = partial(kind, threads=engine.threads)
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        shelf = ray.remote(_Shelf).options(num_cpus=0, scheduling_strategy=here)
        self._shelf = shelf.remote(ModelCopy.of(model))

    def deploy(self) -> None:
        """Starts its replicas; once, for Ray would replace all of them at a second time."""
        deployment = serve.deployment(
            _Served,
            name="replica",
            ray_actor_options={"num_cpus": self._threads},
            # One that is busy and one on its way: with none to spare Ray's router would wait and look again.
            max_ongoing_requests=2,
            health_check_period_s=_CHECKED,
            graceful_shutdown_timeout_s=5.0,
            # The door sends no more than there are replicas, so this is the share of the time in which they are busy.
            autoscaling_config={
                "min_replicas": min(2, self._most),
                "max_replicas": self._most,
                "target_ongoing_requests": 0.7,
                "upscale_delay_s": 3.0,
                "downscale_delay_s": 60.0,
            },
        )
        target = serve.RunTarget(deployment.bind(self._shelf, self._engine), name=self.name, route_prefix=None)
        (self._handle,) = serve.run_many([target], wait_for_applications_running=False)

    def await_ready(self, within: float) -> None:
        """Waits until its first replicas serve.

        Raises:
            EdgeError: they do not.
        """
        until = time.monotonic() + within
        while (seen := serve.status().applications[self.name]).status != "RUNNING":
            if seen.status in ("DEPLOY_FAILED", "UNHEALTHY"):
                raise EdgeError(
                    f"the cluster does not run {self._model.name}: {_last_line(seen.message)}; is this release of "
                    "Edgent installed on all of its machines?"
                )
            if time.monotonic() > until:
                raise EdgeError(
                    f"the cluster did not run {self._model.name} within {within:g} s: has it {self._threads} free "
                    "cores for a replica? `ray status` tells"
                )
            time.sleep(_ASKED)

    def replicas(self) -> int:
        """How many serve."""
        deployments = serve.status().applications[self.name].deployments.values()
        return sum(deployment.replica_states.get("RUNNING", 0) for deployment in deployments)

    def prepare(self, segment: str) -> Refusal | None:
        """See `Deployment.prepare`."""
        refusal: Refusal | None = self._result(self._of("prepare", segment).remote(), None)
        if refusal is None:
            self._shelf.put.remote(segment)
        return refusal

    def ask(self, segment: str, message: bytes, choice: int, timeout: Seconds) -> bytes | Refusal:
        """See `Deployment.ask`."""
        answer: bytes | Refusal = self._result(self._of("compute", segment).remote(message, choice), timeout)
        return answer

    def _of(self, method: str, segment: str) -> Any:
        return self._handle.options(method_name=method, multiplexed_model_id=segment)

    def _result(self, response: Any, timeout: Seconds | None) -> Any:
        try:
            return response.result(timeout_s=timeout)
        except TimeoutError as error:
            response.cancel()
            raise LateError("the budget ran out in the cluster") from error
        except RayTaskError as error:
            raise BrokenError(f"a replica failed: {one_line(error.cause)}") from error
        except (RayError, RayServeException) as error:
            raise ReplicaLost(f"a replica was lost: {one_line(error)}") from error


class RayCluster:
    """Models on a cluster of Ray; a context manager that deploys and removes them.

    Args:
        address: HOST:PORT of the cluster's head, one of whose nodes must be this machine; "local" starts one here.
        models: one deployment each.
        engine: replicas make themselves one like it.

    Raises:
        EdgentError: Ray is of another release than those that this works with.
        InputError: this is no address.
        EdgeError: nobody listens there.
    """

    def __init__(self, address: str, models: Sequence[Model], engine: Engine) -> None:
        _check_release(ray.__version__)
        self._address = address if address == LOCAL else _reached(Address.parse(address))
        self._models, self._engine = tuple(models), engine
        self._deployments: dict[str, _Deployment] = {}
        self._ended, self._looks = threading.Event(), threading.Thread(target=self._look, daemon=True)
        self._follow: Callable[[int], None] = lambda _: None

    @property
    def executor(self) -> ClusterExecutor:
        """Computes on the cluster."""
        return ClusterExecutor(self._deployments, MonotonicClock())

    @property
    def replicas(self) -> int:
        """How many serve, of all models; one while there is none, for the next one is being started."""
        return max(1, sum(deployment.replicas() for deployment in self._deployments.values()))

    def follow(self, resize: Callable[[int], None]) -> None:
        """Has it told how many replicas there are, now and whenever it is looked at."""
        self._follow = resize
        resize(self.replicas)
        self._looks.start()

    def __enter__(self) -> Self:
        """Connects and deploys.

        Raises:
            EdgeError: nobody is there, no cluster of this version, or one that cannot run the models.
        """
        _connect(self._address)
        try:
            self._deploy()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._looks.ident is not None:
            self._looks.join()
        # The cluster may have ended before us, and then has nothing left to remove.
        with suppress(RayError, RayServeException, OSError):
            for deployment in self._deployments.values():
                serve.delete(deployment.name)
            if not serve.status().applications:  # whoever is the last one ends what the first one began
                serve.shutdown()
        ray.shutdown()

    def __repr__(self) -> str:
        return f"<RayCluster {self._address}: {', '.join(model.name for model in self._models)}>"

    def _deploy(self) -> None:
        serve.start(proxy_location="Disabled")
        most = max(1, int(ray.cluster_resources().get("CPU", 0)) // self._engine.threads)
        for model in self._models:
            self._deployments[model.digest] = deployment = _Deployment(model, self._engine, most)
            deployment.deploy()
        for deployment in self._deployments.values():
            deployment.await_ready(_DEPLOYED)

    def _look(self) -> None:
        while not self._ended.wait(_LOOKED):
            # It goes on without us for as long as the cluster's head is away; the next look may find it again.
            with suppress(RayError, RayServeException, KeyError, RuntimeError):
                self._follow(self.replicas)


def _last_line(text: str) -> str:
    """Of what Ray says of a replica that failed: the error, behind the stack on which it was raised."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "nothing was said").strip()


def _check_release(version: str) -> None:
    release = tuple(int(part) for part in version.split(".")[:2])
    if not _TESTED <= release < (_TESTED[0] + 1,):
        expected = ".".join(map(str, _TESTED))
        raise EdgentError(f"found Ray {version}, expected {expected} or later: pip install 'edgent[ray]'")


def _connect(address: str) -> None:
    """Makes this process one of a cluster.

    Raises:
        EdgeError: nobody is there, or it is no cluster of this version.
    """
    started = {"object_store_memory": _OBJECT_STORE, "include_dashboard": False} if address == LOCAL else {}
    logging.getLogger("ray.serve").setLevel(logging.ERROR)  # it tells of each step on stderr
    taken = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(address=address, namespace="edgent", log_to_driver=False, logging_level="ERROR", **started)
    # Each of these for something else: no cluster there, another version of Ray or Python, no node on this machine.
    except (RayError, RuntimeError, ConnectionError, TimeoutError, ValueError) as error:
        ray.shutdown()  # of a connection that was half made
        raise EdgeError(f"no cluster for this edge at {address}: {one_line(error)}") from error
    finally:
        # Ray has put itself there, and would end this process with a trace of its stack and what is in hand.
        for number, handler in taken.items():
            signal.signal(number, handler)


def _reached(address: Address) -> str:
    """An address at which a cluster is: where none is, Ray itself tries for minutes, and says so in many lines."""
    try:
        socket.create_connection((address.host, address.port), _REACHED).close()
    except OSError as error:
        raise EdgeError(
            f"no cluster at {address}: {error.strerror or error}; start one with `ray start --head --port "
            f"{address.port}`, or use --cluster {LOCAL}"
        ) from error
    # In a process of its own, which can be given up: what is no cluster may keep whoever asks it, or make Ray abort.
    asks = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", str(address)]
    try:
        asked = subprocess.run(asks, capture_output=True, text=True, timeout=_HEALTHY, check=False)
    except subprocess.TimeoutExpired as error:
        raise EdgeError(f"no cluster at {address}: who listens there does not speak as Ray does") from error
    if asked.returncode:
        raise EdgeError(f"no cluster for this edge at {address}: {_last_line(asked.stderr)}")
    return str(address)
