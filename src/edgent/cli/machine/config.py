"""`edgent config`: whether a file of settings is right, and what is in force with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edgent.cli.arguments.options import AsJson
from edgent.cli.arguments.settings_file import SettingsFile, settings_of, without_secrets
from edgent.cli.terminal import show

config = typer.Typer(no_args_is_help=True, help="The file of settings that `edgent --config FILE VERB` takes.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="TOML: a section a verb, keys named as its options.")]


@config.command("check")
def check_config(ctx: typer.Context, file: File, as_json: AsJson = False) -> None:
    """Whether a file of settings is right: its sections, keys and values."""
    commands = _commands(ctx)
    sections = SettingsFile.read(file, commands).sections
    counts = {verb: len(section) for verb, section in sections.items()}
    lacks = {verb: _lacks(commands[verb], section) for verb, section in sections.items()}
    show.warn(*(f"[{verb}] lacks {', '.join(keys)}, which then must be typed" for verb, keys in lacks.items() if keys))
    if as_json:
        show.document({"file": str(file), "settings": counts, "lacks": lacks})
    else:
        said = ", ".join(f"[{verb}] {count}" for verb, count in counts.items()) or "none"
        show.out.print(f"{file} is right; settings: {said}", soft_wrap=True)


@config.command("show")
def show_config(ctx: typer.Context, file: File, as_json: AsJson = False) -> None:
    """What is in force for each verb of a file: its own values, and the defaults of the rest."""
    commands = _commands(ctx)
    sections = SettingsFile.read(file, commands).sections
    in_force = {verb: _in_force(commands[verb], section) for verb, section in sections.items()}
    if as_json:
        show.document(in_force)
        return
    for verb, settings in in_force.items():
        table = show.table(f"[{verb}]", "setting", "value", "from")
        for key, setting in settings.items():
            table.add_row(key, "-" if setting["value"] in (None, "", []) else str(setting["value"]), setting["from"])
        show.out.print(table)


def _lacks(command: Any, section: Any) -> list[str]:
    """The keys without which a verb does not begin."""
    return [key for key, one in settings_of(command).items() if one.required and one.name not in section]


def _in_force(command: Any, section: Any) -> dict[str, dict[str, Any]]:
    def setting(parameter: Any) -> dict[str, Any]:
        if parameter.name in section:
            return {"value": without_secrets(section[parameter.name]), "from": "file"}
        default = parameter.default
        return {"value": str(default) if isinstance(default, Path) else default, "from": "default"}

    return {key: setting(parameter) for key, parameter in settings_of(command).items()}


def _commands(ctx: typer.Context) -> dict[str, Any]:
    commands: dict[str, Any] = ctx.find_root().command.commands  # type: ignore[attr-defined]
    return commands
