"""`edgent serve`: the edge."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from edgent.address import Address
from edgent.cli.arguments.models import Dims, open_models, parse_dims
from edgent.cli.arguments.options import AsJson, EngineName, Threads, make_engine
from edgent.cli.arguments.profiles import notice_other_engine, own_profile
from edgent.cli.terminal import show
from edgent.cli.terminal.memory import limited_memory


def serve(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Shipped names or ONNX files; of one name the newest first.")
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 8001,
    edge_only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A bundle's file that devices leave here (repeatable).")
    ] = None,
    profile: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="This machine's profile.")] = None,
    threads: Threads = 1,
    engine: EngineName = "onnxruntime",
    dim: Dims = None,
    as_json: AsJson = False,
) -> None:
    """The edge: answers for its models over the Open Inference Protocol until it is stopped."""
    from edgent.edge.edge import Edge
    from edgent.evaluation.calibration_files import calibration_for
    from edgent.latency import Profile

    Address(host=host, port=port)  # refused before the work is done for it
    numbers = parse_dims(dim)
    with limited_memory():
        loaded = open_models(models, numbers)
        by_digest = {file.digest: file for file in map(Profile.load, profile or ())}
        runner = make_engine(engine, threads)
        profiles = [by_digest.get(model.digest) or own_profile(model, runner) for model in loaded]
        for used in profiles:
            notice_other_engine(used, runner)
        calibrations = [kept for kept in map(calibration_for, loaded) if kept is not None]
        edge = Edge(
            loaded,
            edge_only=edge_only or (),
            engine=runner,
            profiles=profiles,
            calibrations=calibrations,
            host=host,
            port=port,
        )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with edge:
        names = [{"name": model.name, "version": model.version, "digest": model.digest} for model in loaded]
        if as_json:
            show.document({"address": edge.address, "models": names})
        else:
            show.out.print(f"{edge!r}; Ctrl-C stops it")
        stop.wait()
