"""What a side of a connection shows to the other, and what it accepts.

Nothing heavy is imported here: a device that has joined names three files, and needs no cryptography of its own. They
are files and not their contents, for a certificate is replaced when it is renewed, and every new connection shows the
one that is there then.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from edgent.errors import InputError
from edgent.identity.folder import read_private

EDGE_NAME = "edge.edgent"
"""The name by which a device checks that a certificate is an edge's.

The address of a box in a building changes, and a device's certificate comes from the same authority: so the name that
is checked is one that only edges get, and not the address.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """One side's half of a mutual TLS connection; the files are PEM.

    Attributes:
        authority: whose certificates are accepted.
        certificate: what is shown, with the chain to the authority where others need it.
        key: the private key that belongs to it.
        peer_name: the name that an edge's certificate must have; "" is the address that it was reached by.
    """

    authority: Path
    certificate: Path
    key: Path
    peer_name: str = ""

    def read(self) -> tuple[bytes, bytes, bytes]:
        """Authority, certificate and key as they are now.

        Raises:
            InputError: one of them is missing.
        """
        return read_private(self.authority), read_private(self.certificate), read_private(self.key)

    def client_context(self) -> ssl.SSLContext:
        """A client's side of TLS.

        Raises:
            InputError: a file is missing, or is none of its kind.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.read()  # which names the file that is missing
        try:
            context.load_verify_locations(self.authority)
            context.load_cert_chain(self.certificate, self.key)
        except (ssl.SSLError, ValueError):
            raise InputError(
                f"{self.certificate.parent}: found no certificate and key that belong together; join the edge again"
            ) from None
        return context
