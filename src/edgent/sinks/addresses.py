"""`--sink TEXT`: where events go, and with which secrets, which no message ever shows.

A sink's *name* is what is shown. It is made of what cannot be secret: of a web address not even the path, for that is
the secret of many a hook. Its *key* tells it from all others, on the next start too: the name of its outbox.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from edgent.address import Address
from edgent.errors import InputError
from edgent.text import brief, readable

_FORMS = "jsonl:FILE, folder:DIR, mqtt://[user:password@]HOST[:PORT]/TOPIC, mqtts://... or https://..."
_PORTS = {"mqtt": 1883, "mqtts": 8883, "http": 80, "https": 443}
_MOST_TOPIC = 200  # characters
_MOST_TEXT, _MOST_SHOWN = 4096, 60
# To the last @, and not only to the first: a password may hold one. After ":/" and ":", too, for who mistypes has one.
_BEFORE_AT = re.compile(r"(:/*).*@", re.DOTALL)
_TOPIC = re.compile(r"[^\x00-\x1f\x7f+#@]+")  # `+` and `#` stand for other topics, and are no part of one


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAddress:
    """A file that lines are appended to, or a folder that files are put into."""

    path: Path
    is_folder: bool

    @property
    def name(self) -> str:
        """What is shown."""
        return f"{self._kind}:{readable(self.path)}"

    @property
    def key(self) -> str:
        """What tells it from others."""
        return f"{self._kind}:{self.path}"

    @property
    def _kind(self) -> str:
        return "folder" if self.is_folder else "jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who one is there; both are secrets here, for a user's name is half of what it takes."""

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """A broker and a topic.

    Attributes:
        at: host and port.
        topic: below which everything is published.
        is_secured: by TLS.
        login: user and password.
        with_pictures: whether the newest frame is published too.
    """

    at: Address
    topic: str
    is_secured: bool
    login: Login = field(default=Login(), repr=False)
    with_pictures: bool = False

    @property
    def name(self) -> str:
        """What is shown."""
        return f"mqtt{'s' * self.is_secured}://{self.at}/{self.topic}"

    @property
    def key(self) -> str:
        """What tells it from others: a broker has a topic once, whoever publishes there."""
        return f"mqtt://{self.at}/{self.topic}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAddress:
    """A web server's address that events are posted to.

    Attributes:
        at: host and port.
        is_secured: by TLS.
        target: path and query; a secret.
        login: user and password.
    """

    at: Address
    is_secured: bool
    target: str = field(repr=False)
    login: Login = field(default=Login(), repr=False)

    @property
    def name(self) -> str:
        """What is shown."""
        return f"http{'s' * self.is_secured}://{self.at}/... ({sha256(self.target.encode()).hexdigest()[:6]})"

    @property
    def key(self) -> str:
        """What tells it from others."""
        return f"http{'s' * self.is_secured}://{self.at}{self.target}"


SinkAddress = FileAddress | BrokerAddress | WebAddress


def parse_sink(text: str) -> SinkAddress:
    """Reads where events go.

    Raises:
        InputError: what was found in place of a sink; without what may be secret of it.
    """
    if len(text) > _MOST_TEXT:
        raise InputError(f"--sink: found {len(text)} characters, expected at most {_MOST_TEXT}")
    scheme, colon, rest = text.partition(":")
    if colon and scheme in ("jsonl", "folder"):
        return _file(text, rest, is_folder=scheme == "folder")
    if colon and scheme in _PORTS:
        split, at = _split(text)
        return _broker(text, split, at) if scheme.startswith("mqtt") else _web(text, split, at)
    raise InputError(f"--sink {shown(text)}: is no sink; expected {_FORMS}")


def shown(text: str) -> str:
    """A text that may be a sink with a password, for a message."""
    return repr(brief(_cut(text), _MOST_SHOWN))


def public_part(text: str) -> str | None:
    """What may be shown of a text that begins as a sink does; None: it does not."""
    if text.startswith(("jsonl:", "folder:")):
        return text
    if text.partition(":")[0] not in _PORTS:
        return None
    try:
        return parse_sink(text).name
    except InputError:
        return _cut(text)


def _cut(text: str) -> str:
    """Without user, password and query, and without a path where that may be the secret of a hook."""
    known = re.split(r"[?#]", _BEFORE_AT.sub(r"\1...@", text))[0]
    return re.sub(r"(https?:/*+[^/]*/).+", r"\1...", known, flags=re.DOTALL | re.IGNORECASE)


def _file(text: str, path: str, *, is_folder: bool) -> FileAddress:
    if not path or "\0" in path or not _is_path(path):
        raise InputError(f"--sink {shown(text)}: names no {'folder' if is_folder else 'file'}; expected {_FORMS}")
    return FileAddress(path=Path(path).absolute(), is_folder=is_folder)


def _is_path(text: str) -> bool:
    """Whether a disk can have it; a path may hold bytes that are no text, which Python has as signs of their own."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def _split(text: str) -> tuple[SplitResult, Address]:
    """The parts of a URL; a password that is not escaped as URLs want it would be read as something else."""
    with contextlib.suppress(ValueError):
        split = urlsplit(text)
        at = Address(host=split.hostname or "", port=split.port or _PORTS[split.scheme])
        # Bytes that are no text, as they are or percent-encoded, can be no user, no password and no topic. The path to
        # a web server is sent as it stands.
        unquote(split.netloc + split.path * split.scheme.startswith("mqtt"), errors="strict").encode()
        if "@" not in split.path + split.query + split.fragment:
            return split, at
    # What is wrong may be a part of a password, so it is not repeated.
    raise InputError(
        f"--sink {shown(text)}: has no host and port that can be read; write HOST:PORT, and what stands before the @ "
        "percent-encoded, as UTF-8 (/ as %2F, # as %23, @ as %40)"
    )


def _login(split: SplitResult) -> Login:
    return Login(user=unquote(split.username or ""), password=unquote(split.password or ""))


def _broker(text: str, split: SplitResult, at: Address) -> BrokerAddress:
    topic = unquote(split.path.strip("/"))
    if split.fragment or not _TOPIC.fullmatch(topic) or len(topic) > _MOST_TOPIC:
        raise InputError(
            f"--sink {shown(text)}: names no topic to publish below; expected {_FORMS}, with no + and no # in it"
        )
    if split.query not in ("", "pictures"):
        raise InputError(f"--sink {shown(text)}: after the ? only `pictures` is known, for the newest frame")
    return BrokerAddress(
        at=at,
        topic=topic,
        is_secured=split.scheme == "mqtts",
        login=_login(split),
        with_pictures=split.query == "pictures",
    )


def _web(text: str, split: SplitResult, at: Address) -> WebAddress:
    is_secured = split.scheme == "https"
    if not is_secured and not at.is_loopback:
        raise InputError(f"--sink {shown(text)}: in plain text only this machine itself is posted to; take https")
    target = (split.path or "/") + (f"?{split.query}" if split.query else "")
    if not target.isascii() or any(sign <= " " for sign in target):
        raise InputError(f"--sink {shown(text)}: has signs in its path that must be percent-encoded")
    return WebAddress(at=at, is_secured=is_secured, target=target, login=_login(split))
