"""Models fetched from an edge, so that no file needs to be copied by hand; kept in the cache.

The edge names a digest, and nothing else that it says is believed. The first file that it sends is the model, whatever
it is called there; each other one must be its configuration, or among those that either names; all together must have
the digest. The numbers of free dimensions are the edge's: of them, too, the digest tells whether they are right.
What is loaded then is what was looked at, and files that lie in the cache from another day are looked at likewise.
Free dimensions get the numbers that the edge says; others than it has itself would make another digest.

Of a bundle come the files for devices, each as a model of its own; of the others, as far as the bundle's digest goes,
the edge's word is taken, for it alone will run them.

What was fetched is remembered (`fetched_versions`), so that a device which starts while its edge is away has a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from edgent import cache
from edgent.errors import CacheError, EdgeError, EdgentError, InputError, ModelError, RefusedError
from edgent.identity.joined import credentials_towards
from edgent.wire.edge_client import EdgeClient, Served
from edgent.wire.errors import LateError, NotServedError
from edgent.wire.fetched_versions import FetchedVersion, is_digest, remember, versions_of
from edgent.wire.sent_files import SentFile

if TYPE_CHECKING:
    from edgent.identity.credentials import Credentials
    from edgent.model import Model
    from edgent.model.files.manifest import Manifest
    from edgent.model.files.named import ModelFiles
    from edgent.wire.transport import Channel

_TIMEOUT = 10.0  # seconds for an edge to say what it serves; one that drops all packets is given up after one
_FIRST_WORDS = 4.0  # seconds; who hangs up on this device does so at once
_MAX_MESSAGE = 4 << 20
_LONGEST_NAME = 200  # bytes; the cache appends some, and a file system takes 255

_in_use: dict[Path, cache.Entry] = {}
"""The fetched models of this process: whoever loaded one may read its weights again at any time."""


def fetch_model(
    edge: str,
    name: str,
    *,
    dims: Mapping[str, int] | None = None,
    channel: Channel | None = None,
    most: int | None = None,
    insecure: bool = False,
) -> Model:
    """A model that an edge serves; its files are fetched at the first call.

    Args:
        edge: "HOST:PORT".
        name: of the model there.
        dims: numbers that free dimensions must have there; None: those that they have.
        channel: in place of gRPC to `edge`.
        most: bytes that all its files may have; None: as many as the cache holds.
        insecure: see `DeviceSettings`.

    Returns:
        The newest version that it serves. Of a bundle some branches may be the edge's alone (`Model.remote`).

    Raises:
        NotServedError: the edge has no such model.
        RefusedError: it sent another model than it named or a larger one, or is no edge.
        EdgeError: it is not there.
        InputError: the cache cannot be written.
    """
    credentials = None if channel else credentials_towards(edge, insecure=insecure)
    opened = channel or _grpc(edge, credentials)
    try:
        remote = EdgeClient(opened)
        try:
            served = _served(remote, edge, name)
        except LateError:  # who has been silent for all this time is not waited for once more
            raise LateError(f"the edge {edge} says nothing within {_TIMEOUT:g} s; is it on, and let through?") from None
        except EdgeError:
            opened.first_words(_FIRST_WORDS)  # which says so where certificates are the reason
            raise
        _check_dims(served, edge, dims or {})
        manifest = remote.document("manifest", name, served.digest) if served.members else None
        model = _model(remote, served, manifest, cache.bound() if most is None else most)
    finally:
        if channel is None:
            opened.close()
    with suppress(CacheError):  # of a cache that somebody else fills all can be read
        version = FetchedVersion(digest=served.digest, dims=served.dims, manifest=manifest)
        remember(edge, name, credentials, version)
    return model


def fetched_before(
    edge: str, name: str, *, dims: Mapping[str, int] | None = None, insecure: bool = False
) -> Model | None:
    """What `fetch_model` got from an edge on another day, for where the edge is away.

    Returns:
        The newest version that is whole in the cache; None: there is none.

    Raises:
        InputError: the edge is on another machine, and this device has not joined it.
    """
    credentials = credentials_towards(edge, insecure=insecure)
    for version in versions_of(edge, name, credentials).versions:
        served = Served(name=name, digest=version.digest, profile="", calibration="", dims=version.dims)
        # Damaged, removed, or with other numbers than are asked for: an older one may be right.
        with suppress(EdgentError):
            _check_dims(served, edge, dims or {})
            return _model(None, served, version.manifest, cache.bound())
    return None


def _served(remote: EdgeClient, edge: str, name: str) -> Served:
    """The newest version of a model that an edge serves."""
    served = remote.describe(_TIMEOUT)
    entry = next((entry for entry in served if entry.name == name), None)
    if entry is None:
        known = ", ".join(dict.fromkeys(entry.name for entry in served)) or "none"
        raise NotServedError(f"the edge {edge} has no model {name!r}; it serves {known}")
    if not _is_file_name(name):
        raise RefusedError(f"the edge {edge} calls a model {name[:80]!r}, which is no name of a file; rename it there")
    if not is_digest(entry.digest):
        raise RefusedError(
            f"the edge {edge} names the digest {entry.digest[:80]!r} for {name}: it is no edge of Edgent"
        )
    return entry


def _model(remote: EdgeClient | None, served: Served, manifest: str | None, most: int) -> Model:
    """What is served, from the edge or from another day; without an edge from another day alone."""
    if manifest is not None:
        return _bundle(remote, served, _manifest(manifest, served), most)
    return _fetched(_Fetch(remote, served, served.name, served.digest, most))


def _fetched(fetch: _Fetch) -> Model:
    """One file and its weights, from the edge or from another day."""
    entry = cache.entry("models", f"{fetch.name}-{fetch.digest[:32]}", fetch.is_right, fetch.write)
    _in_use[entry.path] = entry
    return fetch.loaded or _load(entry.path / fetch.file, fetch.served.dims)


def _bundle(remote: EdgeClient | None, served: Served, manifest: Manifest, most: int) -> Model:
    """A bundle's files for devices, each by its digest, together."""
    from edgent.model.files.partial import partial

    paths: list[Path] = []
    for file in manifest.here:
        member = _fetched(_Fetch(remote, served, file.name, file.digest, most))
        paths.append(member.path)
        most -= member.file_bytes
    try:
        return partial(_load(paths if len(paths) > 1 else paths[0], served.dims), manifest)
    except ModelError as error:
        raise RefusedError(f"what the edge sent for {served.name} is no bundle: {error}") from error


