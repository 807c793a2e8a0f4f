"""Which versions of a model were fetched from an edge: the newest that is whole is run where the edge is away.

A name is one edge's word for a model, and another edge's for another: so the list is kept by edge and name. An edge is
known by its address and, where the device has joined it, by its authority, so that neither another box at the address
nor what came from there in plain text is taken for it.

The list only says what to look for in the cache; whether it lies there, and is whole, each version's digest tells.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from edgent import cache
from edgent.document import Document, Node, keys_of
from edgent.errors import InputError
from edgent.identity.folder import read_private

if TYPE_CHECKING:
    from edgent.identity.credentials import Credentials

_KIND = "fetched"  # in the cache
_MOST = 8  # versions of a name; older ones are long out of use


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedVersion:
    """What the edge said of a version when it was fetched.

    Attributes:
        digest: of all that changes an answer.
        dims: the numbers of its free dimensions.
        manifest: of a bundle, its text; None for a single file.
    """

    digest: str
    dims: Mapping[str, int] = field(default_factory=dict, hash=False)
    manifest: str | None = None

    def __post_init__(self) -> None:
        if not is_digest(self.digest):  # it becomes a part of a folder's name
            raise InputError(f"found the digest {self.digest[:80]!r}, expected 64 hex digits")


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedVersions(Document):
    """The versions of one name, the one fetched last first."""

    KIND = "list of fetched versions"
    AGAIN = "fetch the model again"

    versions: tuple[FetchedVersion, ...] = ()

    def led_by(self, version: FetchedVersion) -> FetchedVersions:
        """The same with this version at its head."""
        others = (known for known in self.versions if known.digest != version.digest)
        return FetchedVersions(versions=(version, *others)[:_MOST])

    def to_json(self) -> str:
        """The file's text; the same list always gives the same text."""
        versions = [
            {**asdict(version), "dims": [{"name": name, "size": size} for name, size in sorted(version.dims.items())]}
            for version in self.versions
        ]
        return json.dumps({"schema": self.SCHEMA, "versions": versions}, indent=1, allow_nan=False) + "\n"

    @classmethod
    def _read(cls, document: object) -> FetchedVersions:
        node = Node(document, "fetched", ("schema", *keys_of(cls)))
        return cls(versions=tuple(map(_read_version, node.nodes("versions", keys_of(FetchedVersion)))))


def versions_of(edge: str, name: str, credentials: Credentials | None) -> FetchedVersions:
    """The versions of a name that were fetched from an edge; none where the list is missing or damaged.

    Args:
        edge: "HOST:PORT".
        name: of the model there.
        credentials: by which the edge is known; None: plain text is spoken with it.
    """
    try:
        return FetchedVersions.load(cache.file_of(_KIND, _key(edge, name, credentials)))
    except InputError:
        return FetchedVersions()


def remember(edge: str, name: str, credentials: Credentials | None, version: FetchedVersion) -> None:
    """Puts the version that the name stands for at the edge at the head of the list.

    Raises:
        CacheError: the cache cannot be written.
    """
    known = versions_of(edge, name, credentials)
    if (versions := known.led_by(version)) != known:  # a start that finds the same version writes nothing
        cache.keep(_KIND, _key(edge, name, credentials), versions.to_json())


def is_digest(text: str) -> bool:
    """Whether it is a digest: 64 hex digits."""
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def _key(edge: str, name: str, credentials: Credentials | None) -> str:
    authority = hashlib.sha256(read_private(credentials.authority)).hexdigest() if credentials else ""
    return hashlib.sha256(json.dumps([edge, authority, name]).encode()).hexdigest()


def _read_version(node: Node) -> FetchedVersion:
    dims = node.nodes("dims", ("name", "size"))
    return FetchedVersion(
        digest=node.text("digest"),
        dims={dim.text("name"): dim.whole("size") for dim in dims},
        manifest=None if node.absent("manifest") else node.text("manifest"),
    )
