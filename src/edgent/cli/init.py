"""`edgent init`: a file that says what a model's graph does not, to complete and to put into the model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgent.cli.arguments.models import Dims, ModelName, open_model, parse_dims
from edgent.cli.arguments.options import AsJson
from edgent.cli.terminal import show
from edgent.cli.terminal.memory import limited_memory
from edgent.errors import InputError, ModelError
from edgent.files import write_whole

if TYPE_CHECKING:
    from edgent.model import Model
    from edgent.model.configuration.draft import DraftLine


@limited_memory()
def init(
    model: ModelName,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write, if not beside the model.")
    ] = None,
    embed: Annotated[bool, typer.Option("--embed", help="Put the configuration into the model's file.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over what is there.")] = False,
    dim: Dims = None,
    as_json: AsJson = False,
) -> None:
    """A draft of MODEL.edgent.toml with what can be guessed; --embed puts a completed one into the model's file."""
    from edgent.model.files.named import files

    numbers = parse_dims(dim)
    if len(files(model)) > 1:
        raise InputError(f"{model}: is a bundle; configure each of its files by itself")
    path = files(model)[0]
    if embed:
        _embed(path, output, force=force, as_json=as_json, dims=numbers)
    elif numbers:
        raise InputError("--dim: goes with --embed; in a draft, numbers stand under [dims]")
    else:
        _draft(path, output, force=force, as_json=as_json)


def _draft(path: Path, output: Path | None, *, force: bool, as_json: bool) -> None:
    from edgent.model.configuration.beside import path_of
    from edgent.model.configuration.draft import draft, write_draft
    from edgent.model.configuration.guess import ports
    from edgent.model.configuration.sources import find
    from edgent.model.files.read import read, without_functions

    target, proto = output or path_of(path), read(path)
    if target.exists() and not force:
        raise InputError(f"{target}: is there already; complete it, or write over it with --force")
    show.check_output(target)
    stated = find(path, proto, without_beside=target == path_of(path))
    lines = draft(without_functions(proto), stated)
    write_whole(target, write_draft(path, lines, *ports(proto)))
    if as_json:
        entries = [{"key": e.key, "value": e.value, "standing": e.standing, "note": e.note} for e in lines]
        show.document({"path": str(target), "lines": [e for e in entries if e["standing"] != "default"]})
    else:
        _print(path, target, lines)


def _print(path: Path, target: Path, lines: tuple[DraftLine, ...]) -> None:
    table = show.table("", "key", "value", "")
    for standing in ("known", "guessed", "to fill in"):
        for line in lines:
            if line.standing == standing:
                table.add_row(
                    line.key, "" if standing == "to fill in" else _short(line.value), f"{standing}: {line.note}"
                )
    show.out.print(table)
    missing = [line.key for line in lines if line.standing == "to fill in"]
    guessed = any(line.standing == "guessed" for line in lines)
    rest = "nothing must be filled in; look at the guesses" if guessed else "nothing is left to say"
    todo = f"fill in {', '.join(missing)}" if missing else rest
    show.out.print(f"\n{target}: {todo}. Then: edgent inspect {path}", soft_wrap=True)


def _embed(path: Path, output: Path | None, *, force: bool, as_json: bool, dims: dict[str, int]) -> None:
    from edgent.model.configuration.document import write_key
    from edgent.model.configuration.sources import find
    from edgent.model.files.named import shipped_folders
    from edgent.model.files.read import read, weight_files

    target = output or path
    if path.parent in shipped_folders() and output is None:
        raise InputError(f"{path.stem}: is shipped with Edgent and stays as it is; name a new file with -o")
    if output is not None and output.exists() and not force:
        raise InputError(f"{output}: is there already; write over it with --force")
    if weight_files(path) and target.absolute().parent != path.absolute().parent:
        raise InputError(f"{path}: has weights in files beside it; name a file in its folder with -o")
    show.check_output(target)
    proto = read(path)
    stated = find(path, proto, beside_first=force)
    if not stated.document and not dims:
        raise ModelError(f"{path}: has no configuration to embed; write one with edgent init {path}")
    document = {**stated.document, "dims": {**stated.document.get("dims", {}), **dims}}
    write_key(proto, document, stated.post_graph)
    loaded = _written(proto.SerializeToString(), target)
    if as_json:
        show.document({"path": str(target), "digest": loaded.digest, "keys": sorted(stated.origins)})
    else:
        keys = ", ".join(sorted(document))
        show.out.print(f"{target}: holds {keys} now, in version {loaded.version}", soft_wrap=True)


def _written(content: bytes, target: Path) -> Model:
    """The model as it will be read, which is opened before it takes the target's place."""
    unfinished = target.with_name(f".{target.stem[:40]}.{os.getpid()}.onnx")
    try:
        write_whole(unfinished, content)
        loaded = open_model(str(unfinished), {})
        unfinished.replace(target.resolve())
    except ModelError as error:
        raise ModelError(str(error).replace(str(unfinished), str(target))) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return loaded


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."
