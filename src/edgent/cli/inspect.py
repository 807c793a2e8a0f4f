"""`edgent inspect`: layers, exits, cuts and what crosses them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgent.cli.arguments.inputs import input_files
from edgent.cli.arguments.models import Dims, ModelName, open_model, parse_dims
from edgent.cli.arguments.options import AsJson
from edgent.cli.terminal import show
from edgent.cli.terminal.memory import limited_memory
from edgent.engine.input_files import read_input
from edgent.errors import InputError
from edgent.files import is_file
from edgent.model.configuration.beside import path_of
from edgent.units import format_bytes, parse_count

if TYPE_CHECKING:
    from edgent.engine.feeds import Feeds
    from edgent.evaluation.verify import Verification
    from edgent.model import Branch, Model
    from edgent.model.configuration.sources import Stated

_ROWS = 60
_OF_THE_INPUT = ("preprocessing.size", "preprocessing.layout", "preprocessing.dtype")  # where nobody says otherwise
_NAMES = 100  # of the tensors that cross a cut: in a wide graph of n nodes all of them would be n^2


@limited_memory()
def inspect(
    model: ModelName,
    verify: Annotated[str, typer.Option(metavar="N|all", help="Check N cuts of each exit, or all.")] = "",
    source: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Verify on this input: .npz, .npy or a picture (repeatable)."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random input and of the draw.")] = 0,
    dim: Dims = None,
    as_json: AsJson = False,
) -> None:
    """Layers, exits, cuts and bytes of a model; --verify proves that splitting it is exact."""
    most = _most(verify)
    if source and not verify:
        raise InputError("--source: is what --verify runs the model on; add --verify all")
    loaded = open_model(model, parse_dims(dim))
    if verify:
        _verify(loaded, most, source or [], seed, as_json)
    elif as_json:
        show.document(_document(loaded))
    else:
        _tables(loaded)


def _most(verify: str) -> int | None:
    if verify in ("", "all"):
        return None
    most = parse_count(verify)
    if most is None:
        raise InputError(f"--verify {verify[:40]!r}: expected a positive number of cuts, or all")
    return most


def _verify(model: Model, most: int | None, source: list[Path], seed: int, as_json: bool) -> None:
    from edgent.engine.onnxruntime import OnnxRuntimeEngine
    from edgent.evaluation.verify import verify

    inputs = [_feeds(model, file) for file in input_files(source)]
    with show.progress("cuts") as progress:
        result = verify(model, OnnxRuntimeEngine(capacity=6), most=most, seed=seed, inputs=inputs, progress=progress)
    if as_json:
        show.document({"path": str(model.path), "digest": model.digest, "exits": len(model.branches), **asdict(result)})
    else:
        _print_verification(model, result)
    if result.failed:
        raise typer.Exit(1)


def _feeds(model: Model, file: Path) -> Feeds:
    from edgent.evaluation.inputs import prepared

    try:
        return prepared(model, read_input(file, model))
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def _print_verification(model: Model, result: Verification) -> None:
    differing = {(failure.exit, failure.cut) for failure in result.failed}
    show.out.print(f"{model.name}: {_counted(result.verified, 'cut')} verified, {len(differing)} differ")
    show.out.print(
        f"{_counted(result.layers, 'layer')}, {_counted(len(model.branches), 'exit')}, {_counted(result.cuts, 'cut')}; "
        f"largest relative difference from the original file {result.max_relative_difference:.2g} "
        f"(tolerance {result.tolerance:.2g}) on {_counted(result.inputs, 'input')}",
        soft_wrap=True,
    )
    for why, number in Counter(refused.why for refused in result.not_offered).items():
        show.out.print(f"{_counted(number, 'cut')} {'is' if number == 1 else 'are'} not offered: {why}")
    if result.drawn:
        show.out.print(f"answers drawn anew at each run, not compared: {', '.join(result.drawn)}")
    for failure in result.failed[:_ROWS]:
        show.out.print(f"  exit {failure.exit} cuts {failure.upload_cut}..{failure.download_cut}: {failure.why}")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _document(model: Model) -> dict[str, Any]:
    return {
        "path": str(model.path),
        "digest": model.digest,
        "configuration": model.metadata.document() | {"dims": dict(model.dims)},
        "sources": [{"path": str(path), "origins": dict(stated.origins), "overruled": list(stated.overruled)}
                    for path, stated in _stated(model)],
        "doubts": list(model.doubts),
        "inputs": [_tensor(tensor) for tensor in model.inputs],
        "exits": [
            {"exit": b.exit, "name": b.name, "accuracy": b.accuracy, "layers": len(b.layers), "relative_cost": cost,
             "dominated": dominated, "cuts": _cuts(b)}
            for b, cost, dominated in _costs(model)
        ],
        "layers": [_layer(row) for row in _rows(model, model.branches[-1])],
    }  # fmt: skip


def _stated(model: Model) -> list[tuple[Path, Stated]]:
    """Where the configuration of each file of a model stands."""
    from edgent.model.configuration.sources import find
    from edgent.model.files.read import parse_file

    return [(path, find(path, parse_file(path))) for path in model.members]


def _print_configuration(model: Model) -> None:
    """What a model says of itself, and where; then what it does not say, and what to do."""
    inputs = ", ".join(f"{t.name} {t.dtype} {'?' if t.shape is None else list(t.shape)}" for t in model.inputs)
    show.out.print(f"inputs: {inputs}")
    stated = _stated(model)
    table = show.table("Configuration", "key", "value", "from")
    for key, value in _settings(model):
        origins = dict.fromkeys(source.origins[key] for _, source in stated if key in source.origins)
        usual = "the input" if key in _OF_THE_INPUT else "default"
        table.add_row(key, value, ", ".join(origins) or usual)
    for name, number in model.dims.items():
        table.add_row(f"dims.{name}", str(number), "free in the file")
    if table.row_count:
        show.out.print(table)
    for line in (line for _, source in stated for line in source.overruled):
        show.out.print(f"overruled: {line}", soft_wrap=True)
    if model.metadata.task is None and not model.metadata.labels:
        takes = "" if model.metadata.preprocessing else ", nor how a picture becomes its input"
        drafted = is_file(path_of(model.path))
        step = f"fill in {path_of(model.path)}" if drafted else f"edgent init {model.path}"
        show.out.print(f"it does not say what its answers are{takes}: {step}", soft_wrap=True)
    show.out.print()


def _settings(model: Model) -> list[tuple[str, str]]:
    """Keys and values that are in force, without those that say nothing."""
    document = model.metadata.document()
    exits, labels = document.pop("exits"), document.pop("labels")
    rows = [("labels", f"{len(labels)}: {', '.join(labels[:4])}{', ...' if len(labels) > 4 else ''}")] if labels else []
    rows += [("exits", str(len(exits)))] if exits else []
    for key in ("task", "head", "post"):
        rows += [(key, str(document[key]))] if document[key] else []
    form = document["preprocessing"] or {}
    inputs = {name: _own(entry, form) for name, entry in document["inputs"].items()}
    tables = {"preprocessing": form, "inputs": inputs}
    if model.metadata.task == "detection":
        tables["limits"] = document["limits"]
    return rows + [(f"{name}.{key}", _shown(value)) for name, table in tables.items() for key, value in table.items()]


def _own(entry: Mapping[str, Any], form: Mapping[str, Any]) -> str:
    """What an input has for itself: beside the defaults, and beside how pictures become the first input."""
    from edgent.model import InputInfo

    usual = InputInfo().document()
    own = {key: value for key, value in entry.items() if key != "preprocessing" and value != usual[key]}
    own |= {key: value for key, value in (entry["preprocessing"] or {}).items() if value != form.get(key)}
    return "; ".join(f"{key} {_shown(value)}" for key, value in own.items()) or "as the first"


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return "usual" if value is None else str(value)


def _tensor(tensor: Any) -> dict[str, Any]:
    return {"name": tensor.name, "dtype": tensor.dtype, "shape": tensor.shape, "bytes": tensor.nbytes}


def _cuts(branch: Branch) -> list[dict[str, Any]]:
    up, _ = branch.cut_bytes()
    return [
        {"cut": cut, "tensors": list(islice(crossing, _NAMES)), "crossing": len(crossing), "bytes": float(up[cut])}
        for cut, crossing in enumerate(branch.uploads())
    ]


def _rows(model: Model, branch: Branch) -> list[tuple[Any, Any]]:
    from edgent.model.costs import layer_costs

    return list(zip(branch.layers, layer_costs(model, branch), strict=True))


def _layer(row: tuple[Any, Any]) -> dict[str, Any]:
    layer, cost = row
    return {"name": layer.name, "op": layer.op} | asdict(cost)


def _costs(model: Model) -> list[tuple[Branch, float | None, bool]]:
    """Each branch, its cost relative to the last one's, and whether a cheaper one is at least as accurate."""
    from edgent.model.costs import branch_flops

    flops = [branch_flops(model, branch) for branch in model.branches]
    last = flops[-1]
    relative = [None if value is None or not last else value / last for value in flops]
    return [
        (
            branch,
            relative[i],
            any(_dominates(model, relative, other, i) for other in range(len(relative)) if other != i),
        )
        for i, branch in enumerate(model.branches)
    ]


