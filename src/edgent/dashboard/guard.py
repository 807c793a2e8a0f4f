"""Whom the page's port answers, and what it says beside each answer. Pure: judges what a request says of itself.

Four dangers are met here. A page of somebody else may have its own name lead to this machine (DNS rebinding): so only
requests that name this machine are answered. It may send requests that it cannot read: so what comes from another page
is refused. Text from outside may get into the page: so no script runs but those that are served, and nothing is loaded
from elsewhere. And somebody may simply come by: beyond this machine there is TLS, and a password or a joined name.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from edgent.address import Address
from edgent.errors import InputError

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Beside every answer."""

USER = "edgent"
"""The name that goes with the password."""

HasJoined = Callable[[bytes], bool]
"""Whether the bearer of a certificate (PEM) may look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRefusal:
    """Why a request is not answered.

    Attributes:
        status: of HTTP.
        words: in one line.
    """

    status: HTTPStatus
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageGuard:
    """Judges requests.

    Attributes:
        hosts: names and addresses by which this machine is reached, without ports.
        password: None: it is not asked for.
        has_joined: tells of a certificate that TLS has checked; None: nobody can join.
    """

    hosts: Collection[str]
    password: str | None = None
    has_joined: HasJoined | None = None

    def refusal(self, method: str, headers: Mapping[str, str], certificate: bytes | None = None) -> PageRefusal | None:
        """Why a request is not answered; None: it is.

        Args:
            method: of the request.
            headers: of the request, by names in lower case.
            certificate: what its sender showed, as PEM, and TLS found good.
        """
        if _host(headers.get("host", "")) not in self.hosts:
            return PageRefusal(
                status=HTTPStatus.MISDIRECTED_REQUEST,
                words=f"this page answers to {', '.join(sorted(self.hosts))}; open it by one of these names",
            )
        if _is_of_another_page(method, headers):
            return PageRefusal(
                status=HTTPStatus.FORBIDDEN, words="another page has sent this; open this page by itself"
            )
        if self.password is None or self._is_known(headers.get("authorization", ""), certificate, self.password):
            return None
        return PageRefusal(status=HTTPStatus.UNAUTHORIZED, words="the password is wrong, or was not said")

    def _is_known(self, authorization: str, certificate: bytes | None, password: str) -> bool:
        if certificate is not None and self.has_joined is not None and self.has_joined(certificate):
            return True
        wanted = base64.b64encode(f"{USER}:{password}".encode()).decode()
        scheme, _, said = authorization.partition(" ")
        # In a time that tells nothing of how much of it is right.
        return scheme.lower() == "basic" and hmac.compare_digest(said.strip().encode(), wanted.encode())


def _host(header: str) -> str:
    """The host of the header `Host`, which may lack a port; empty where it is none."""
    named = header if ":" in header.rpartition("]")[2] else f"{header}:80"
    try:
        return Address.parse(named).host.rstrip(".").lower()
    except InputError:
        return ""


def _is_of_another_page(method: str, headers: Mapping[str, str]) -> bool:
    # A browser says both by itself, and no page can change them; programs say neither.
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != headers.get("host", ""):
        return True
    return headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not _is_visit(method, headers)


def _is_visit(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a link on another page leads here. A form there leads here as well, but it posts: that is no visit."""
    destination = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest"))
    return method in ("GET", "HEAD") and destination == ("navigate", "document")
