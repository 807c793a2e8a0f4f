"""`edgent serve`: the edge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgent.address import Address
from edgent.cli.arguments.dashboard import Dashboard, open_edge_dashboard, page_address
from edgent.cli.arguments.models import Dims, open_models, parse_dims
from edgent.cli.arguments.options import AsJson, EngineName, Threads, make_engine
from edgent.cli.arguments.profiles import notice_other_engine, own_profile
from edgent.cli.arguments.tracing import TraceTo, open_edge_traces
from edgent.cli.joining import TOKEN, IdentityFolder, edge_folder
from edgent.cli.terminal import show
from edgent.cli.terminal.memory import limited_memory
from edgent.cli.terminal.signals import StopSignals
from edgent.clock import MonotonicClock
from edgent.errors import InputError
from edgent.units import parse_bytes

if TYPE_CHECKING:
    from edgent.cluster.ray_serve import RayCluster
    from edgent.edge.edge import Edge
    from edgent.engine.engine import Engine
    from edgent.identity.edge_identity import EdgeIdentity
    from edgent.identity.join_server import JoinServer
    from edgent.model import Model

_GRACE = 10.0  # seconds that an edge which stops has to answer what is in hand
_FIRST_TOKEN = timedelta(hours=1)  # of the line that a start prints


def serve(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Shipped names or ONNX files; of one name the newest first.")
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 8001,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Speak plain text, and with everybody, beyond this machine too.")
    ] = False,
    identity: IdentityFolder = None,
    join_port: Annotated[int, typer.Option(min=0, max=65535, help="Where devices join; 0 picks a free one.")] = 8002,
    certificates: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Of one's own: authority.pem, edge.pem and edge.key; nobody joins then."),
    ] = None,
    edge_only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A bundle's file that devices leave here (repeatable).")
    ] = None,
    memory: Annotated[
        str, typer.Option(metavar="SIZE", help="What it may take in all, as 2GB; by default half of what there is.")
    ] = "",
    profile: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="This machine's profile.")] = None,
    threads: Threads = 1,
    engine: EngineName = "onnxruntime",
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="HOST:PORT of a Ray cluster that computes; `local` starts one."),
    ] = None,
    dim: Dims = None,
    dashboard: Dashboard = "",
    trace_to: TraceTo = "",
    as_json: AsJson = False,
) -> None:
    """The edge: answers for its models over the Open Inference Protocol until it is stopped.

    SIGTERM or Ctrl-C: what is in hand is answered, for 10 s at most, and what comes is refused; a second one ends it.
    """
    signals = StopSignals()  # before anything slow: none that comes from here on is lost
    from edgent.edge.callers import CallerCounter
    from edgent.edge.edge import Edge
    from edgent.evaluation.calibration_files import calibration_for
    from edgent.identity.edge_identity import own_credentials
    from edgent.latency import Profile

    listens = Address(host=host, port=port)  # refused before the work is done for it
    callers = CallerCounter(MonotonicClock()) if page_address(dashboard) else None
    shown = _identity(listens, insecure, identity, certificates)
    numbers, most_memory = parse_dims(dim), parse_bytes(memory, "--memory") if memory else None
    with open_edge_traces(trace_to) as traces:
        with limited_memory():
            loaded = open_models(models, numbers)
            by_digest = {file.digest: file for file in map(Profile.load, profile or ())}
            runner = make_engine(engine, threads)
            behind = _cluster(cluster, loaded, runner)
            profiles = [by_digest.get(model.digest) or own_profile(model, runner) for model in loaded]
            for used in profiles:
                notice_other_engine(used, runner)
            calibrations = [kept for kept in map(calibration_for, loaded) if kept is not None]
            edge = Edge(
                loaded,
                edge_only=edge_only or (),
                engine=runner,
                executor=behind.executor if behind else None,
                profiles=profiles,
                calibrations=calibrations,
                host=host,
                port=port,
                identity=shown,
                credentials=None if certificates is None else own_credentials(certificates),
                memory=most_memory,
                callers=callers,
                traces=traces,
            )
        with (
            behind or nullcontext(),
            edge,
            _joining(edge, shown, host, join_port) as joining,
            open_edge_dashboard(dashboard, edge, callers, shown),
        ):
            if behind:
                behind.follow(edge.service.queue_threads.resize)
            signals.serving = True
            _tell(edge, loaded, shown, joining, as_json)
            signals.wait()
            edge.stop(_GRACE)


def _identity(listens: Address, insecure: bool, folder: Path | None, certificates: Path | None) -> EdgeIdentity | None:
    """By what devices know this edge; None: it speaks plain text, or has certificates of its own.

    On this machine alone everybody is trusted, unless a folder is named.
    """
    if certificates is not None or (folder is None and (insecure or listens.is_loopback)):
        return None
    if insecure:
        raise InputError("--identity and --insecure: in plain text nobody can show who it is; leave one of them out")
    from edgent.identity.edge_identity import EdgeIdentity

    return EdgeIdentity.open(edge_folder(folder), datetime.now(UTC))


def _cluster(address: str | None, models: list[Model], engine: Engine) -> RayCluster | None:
    """Who computes in place of this process."""
    if address is None:
        return None
    from edgent.cluster.ray_serve import RayCluster

    return RayCluster(address, models, engine)


@contextmanager
def _joining(edge: Edge, identity: EdgeIdentity | None, host: str, port: int) -> Iterator[JoinServer | None]:
    """The port where devices join, while an edge serves."""
    if identity is None:
        yield None
        return
    from edgent.identity.join_server import JoinServer

    serves_at = Address.parse(edge.address).port
    with JoinServer(identity, serves_at=serves_at, host=host, port=port, now=lambda: datetime.now(UTC)) as joining:
        yield joining


def _tell(
    edge: Edge, models: list[Model], identity: EdgeIdentity | None, joining: JoinServer | None, as_json: bool
) -> None:
    """Says that it is ready, and where."""
    if as_json:
        served = [{"name": model.name, "version": model.version, "digest": model.digest} for model in models]
        show.document({"address": edge.address, "models": served, "joining": joining and joining.address})
    else:
        show.out.print(f"{edge!r}; Ctrl-C stops it")
        _tell_how_to_join(identity, joining)


def _tell_how_to_join(identity: EdgeIdentity | None, joining: JoinServer | None) -> None:
    if identity is None or joining is None:
        return
    token = identity.create_token(uses=1, lifetime=_FIRST_TOKEN, now=datetime.now(UTC))
    there = replace(Address.parse(joining.address), host=_reached_at(Address.parse(joining.address).host))
    show.out.print("a device joins within the hour by:")
    show.out.print(f"{TOKEN}={token} edgent join {there}", soft_wrap=True)
    show.out.print("more devices: `edgent token create --uses N`; who has joined: `edgent devices list`")


def _reached_at(host: str) -> str:
    """An address of this machine, where it listens on all of them."""
    from edgent.identity.edge_identity import names_of_this_machine

    return names_of_this_machine()[-1] if host in ("0.0.0.0", "::") else host
