"""Models fetched from an edge, so that no file needs to be copied by hand; kept by digest."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from edgent.errors import RefusedError
from edgent.runtime.faults import NotServedError
from edgent.runtime.remote import RemoteEdge

if TYPE_CHECKING:
    from edgent.runtime.transport import Channel

_TIMEOUT = 10.0
_MAX_MESSAGE = 4 << 20


def fetch_model(edge: str, name: str, *, cache: Path | None = None, channel: Channel | None = None) -> Path:
    """The file of a model that an edge serves, fetched at the first call.

    Args:
        edge: "HOST:PORT".
        name: of the model there.
        cache: folder to keep models in; None: the user's cache.
        channel: in place of gRPC to `edge`.

    Raises:
        NotServedError: the edge has no such model.
        RefusedError: it sent another model than it named, or is no edge.
        EdgeError: it is not there.
    """
    made = channel or _grpc(edge)
    try:
        return _fetch(RemoteEdge(made), edge, name, cache or _cache_folder())
    finally:
        if channel is None:
            made.close()


def _fetch(remote: RemoteEdge, edge: str, name: str, cache: Path) -> Path:
    served = {entry.name: entry for entry in remote.describe(_TIMEOUT)}
    if name not in served:
        raise NotServedError(f"the edge {edge} has no model {name!r}; it serves {', '.join(served) or 'none'}")
    digest = served[name].digest
    if len(digest) != 64 or not digest.isalnum():
        raise RefusedError(f"the edge {edge} names the digest {digest[:80]!r} for {name}: it is no edge of Edgent")
    folder = cache / digest
    if not folder.is_dir():
        _keep(remote.fetch("model", name, digest), digest, folder)
    return next(folder.glob("*.onnx"))


def _keep(files: dict[str, bytes], digest: str, folder: Path) -> None:
    """Writes all files, looks whether they are the model, and only then puts them in place."""
    from edgent.runtime.loading import load  # onnx, only when a model is read

    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".fetching-"))
    try:
        paths = [_inside(draft, file) for file in files]
        for path, data in zip(paths, files.values(), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        found = load(paths[0]).digest
        if found != digest:
            raise RefusedError(
                f"the edge sent version {found[:12]} of {paths[0].stem}, but named {digest[:12]}: restart it"
            )
        if not folder.exists():
            os.replace(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _inside(folder: Path, file: str) -> Path:
    path = (folder / file).resolve()
    if not path.is_relative_to(folder.resolve()) or path == folder.resolve():
        raise RefusedError(f"the edge sent a file named {file[:80]!r}, which is outside its folder")
    return path


def _cache_folder() -> Path:
    from edgent.model.weights import cache_folder  # onnx, only when a model is read

    return cache_folder() / "models"


def _grpc(edge: str) -> Channel:
    from edgent.runtime.wire import GrpcChannel  # gRPC, only when there is an edge

    return GrpcChannel(edge, max_message=_MAX_MESSAGE)
