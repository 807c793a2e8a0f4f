"""`--sink`: where a command that is left running sends its events."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgent.cli.terminal import show
from edgent.errors import InputError
from edgent.files import is_folder, read_text, user_folder

if TYPE_CHECKING:
    from edgent.sinks.addresses import SinkAddress
    from edgent.sinks.delivery import SinkDelivery
    from edgent.sinks.fan import SinkFan

ENVIRONMENT = "EDGENT_SINKS"

Sinks = Annotated[
    list[str] | None,
    typer.Option(
        "--sink",
        metavar="SINK",
        envvar=ENVIRONMENT,
        show_envvar=False,
        help=f"Where events go (repeatable): jsonl:FILE, folder:DIR, mqtt://HOST/TOPIC, https://...; @FILE has one a "
        f"line, {ENVIRONMENT} several.",
    ),
]


@contextlib.contextmanager
def open_sinks(texts: Sequence[str] | None) -> Iterator[SinkFan]:
    """One listener for all sinks, for as long as the command runs; none is fine.

    A sink that cannot be opened is told in a line and left out, for the others and the cameras go on.

    Args:
        texts: of `--sink`.

    Raises:
        InputError: a text that is no sink, or a file of sinks that cannot be read.
        MissingExtraError: a broker is named, and its library is not installed.
    """
    from edgent.clock import MonotonicClock
    from edgent.sinks.fan import SinkFan

    fan = SinkFan(list(_deliveries(read_sinks(texts or ()))), MonotonicClock())
    try:
        yield fan
    finally:
        fan.close()


def read_sinks(texts: Sequence[str]) -> list[SinkAddress]:
    """The sinks that texts name, each once.

    Raises:
        InputError: one is no sink, or a file of them cannot be read.
    """
    from edgent.sinks.addresses import parse_sink

    addresses: dict[str, SinkAddress] = {}
    for address in map(parse_sink, _lines(texts)):
        if address.key in addresses:
            show.warn(f"--sink {address.name}: is named twice; it is one sink")
        addresses.setdefault(address.key, address)
    return list(addresses.values())


def check_sinks(texts: Sequence[str] | None) -> None:
    """Refuses what can never be a sink, before the work is done for it; what may come back is waited for.

    Raises:
        InputError: a text is no sink, a file of them cannot be read, or nothing can be written where one is.
    """
    from edgent.sinks.addresses import FileAddress, parse_sink
    from edgent.sinks.local_files import check_place

    for address in map(parse_sink, _lines(texts or ())):
        if not isinstance(address, FileAddress):
            continue
        try:
            check_place(address)
        except InputError as error:
            raise InputError(f"--sink {address.name}: {error}") from None
        if not address.is_folder and not is_folder(address.path.parent):
            show.warn(f"--sink {address.name}: its folder is not there: events wait until somebody makes it")


def _lines(texts: Sequence[str]) -> Iterator[str]:
    """What `@FILE` stands for, in its place."""
    for text in texts:
        if not text.startswith("@"):
            yield text
            continue
        try:
            content = read_text(Path(text[1:]))
        except InputError as error:
            raise InputError(f"--sink {text[:80]!r}: {error}; expected a file with a sink on each line") from None
        yield from (line for line in map(str.strip, content.splitlines()) if line and not line.startswith("#"))


def _deliveries(addresses: Sequence[SinkAddress]) -> Iterator[SinkDelivery]:
    from edgent.clock import MonotonicClock
    from edgent.sinks.fan import delivery_to

    state = user_folder("XDG_STATE_HOME", ".local/state")
    if state is None and addresses:
        raise InputError("there is no folder for events that wait: this user has no home; set XDG_STATE_HOME")
    for address in addresses:
        try:
            yield delivery_to(address, (state or Path()) / "sinks", MonotonicClock())
        except InputError as error:
            show.warn(f"--sink {address.name}: is left out: {error}")
