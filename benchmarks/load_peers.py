"""Two servers of others for `load.py`, LitServe and mlserver, each in an environment of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from environments import python
from litserve_peer import free_port, process, serving, wait_for

HERE = Path(__file__).resolve().parent


@contextmanager
def litserve(model: Path, folder: Path, prefix: Sequence[str]) -> Iterator[str]:
    """LitServe with a network; its address."""
    with serving("load_litserve.py", model, folder=folder, prefix=prefix) as address:
        yield address


@contextmanager
def mlserver(model: Path, folder: Path, prefix: Sequence[str]) -> Iterator[str]:
    """The address where mlserver takes gRPC; it computes in its own process, which is the quicker way on one core.

    Raises:
        EdgentError: it cannot be installed, or did not come.
    """
    command = python("mlserver", "mlserver", "onnxruntime").with_name("mlserver")
    http, grpc, metrics = (free_port() for _ in range(3))
    at = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics}
    home, log = folder / "mlserver", folder / "mlserver.log"
    home.mkdir()
    _write(home / "settings.json", at | {"parallel_workers": 0, "debug": False})
    implementation = {"implementation": "load_mlserver.Scores", "parameters": {"uri": str(model)}}
    _write(home / "model-settings.json", {"name": model.stem, **implementation})
    (home / "load_mlserver.py").write_text((HERE / "load_mlserver.py").read_text())
    with process([*prefix, command, "start", home], log):
        wait_for("127.0.0.1", grpc, log)
        yield f"127.0.0.1:{grpc}"


def _write(file: Path, settings: dict[str, object]) -> None:
    file.write_text(json.dumps(settings))
