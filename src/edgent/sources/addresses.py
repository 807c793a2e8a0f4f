"""Addresses as they may be shown: cameras have user and password in theirs, at more than one place."""

from __future__ import annotations

import re

# What a mistyped address may hold, without a scheme to tell it by: user:password@, and a query that sets something.
_SECRETS = re.compile(r"[^/?#]*:.*@|\?.*=.*", re.DOTALL)
_ASKED = re.compile(r"[?#]")


def shown(text: str) -> str:
    """A source as it may be shown: without login, query, and parts of the path that set something.

    Args:
        text: as it was typed, perhaps with NAME= before it; what is no address stays as it is.
    """
    head, mark, rest = text.partition("://")
    if not mark:
        return _SECRETS.sub("", text)
    # A password may hold a slash, a question mark or an `@`, so the host begins behind the last `@`. A query may hold
    # one as well; which of both it is cannot be told then, and either side may be the secret.
    before, login, behind = rest.rpartition("@")
    if login and _ASKED.search(before):
        return f"{head}{mark}..."
    host, *parts = _ASKED.split(behind)[0].split("/")
    return head + mark + "/".join([host, *(part for part in parts if "=" not in part)])