def _manifest(text: str, served: Served) -> Manifest:
    from edgent.model.files.manifest import Manifest

    try:
        manifest = Manifest.from_json(text, f"the edge's {served.name}")
    except InputError as error:
        raise RefusedError(str(error)) from error
    if manifest.digest != served.digest:
        raise RefusedError(
            f"the edge describes version {manifest.digest[:12]} of {served.name}, but named {served.version}: "
            "it is no edge of Edgent, or of another release; update both"
        )
    for file in manifest.here:
        if not _is_file_name(file.name) or not is_digest(file.digest):
            raise RefusedError(f"the edge calls a file of {served.name} {file.name[:80]!r}, which is no name of a file")
    return manifest


def _check_dims(served: Served, edge: str, wanted: Mapping[str, int]) -> None:
    for name, number in wanted.items():
        if name in served.dims and served.dims[name] != number:
            raise RefusedError(
                f"the edge {edge} serves {served.name} with {name}={served.dims[name]}, asked for was {number}; "
                "leave it out, or serve it with that number"
            )


def _is_file_name(name: str) -> bool:
    return name not in ("", ".", "..") and not {"/", "\0"} & set(name) and len(name.encode()) <= _LONGEST_NAME


class _Fetch:
    """One model as an edge sends it: all of what is served, or a file of a bundle.

    Args:
        remote: the edge; None: it is away.
        served: what it is asked for.
        name: of the model.
        digest: that it must have.
        most: bytes of all its files.
    """

    def __init__(self, remote: EdgeClient | None, served: Served, name: str, digest: str, most: int) -> None:
        self.remote, self.served, self.name, self.digest, self.most = remote, served, name, digest, most
        self.file = f"{name}.onnx"
        self.loaded: Model | None = None

    def is_right(self, folder: Path) -> bool:
        """Whether a folder holds the model; it is loaded then."""
        try:
            model = _load(folder / self.file, self.served.dims)
        except ModelError:  # missing, damaged, or with weights that are
            return False
        self.loaded = model if model.digest == self.digest else None
        return self.loaded is not None

    def write(self, folder: Path) -> None:
        """Writes what the edge sends, and looks whether it is the model."""
        if self.remote is None:
            raise EdgeError(f"{self.name} is not whole in the cache, and the edge that has it is away")
        left, member = self.most, self.digest if self.served.members else ""
        with closing(self.remote.fetch("model", self.served.name, self.served.digest, member)) as files:
            for number, file in enumerate(files):
                path = self._place(folder, file.name) if number else self._main(folder, file.name)
                self._write(path, file, left)
                left -= file.size
        self._check(folder / self.file)

    def _main(self, folder: Path, name: str) -> Path:
        if not _is_file_name(name):
            raise RefusedError(f"the edge sent a file named {name[:80]!r}, which is outside its folder")
        return folder / self.file

    def _place(self, folder: Path, name: str) -> Path:
        known = _named(folder / self.file)
        path = (folder / name).resolve()
        if name not in known or not path.is_relative_to(folder.resolve()) or path.exists():
            raise RefusedError(f"the edge sent a file {name[:80]!r}, which {self.name} does not name, or sent it twice")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _write(self, path: Path, file: SentFile, most: int) -> None:
        # By its word, before a byte of it is written; it has no more bytes than it states.
        if file.size > most:
            raise RefusedError(
                f"the edge sends more than {self.most:,} bytes for {self.name}, and the cache holds no more; "
                "copy its files by hand"
            )
        with path.open("xb") as stream:
            stream.writelines(file.pieces)

    def _check(self, path: Path) -> None:
        try:
            digest = _load(path, self.served.dims).digest
        except ModelError as error:
            raise RefusedError(f"what the edge sent for {self.name} is no model: {error}") from error
        if digest != self.digest:
            raise RefusedError(
                f"the edge sent version {digest[:12]} of {self.name}, but named {self.digest[:12]}: its file changed "
                "since it began; restart it, or copy the file"
            )


def _load(files: ModelFiles, dims: Mapping[str, int]) -> Model:
    from edgent.engine.guarded_loading import load  # onnx, only when a model is read

    return load(files, dims=dims)


def _named(path: Path) -> tuple[str, ...]:
    """The files that may lie beside a model's: its weights, its configuration, and what that names."""
    from edgent.model.configuration.copy import named_by_a_copy
    from edgent.model.files.read import weight_files

    try:
        return (*weight_files(path), *named_by_a_copy(path))
    except ModelError as error:
        raise RefusedError(f"the edge sent a model that cannot be read: {error}") from error


def _grpc(edge: str, credentials: Credentials | None) -> Channel:
    from edgent.wire.grpc_channel import GrpcChannel  # gRPC, only when there is an edge

    return GrpcChannel(edge, max_message=_MAX_MESSAGE, credentials=credentials)
