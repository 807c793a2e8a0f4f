"""The edge: answers inferences for its models, whole or between two cuts, over the Open Inference Protocol."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from edgent.address import Address
from edgent.clock import Clock, MonotonicClock
from edgent.codec import Calibration, load_formats
from edgent.edge.callers import CallerCounter
from edgent.edge.certificate_watch import CertificateWatch
from edgent.edge.executor import Executor, OwnExecutor
from edgent.edge.limits.doorkeeper import Doorkeeper
from edgent.edge.limits.memory import MemoryWatch, give_back, memory_taken, usual_budget
from edgent.edge.limits.peer_limits import PeerGuard, PeerLimits
from edgent.edge.queue import EdgeQueue, Order
from edgent.edge.queue_threads import QueueThreads
from edgent.edge.registry import Registry
from edgent.edge.service import Service
from edgent.engine.engine import Engine
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.engine.pace import OwnPace, Pace
from edgent.errors import EdgeError
from edgent.identity.credentials import Credentials
from edgent.latency import Profile
from edgent.model import Model, check_model
from edgent.wire.message_limit import message_limit
from edgent.wire.serving.grpc_server import GrpcServer, ServerLimits
from edgent.wire.transport import Methods

if TYPE_CHECKING:
    from edgent.identity.edge_identity import EdgeIdentity

_SPARE_CALLS = 479  # beside those in the queue: slow uploads, and whatever is no inference; 512 in all


class RequestTraces(Protocol):
    """Who makes spans of requests; see `edgent.tracing.edge_traces`."""

    def traced(self, methods: Methods) -> Methods:
        """The same methods; inferences are traced."""
        ...


class Edge:
    """Serves models; a context manager that starts and stops.

    Args:
        models: what to serve; of several with one name, the first is the newest version (see `Registry`).
        edge_only: names of files of bundles that devices do not fetch: their exits are then the edge's alone.
        engine: runs the segments; by default one of one thread.
        executor: who computes in place of this process, which needs no engine then.
        profiles: of this machine, for devices to fetch; found by digest.
        calibrations: of the models, for devices to fetch; found by digest.
        host: name or IP address to listen on, "::" on all of this machine. Without `identity` or `credentials`
            everybody who reaches it is answered, in plain text.
        port: 0 picks a free one; see `address`.
        slots: requests computed at once.
        bound: requests that may wait; the next one is turned away.
        order: who comes first, "deadline" or "fifo".
        clock: times queue and middle, and requests wait by it.
        pace: holds what its profile says of a segment to the time of a slower machine.
        identity: by which devices know this edge, and it them: only those that joined are answered then, over TLS.
        credentials: the same with certificates of one's own, whose authority alone says who may call.
        limits: what callers may take of it, all together.
        peer_limits: what each of them may ask for.
        memory: bytes that this process may take; None: half of what there is.
        callers: counts who asks, for who looks on; None: nobody counts.
        traces: makes spans of requests (`edgent serve --trace-to`); None: nothing does.

    Raises:
        InputError: no model, one of them twice, one named like a segment of another, or no such host or port;
            a file for the edge only that no bundle has, or that devices cannot do without.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own
        self,
        models: Model | Sequence[Model],
        *,
        edge_only: Collection[str] = (),
        engine: Engine | None = None,
        executor: Executor | None = None,
        profiles: Sequence[Profile] = (),
        calibrations: Sequence[Calibration] = (),
        host: str = "127.0.0.1",
        port: int = 8001,
        slots: int = 1,
        bound: int = 32,
        order: Order = "deadline",
        clock: Clock | None = None,
        pace: Pace | None = None,
        identity: EdgeIdentity | None = None,
        credentials: Credentials | None = None,
        limits: ServerLimits | None = None,
        peer_limits: PeerLimits | None = None,
        memory: float | None = None,
        callers: CallerCounter | None = None,
        traces: RequestTraces | None = None,
    ) -> None:
        self.models = (models,) if isinstance(models, Model | str) else tuple(models)
        for model in self.models:
            check_model(model, "Edge")
            for profile in profiles:
                if profile.digest == model.digest:
                    profile.check_layers(model)
        registry = Registry(self.models, edge_only)
        clock = clock or MonotonicClock()
        self._listens = Address(host=host, port=port)
        # Those that wait in the queue need threads of their own, beside all others.
        self._limits = limits or ServerLimits(calls=slots + bound + _SPARE_CALLS)
        self._peer_guard = PeerGuard(peer_limits or PeerLimits(), clock)
        self._watch = MemoryWatch(memory or usual_budget(), taken=memory_taken, make_room=self._make_room)
        self._server: GrpcServer | None = None
        self._callers, self._traces = callers, traces
        self._current = _current(credentials, identity)
        self._credentials = None if self._current is None else self._current()
        self._certificate_watch: CertificateWatch | None = None
        self._doorkeeper = None if identity is None else Doorkeeper(identity.register, clock)
        self.service = Service(
            models=registry,
            executor=executor or OwnExecutor(engine or OnnxRuntimeEngine()),
            queue_threads=QueueThreads(EdgeQueue(slots=slots, bound=bound, order=order), clock),
            clock=clock,
            max_message=message_limit(self.models),
            profiles={profile.digest: profile for profile in profiles},
            calibrations={calibration.digest: calibration for calibration in calibrations},
            pace=pace or OwnPace(),
            making=self._watch.making,
        )

    @property
    def address(self) -> str:
        """Where a started edge listens: "HOST:PORT".

        Raises:
            EdgeError: it is not started.
        """
        if self._server is None:
            raise EdgeError("this edge is not started, so it has no address")
        return self._server.address

    def start(self) -> Self:
        """Begins to serve.

        Raises:
            EdgeError: the port is taken, or the host is no address of this machine.
        """
        if any(model.metadata.preprocessing for model in self.models):
            load_formats()
        self._server = GrpcServer(
            self._methods(),
            host=self._listens.host,
            port=self._listens.port,
            max_message=self.service.max_message,
            limits=self._limits,
            is_full=self._watch.is_scarce,
            credentials=self._credentials,
        )
        self._watch.start(self._server.shed)
        self._server.start()
        if self._current is not None:
            self._certificate_watch = CertificateWatch(self._current, self._server.renew)
        return self

    def stop(self, grace: float = 0.0) -> None:
        """Ends serving: what is in hand gets `grace` seconds to be answered, what comes meanwhile is refused."""
        self._watch.close()
        if self._certificate_watch is not None:
            self._certificate_watch.close()
        if self._server is not None:
            self._server.stop(grace)
            self._server = None

    def _methods(self) -> Methods:
        """What is offered: the service, behind who guards it, behind who looks on."""
        methods = self._peer_guard.guarded(self.service.methods())
        methods = methods if self._doorkeeper is None else self._doorkeeper.guarded(methods)
        methods = methods if self._callers is None else self._callers.counted(methods)
        return methods if self._traces is None else self._traces.traced(methods)

    def _make_room(self) -> None:
        """Gives up what can be made again: a session, and memory that is free but still this process's."""
        self.service.executor.spare()
        give_back()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        where = f"on {self._server.address}" if self._server else "not started"
        return f"<Edge {where}: {', '.join(f'{model.name} {model.version}' for model in self.models)}>"


def _current(own: Credentials | None, identity: EdgeIdentity | None) -> Callable[[], Credentials] | None:
    """What tells the credentials to be shown at present; None: the edge speaks plain text."""
    if identity is not None:
        return lambda: identity.credentials(datetime.now(UTC))
    return None if own is None else lambda: own
