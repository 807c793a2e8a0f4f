"""The commands. Each is a thin shell: parse, call, print. Errors become one line and an exit code here."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from edgent.cli import (
    demo,
    frigate,
    init,
    inspect,
    joining,
    plan,
    profile,
    replay,
    report,
    reproduce,
    run,
    serve,
)
from edgent.cli.arguments.settings_file import ConfigurableCommand, SettingsFile
from edgent.cli.machine import config, doctor
from edgent.cli.map import configuration_map
from edgent.cli.measuring import evaluate, gate
from edgent.cli.terminal import signals, streams, title
from edgent.cli.training import add_exits, quantize, train
from edgent.errors import EdgentError
from edgent.text import brief
from edgent.version import __version__

_INTERRUPTED = 130  # as shells count it

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"edgent {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings: TOML, a section a command; see `edgent config`.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """DNN inference shared by a weak device and a nearby edge server, within a deadline."""
    if config is not None:
        ctx.default_map = dict(SettingsFile.read(config, ctx.command.commands).sections)  # type: ignore[attr-defined]


for verb in (
    demo.demo,
    doctor.doctor,
    init.init,
    inspect.inspect,
    evaluate.evaluate,
    gate.gate,
    profile.profile,
    plan.plan,
    replay.replay,
    serve.serve,
    run.run,
    frigate.frigate,
    joining.join,
    train.train,
    train.data,
    add_exits.add_exits,
    quantize.quantize,
    reproduce.reproduce,
    report.report,
):
    app.command(cls=ConfigurableCommand)(verb)
app.command("map", cls=ConfigurableCommand)(configuration_map)
app.add_typer(config.config, name="config")
app.add_typer(joining.token, name="token")
app.add_typer(joining.devices, name="devices")


def main() -> None:
    """Entry point: 0 done, 1 failed, 2 bad usage or input."""
    title.hide_addresses()  # before anything slow: whoever looks meanwhile would see them
    streams.prepare()
    signals.end_in_order()
    try:
        _run()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has seen enough
        streams.abandon_output()
        sys.exit(1)
    except MemoryError:
        _end("there is not enough memory for that", 1)
    except OSError as error:
        streams.abandon_output()
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else "the output: "
        _end(f"{where}{error.strerror or error}; make room, or name another place", 1)


def _run() -> None:
    try:
        app()
    except EdgentError as error:
        _end(str(error), error.exit_code)
    except MemoryError:
        _end(
            "there is no more memory, or none that a command may take; close other programs, or take a smaller model", 1
        )
    except SystemExit as end:
        if end.code == _INTERRUPTED:  # typer's, and it says nothing
            _end("interrupted", _INTERRUPTED)
        sys.stdout.flush()
        raise


def _end(message: str, code: int) -> None:
    sys.stderr.write(f"edgent: {brief(' '.join(message.split()))}\n")
    sys.exit(code)
