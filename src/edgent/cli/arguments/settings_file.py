"""One TOML file of settings for what is left running: a section for each verb, with keys named as its options.

::

    [serve]
    models = ["b-alexnet"]
    host = "0.0.0.0"

    [run]
    deadline = "100ms"

Typer takes a command's values from the line, else from its context's `default_map`, else the declared defaults. So all
that is done here is to fill that map, and to refuse what Typer would pass over in silence or read in its own way.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand

from edgent.cli.arguments.formats import check_format
from edgent.cli.terminal import show
from edgent.document import parse_toml
from edgent.errors import InputError
from edgent.files import read_text
from edgent.text import nearest

_STRONGER = {"COMMANDLINE": "the command line", "ENVIRONMENT": "the environment"}
"""What holds where the file says something else: click's words and ours."""

_KINDS: dict[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
}
"""What a value has to be in the file, for each type that is not written as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """A file that was read and is right as far as can be told before anything is started.

    Attributes:
        path: Of the file.
        sections: For each verb in it the values, by the names of its parameters.
    """

    path: Path
    sections: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, path: Path, commands: Mapping[str, Any]) -> Self:
        """Reads a file.

        Args:
            path: Of the file.
            commands: All verbs.

        Raises:
            InputError: it cannot be read, or has unknown sections or keys, or values of a wrong type.
        """
        try:
            document = parse_toml(read_text(path))
            return cls(path=path, sections={verb: _section(verb, document[verb], commands) for verb in document})
        except InputError as error:
            raise InputError(f"{path}: {error}") from None


class ConfigurableCommand(TyperCommand):
    """A command whose settings may stand in a file; where both say something, the line holds, and that is told."""

    def invoke(self, ctx: Any) -> Any:
        """See click."""
        for key, parameter in settings_of(self).items():
            written = (ctx.default_map or {}).get(parameter.name)
            # By its name: the class of this value has moved from click to typer.
            source = ctx.get_parameter_source(parameter.name)
            if written is not None and source is not None and source.name in _STRONGER:
                where = _STRONGER[source.name]
                show.complain(f"note: {key} of {where} holds, and not {as_toml(written)} of the file")
        return super().invoke(ctx)


def settings_of(command: Any) -> dict[str, Any]:
    """A command's parameters by their keys: as its options are named; arguments are named as in Python."""
    # Of several spellings (-o, --output) the longest says what it is.
    return {max(one.opts, key=len).lstrip("-").replace("_", "-"): one for one in command.params}


def without_secrets(value: Any) -> Any:
    """A value as it may be shown: no token, and of the addresses of sinks and sources only what cannot be secret."""
    from edgent.identity.token import PREFIX
    from edgent.sinks.addresses import public_part
    from edgent.sources.addresses import shown

    if isinstance(value, list):
        return [without_secrets(one) for one in value]
    if isinstance(value, dict):
        return {key: without_secrets(one) for key, one in value.items()}
    if not isinstance(value, str):
        return value
    if value.startswith(PREFIX):
        return f"{PREFIX}..."
    sink = public_part(value)
    return shown(value) if sink is None else sink


def as_toml(value: object) -> str:
    """A value as a file has it, short enough for a message."""
    value = without_secrets(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(as_toml, value))}]"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _section(verb: str, section: object, commands: Mapping[str, Any]) -> dict[str, Any]:
    command = commands.get(verb)
    if not isinstance(command, ConfigurableCommand):
        known = [name for name, one in commands.items() if isinstance(one, ConfigurableCommand)]
        raise InputError(f"found {verb!r}{nearest(verb, known)}, expected sections named as commands, like [serve]")
    if not isinstance(section, dict):
        raise InputError(f"found {verb} = {as_toml(section)}, expected a section [{verb}]")
    parameters = settings_of(command)
    for key in section:
        if key not in parameters:
            meant = nearest(key, parameters)
            raise InputError(f"[{verb}] {key}: found an unknown key{meant}, expected one of {', '.join(parameters)}")
    assert command.callback is not None, "every verb does something"
    kinds = get_type_hints(inspect.unwrap(command.callback))
    for key, value in section.items():
        name, place = parameters[key].name, f"[{verb}] {key}"
        _check_type(place, _without_none(kinds[name]), value)
        _check_value(place, parameters[key], value, typer.Context(command, info_name=verb))
    return {parameters[key].name: value for key, value in section.items()}


def _check_type(place: str, kind: Any, value: object) -> None:
    """Whether a value is written as what it is to be; Typer would take a number for text, and text for a list."""
    if get_origin(kind) is list:
        if not isinstance(value, list):
            raise InputError(f"{place}: found {as_toml(value)}, expected a list, as [{as_toml(value)}]")
        for one in value:
            _check_type(place, get_args(kind)[0], one)
        return
    kinds, words = _KINDS.get(kind, ((str,), "a text in quotation marks"))
    # To Python true is the number 1; to whoever wrote it, it is not.
    if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f"{place}: found {as_toml(value)}, expected {words}")
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{place}: found {as_toml(value)}, expected a finite number")


def _without_none(kind: Any) -> Any:
    """The type of a value that is there."""
    inside = [one for one in get_args(kind) if one is not type(None)]
    return inside[0] if len(inside) < len(get_args(kind)) else kind


def _check_value(place: str, parameter: Any, value: object, ctx: typer.Context) -> None:
    for one in value if isinstance(value, list) else [value]:
        check_format(parameter.metavar, one, place)
    try:
        parameter.process_value(ctx, value)
    except typer.BadParameter as error:
        raise InputError(f"{place}: found {as_toml(value)}, expected another value: {error.message}") from None
