"""`--dashboard`: the live page of a command that goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from edgent.address import Address
from edgent.cli.terminal import show
from edgent.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from edgent.dashboard.access import Access
    from edgent.dashboard.opened import DevicePage, Posted
    from edgent.device.device import Device
    from edgent.device.versions.follower import Follower
    from edgent.edge.callers import CallerCounter
    from edgent.edge.edge import Edge
    from edgent.identity.edge_identity import EdgeIdentity

Dashboard = Annotated[
    str, typer.Option("--dashboard", metavar="[HOST]:PORT", help="Show a live page; without a host to this machine.")
]


def page_address(text: str) -> Address | None:
    """Where the page is to listen; None: there is none.

    Raises:
        InputError: no such address.
        MissingExtraError: what serves it is not installed.
    """
    if not text:
        return None
    address = parse_page(text)
    try:
        import prometheus_client  # noqa: F401 - whether the extra is there is known before any work is done
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise MissingExtraError("--dashboard", "dashboard") from None
    return address


def parse_page(text: str) -> Address:
    """Reads [HOST]:PORT.

    Raises:
        InputError: no such address.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or len(port) > 5:
        raise InputError(f"--dashboard {text[:60]!r}: expected [HOST]:PORT, as :8080 or 192.0.2.7:8080")
    return Address(host=host or "127.0.0.1", port=int(port))


@contextmanager
def open_dashboard(text: str, device: Device | Follower, posted: Posted | None = None) -> Iterator[DevicePage | None]:
    """The page of a device, while something runs; the page is an `EventListener`, and is told its events.

    Args:
        text: of the option; empty: there is no page.
        device: what is shown, and what answers `POST /predict`.
        posted: is told of what was posted, in place of the page alone.
    """
    if (address := page_address(text)) is None:
        yield None
        return
    from edgent.dashboard.access import access_to
    from edgent.dashboard.opened import DevicePage

    access = access_to(address, None)
    with DevicePage(device, address, access, posted) as page:
        _say_where(page.url, access)
        yield page


@contextmanager
def open_edge_dashboard(
    text: str, edge: Edge, callers: CallerCounter | None, identity: EdgeIdentity | None
) -> Iterator[None]:
    """The page of an edge that has started, while it serves.

    Args:
        text: of the option; empty: there is no page.
        edge: what is shown.
        callers: what counts the edge's callers.
        identity: the edge's: its devices may look as well.
    """
    if (address := page_address(text)) is None or callers is None:
        yield
        return
    from edgent.dashboard.access import access_to
    from edgent.dashboard.opened import edge_page

    access = access_to(address, identity)
    with edge_page(edge, callers, address, access) as server:
        _say_where(server.url, access)
        yield


def _say_where(url: str, access: Access) -> None:
    """On stderr: stdout may be one JSON document."""
    known = "" if access.password_file is None else f"; its user is edgent, its password lies in {access.password_file}"
    show.err.print(f"edgent: the page is on {url}{known}", soft_wrap=True)
