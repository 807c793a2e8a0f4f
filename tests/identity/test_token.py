"""Tokens: what is handed over, whole or not at all."""

from __future__ import annotations

import hashlib

import pytest

from edgent.errors import InputError
from edgent.identity.token import Token, digest_of

FINGERPRINT = "0123456789abcdef" * 4


def test_a_token_survives_being_handed_over() -> None:
    token = Token.create(FINGERPRINT)
    assert Token.parse(str(token)) == token
    assert Token.parse(f"  {token}\n") == token
    assert token.fingerprint == FINGERPRINT
    assert str(token).isascii()


def test_no_two_tokens_are_alike() -> None:
    assert len({Token.create(FINGERPRINT).secret for _ in range(100)}) == 100


def test_a_damaged_token_is_refused_and_not_repeated() -> None:
    token = str(Token.create(FINGERPRINT))
    secret = token[-32:]
    for text in (
        "",
        "token",
        token[:-1],
        token + "0",
        token.upper(),
        token.replace("-", ""),
        token[1:],
        f"{token} {token}",
    ):
        with pytest.raises(InputError) as refused:
            Token.parse(text)
        assert secret[:16] not in str(refused.value)
        assert "\n" not in str(refused.value)


def test_a_secret_is_not_shown_where_a_token_is() -> None:
    token = Token.create(FINGERPRINT)
    assert token.secret not in repr(token)


def test_what_an_edge_keeps_does_not_give_the_secret_away() -> None:
    token = Token.create(FINGERPRINT)
    assert digest_of(token.secret) == hashlib.sha256(token.secret.encode()).hexdigest() != token.secret
