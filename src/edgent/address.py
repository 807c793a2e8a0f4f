"""Where a machine listens or is reached: HOST:PORT, the one reader of it; and what this one calls itself."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Self

from edgent.errors import InputError

_EXPECTED = "expected HOST:PORT, as 192.0.2.7:8001, edge.local:8001 or [2001:db8::7]:8001"
_NAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
)
_PORT = re.compile(r"[0-9]{1,5}")
# What URLs, and gRPC's own addresses, begin with: no machine of such a name could be told from them.
_SCHEMES = frozenset({"http", "https", "grpc", "grpcs", "dns", "ipv4", "ipv6", "unix", "unix-abstract", "vsock", "xds"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A host and a port; `str` gives HOST:PORT.

    Attributes:
        host: A name, an IPv4 address or an IPv6 address; one in brackets loses them.
        port: 0, which picks a free one, only to listen.

    Raises:
        InputError: no such host, or no such port.
    """

    host: str
    port: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", _host(self.host))
        if not 0 <= self.port < 1 << 16:
            raise InputError(f"port {self.port}: expected 0 to 65535")

    @classmethod
    def parse(cls, text: str, what: str = "edge") -> Self:
        """Reads where a machine is reached; `what` names it in messages.

        Raises:
            InputError: what was found in place of HOST:PORT.
        """
        try:
            host, port = _parts(text)
            return cls(host=host, port=port)
        except InputError as error:
            raise InputError(f"{what} {_short(text)}: {error}; {_EXPECTED}") from None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine itself can be meant."""
        if self.host.rstrip(".").lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.partition("%")[0]).is_loopback
        except ValueError:  # a name, which may lead anywhere
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def machine_name() -> str:
    """What this machine is called, of the signs that a device's name may have."""
    return re.sub(r"[^a-z0-9._-]+", "-", socket.gethostname().lower()).strip("._-")[:63].strip("._-") or "device"


def _parts(text: str) -> tuple[str, int]:
    if "/" in text or text.partition(":")[0].lower() in _SCHEMES:
        raise InputError("found a URL")
    host, colon, port = text.rpartition(":")
    if _is_ipv6(text) or _is_ipv6(host):
        raise InputError("found an IPv6 address without brackets")
    if not colon or port.endswith("]"):
        raise InputError("found no port")
    if not _PORT.fullmatch(port) or int(port) == 0:
        raise InputError(f"found the port {_short(port)}, which is none of 1 to 65535")
    return host, int(port)


def _host(text: str) -> str:
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if _is_ipv6(inner):
        return inner
    if not text:
        raise InputError("found no host")
    if not _NAME.fullmatch(text) or text.lower() in _SCHEMES or (_is_numeric(text) and not _is_ipv4(text)):
        raise InputError(f"found the host {_short(text)}, which is no name and no IP address")
    return text


def _is_ipv6(text: str) -> bool:
    """Whether it is one, perhaps with the interface that it is reached by: "fe80::1%eth0"."""
    address, _, scope = text.partition("%")
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return "%" not in text or re.fullmatch(r"[A-Za-z0-9_.-]+", scope) is not None


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _is_numeric(text: str) -> bool:
    return text.rstrip(".").rpartition(".")[2].isdigit()  # no domain at the top is a number


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
