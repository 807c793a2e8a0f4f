"""What an owner hands over so that a device may join: the authority's fingerprint, and a secret."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import Self

from edgent.errors import InputError

PREFIX = "edgent1-"
"""How each token begins: so one is known where it must not be shown."""

_SECRET_BYTES = 16  # 128 bits: not to be guessed, however many tries a port may take
_TEXT = re.compile(rf"{PREFIX}([0-9a-f]{{64}})-([0-9a-f]{{32}})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token; `str` gives the text that is handed over.

    Attributes:
        fingerprint: of the authority's certificate; see `certificates.fingerprint`.
        secret: 32 hexadecimal signs.
    """

    fingerprint: str
    secret: str = field(repr=False)

    @classmethod
    def create(cls, fingerprint: str) -> Self:
        """A new one for an authority."""
        return cls(fingerprint=fingerprint, secret=secrets.token_hex(_SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a token.

        Raises:
            InputError: it is none. The message does not repeat it, for it may be one that lacks a sign.
        """
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            raise InputError(
                f"found no token ({len(text)} characters); expected {PREFIX}... of 105 characters, whole, as the edge "
                "printed it or as `edgent token create` prints it there"
            )
        return cls(fingerprint=match[1], secret=match[2])

    def __str__(self) -> str:
        return f"{PREFIX}{self.fingerprint}-{self.secret}"


def digest_of(secret: str) -> str:
    """What the edge keeps of a secret: who reads its files cannot join with them.

    A single SHA-256 is enough here, unlike for passwords: nobody tries 2^128 secrets.
    """
    return hashlib.sha256(secret.encode()).hexdigest()
