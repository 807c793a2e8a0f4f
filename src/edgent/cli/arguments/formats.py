"""What a setting is read by before anything is started, by the name that its option has for it in the help.

Only the text is looked at: whether a file is there, a host answers, or an extra is installed, the command tells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgent.address import Address
from edgent.cli.arguments.dashboard import parse_page
from edgent.cli.arguments.emulated import parse_throttle
from edgent.cli.arguments.frames import parse_rate
from edgent.cli.arguments.models import parse_dims
from edgent.cli.arguments.options import parse_codecs, parse_direction, parse_engine
from edgent.cli.arguments.tracing import parse_collector
from edgent.errors import InputError
from edgent.units import parse_bandwidth, parse_bytes, parse_delay, parse_duration


def check_format(name: str | None, value: object, place: str) -> None:
    """Refuses a value that the command would refuse as soon as it runs.

    Args:
        name: of the format, as help shows it.
        value: one value; of a list each by itself.
        place: where it stands, for a message.

    Raises:
        InputError: the value is none of that format.
    """
    if value == "" or name is None:
        return
    if name in _TOLD_WHERE:
        _TOLD_WHERE[name](value, place)
    elif name in _OF_AN_OPTION:
        try:
            _OF_AN_OPTION[name](value)
        except InputError as error:
            raise InputError(f"{place}: {error}") from None


def _sink(text: str) -> None:
    from edgent.sinks.addresses import parse_sink

    if not text.startswith("@"):  # a file, which is read at the start
        parse_sink(text)


def _crop(text: str) -> None:
    from edgent.sources.crop import Crop

    Crop.parse(text)


def _endpoint(text: str) -> None:
    from edgent.frigate.endpoint import parse_bind

    parse_bind(text)


def _source(text: str) -> None:
    from edgent.sources.source_text import check_form

    check_form(text)


def _environment(name: str) -> None:
    from edgent.device.choosers.environment import chooser_of

    chooser_of(name)  # type: ignore[arg-type]  # whatever it is


def _cluster(text: str) -> None:
    if text != "local":
        Address.parse(text, "--cluster")


def _board(name: str) -> None:
    from edgent.lab.boards.emulation import find_device

    find_device(name)


_TOLD_WHERE: dict[str, Callable[[Any, str], object]] = {
    "TIME": parse_duration,
    "DELAY": parse_delay,
    "RATE": parse_bandwidth,
    "SIZE": parse_bytes,
    "HOST:PORT": Address.parse,
}
"""Their messages begin with what they are told."""

_OF_AN_OPTION: dict[str, Callable[[Any], object]] = {
    "SINK": _sink,
    "[HOST]:PORT": parse_page,
    "URL": parse_collector,
    "ENDPOINT": _endpoint,
    "FPS": parse_rate,
    "WxH+X+Y": _crop,
    "X@TIME": parse_throttle,
    "NAME=N": lambda text: parse_dims([text]),
    "CODEC": lambda name: parse_codecs([name]),
    "any|device-first|edge-first": parse_direction,
    "onnxruntime|openvino": parse_engine,
    "static|dynamic": _environment,
    "ADDRESS": _cluster,
    "DEVICE": _board,
    "[NAME=]SOURCE": _source,
}
"""Their messages name the option."""
