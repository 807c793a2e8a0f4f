"""What a side of a connection shows to the other, and what it accepts; plain bytes, so that a transport can take them.

Nothing heavy is imported here: a device that has joined reads three files, and needs no cryptography of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

EDGE_NAME = "edge.edgent"
"""The name by which a device checks that a certificate is an edge's.

The address of a box in a building changes, and a device's certificate comes from the same authority: so the name that
is checked is one that only edges get, and not the address.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """One side's half of a mutual TLS connection, each part as PEM.

    Attributes:
        authority: whose certificates are accepted.
        certificate: what is shown, the authority's below it where others need the chain.
        key: the private key that belongs to it.
        peer_name: the name that the other side's certificate must have; "" is the address that it was reached by.
    """

    authority: bytes
    certificate: bytes
    key: bytes = field(repr=False)
    peer_name: str = ""
