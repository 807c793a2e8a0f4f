"""`edgent profile`: how fast this machine is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgent.cli.arguments.emulated import Emulate, HiddenSeed, stand_in
from edgent.cli.arguments.models import Dims, open_model, parse_dims
from edgent.cli.arguments.options import AsJson, Output, Threads, make_engine
from edgent.cli.terminal import show
from edgent.engine.input_files import read_picture
from edgent.errors import InputError
from edgent.units import Seconds, format_duration, parse_duration

if TYPE_CHECKING:
    from edgent.engine.engine import Engine
    from edgent.latency import Profile
    from edgent.latency.compare import Compared
    from edgent.latency.latency_model_file import MachineModel
    from edgent.model import Model


def profile(
    model: Annotated[str, typer.Argument(metavar="[MODEL]", help="A name or an ONNX file; none: the machine.")] = "",
    output: Output = None,
    threads: Threads = 1,
    engine: Annotated[
        str, typer.Option(metavar="NAME", help="onnxruntime, openvino, or both with a comma: the faster is told.")
    ] = "onnxruntime",
    source: Annotated[Path | None, typer.Option(metavar="IMAGE", help="A typical input, as it will come.")] = None,
    budget: Annotated[str, typer.Option(metavar="TIME", help="For the sweep, when no model is given.")] = "60s",
    like: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Another machine's latency model, carried over to this one.")
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None, typer.Option(metavar="A B", help="Two such files, side by side.")
    ] = None,
    emulate: Emulate = "",
    hidden_seed: HiddenSeed = 0,
    dim: Dims = None,
    as_json: AsJson = False,
) -> None:
    """Measure a model on this machine; without a model, sweep layers of all types and fit the latency model."""
    seconds = parse_duration(budget, "budget")
    if compare is not None:
        _compare(*compare, as_json=as_json)
        return
    if not model:
        if dim:
            raise InputError(f"--dim {dim[0][:80]}: expected a MODEL that has the dimension")
        if emulate:
            raise InputError("--emulate: expected a MODEL, what profiling it on that device finds")
        _sweep(output, make_engine(engine, threads), seconds, like, as_json=as_json)
        return
    if like is not None:
        raise InputError("--like carries a machine's latency model over: give no MODEL with it")
    show.check_output(output, reads=[model, source])
    loaded = open_model(model, parse_dims(dim))
    example = read_picture(source) if source else None
    # All are made before the first is used: a name that is wrong, or not installed, costs no profile of another one.
    engines = [make_engine(name, threads) for name in dict.fromkeys(engine.split(","))]
    profiles = [_measured(loaded, one, example) for one in engines]
    if emulate:
        profiles = [stand_in(emulate, loaded, here, hidden_seed).profile for here in profiles]
    if len(profiles) > 1:
        _choose(loaded, profiles, output, as_json=as_json)
        return
    if output is not None:
        profiles[0].save(output)
    if as_json:
        show.document(json.loads(profiles[0].to_json()))
    else:
        _print_profile(loaded, profiles[0])


def _measured(model: Model, engine: Engine, example: bytes | None) -> Profile:
    from edgent.profiling.model_profiler import profile as measure

    with show.progress(f"profiling, {engine.name}") as progress:
        return measure(model, engine, source=example, progress=progress)


def _choose(model: Model, profiles: list[Profile], output: Path | None, *, as_json: bool) -> None:
    """Two engines side by side; `b.json` is written as `b.onnxruntime.json` and `b.openvino.json`."""
    from edgent.latency.compare import compared_profiles

    files = {}
    for one in profiles if output is not None else ():
        assert output is not None
        kind = one.engine.split()[0]
        files[kind] = output.with_name(f"{output.stem}.{kind}{output.suffix}")
        one.save(files[kind])
    difference = compared_profiles(*profiles)
    faster = profiles[difference.ratio < 1].engine.split()[0]
    if as_json:
        written = {kind: str(path) for kind, path in files.items()}
        show.document({"model": model.name, "faster": faster, "files": written, **difference.document()})
        return
    _print_compared(difference)
    show.out.print(f"\nfaster: {faster}")
    for kind, path in files.items():
        show.out.print(f"{kind}: {path}", soft_wrap=True)


def _sweep(output: Path | None, engine: Engine, budget: Seconds, like: Path | None, *, as_json: bool) -> None:
    from edgent.latency.latency_model_file import MachineModel
    from edgent.profiling.machine_model import sweep_machine

    other = MachineModel.load(like) if like else None
    show.check_output(output, reads=[like])
    # A sweep takes minutes to hours; what it has timed so far lies beside the file that will come of it.
    unfinished = None if output is None else output.with_name(output.name + ".unfinished")
    try:
        with show.progress("sweeping, seconds") as progress:
            machine = sweep_machine(engine, budget=budget, like=other, unfinished=unfinished, progress=progress)
    except KeyboardInterrupt:
        kept = "nothing is kept without -o FILE" if unfinished is None else f"{unfinished} is kept: the same goes on"
        show.err.print(f"edgent: {kept}", soft_wrap=True)
        raise
    # In this order: a disk that is full now must not take the sweep with it.
    if output and unfinished:
        machine.save(output)
        unfinished.unlink(missing_ok=True)
    if as_json:
        show.document(_machine_document(machine))
        return
    show.out.print(f"{machine!r}\n")
    validation = machine.fit.validation
    table = show.table("Cross-validated", "what", "count", "median error", "within 10 %", "in their 90 % interval")
    for name, judged in (("kernels", validation.kernel), ("whole specimens", validation.specimen)):
        shares = (judged.median_ape, judged.within_10_percent, judged.coverage)
        table.add_row(name, str(judged.count), *map(show.percent, shares))
    show.out.print(table)
    if output is None:
        show.out.print("nothing was written: name a file with -o to plan with it")


def _machine_document(machine: MachineModel) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "machine": machine.machine,
        "engine": machine.engine,
        "threads": machine.threads,
        "options": dict(machine.options),
        "seconds": machine.seconds,
        "specimens": machine.specimens,
        "references_ms": {name: seconds * 1e3 for name, seconds in machine.references._asdict().items()},
        "families": sorted(machine.fit.families),
        "validation": asdict(machine.fit.validation),
    }


def _compare(a: Path, b: Path, *, as_json: bool) -> None:
    from edgent.latency.compare import compared

    difference = compared(a, b)
    if as_json:
        show.document(difference.document())
        return
    _print_compared(difference)


def _print_compared(difference: Compared) -> None:
    show.out.print(f"A: {difference.names[0]}\nB: {difference.names[1]}\n")
    table = show.table(f"B takes {difference.ratio:.2f} times as long as A", difference.what, "A", "B", "B / A")
    for row in difference.rows:
        table.add_row(row.name, format_duration(row.a), format_duration(row.b), f"{row.b / row.a:.2f}")
    show.out.print(table)


def _print_profile(model: Model, profile: Profile) -> None:
    show.out.print(f"{profile!r}\n")
    table = show.table("Branches", "exit", "layers", "whole", "spread", "unassigned")
    for branch in profile.branches:
        table.add_row(
            str(branch.exit),
            str(len(branch.layers)),
            format_duration(branch.whole.median),
            show.percent(branch.whole.spread),
            show.percent(branch.unassigned),
        )
    show.out.print(table)
    last = model.branches[-1]
    layers = show.table(f"\nLayers of exit {last.exit}", "layer", "operator", "time")
    for layer, seconds in zip(last.layers, profile.branch(last.exit).layers, strict=True):
        layers.add_row(layer.name, layer.op, format_duration(seconds))
    show.out.print(layers)