def _dominates(model: Model, relative: list[float | None], other: int, one: int) -> bool:
    a, b = model.branches[other].accuracy, model.branches[one].accuracy
    x, y = relative[other], relative[one]
    if a is None or b is None or x is None or y is None:
        return False
    return a >= b and x <= y and (a > b or x < y)


def _tables(model: Model) -> None:
    show.out.print(f"{model!r}\n{model.path}\ndigest {model.digest}\n")
    _print_configuration(model)
    exits = show.table("Exits", "exit", "name", "layers", "accuracy", "relative cost", "")
    costs = list(_costs(model))
    for branch, cost, dominated in costs:
        note = "dominated" if dominated else ""
        numbers = str(len(branch.layers)), show.percent(branch.accuracy), show.percent(cost)
        exits.add_row(str(branch.exit), branch.name, *numbers, note)
    show.out.print(exits)
    if any(dominated for *_, dominated in costs):
        show.out.print("dominated: another exit costs no more, and is at least as accurate")
    branch = model.branches[-1]
    cuts = _cuts(branch)
    layers = show.table(
        f"\nLayers and cuts of exit {branch.exit}", "layer", "operator", "MFLOP", "cut", "bytes", "crosses"
    )
    for k, (layer, cost) in enumerate(_rows(model, branch)[:_ROWS], start=1):
        flops = "-" if cost.flops is None else f"{cost.flops / 1e6:.3g}"
        size = cuts[k]["bytes"]
        names = ", ".join(cuts[k]["tensors"])
        layers.add_row(layer.name, layer.op, flops, str(k), "-" if math.isnan(size) else format_bytes(size), names[:40])
    show.out.print(layers)
    if len(branch.layers) > _ROWS:
        show.out.print(f"... {len(branch.layers) - _ROWS} more layers: --json shows all")
