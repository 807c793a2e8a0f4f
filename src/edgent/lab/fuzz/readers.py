"""Which modules make something of bytes or text from outside: found by looking, so that none is forgotten.

A reader begins with one of a few calls (`READS`). Each module that has one is either covered by targets of the fuzzing,
or stands in `NOT_FUZZED` with the reason; a test holds the two together.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import edgent

READS = frozenset(
    {
        "FromString",
        "MergeFromString",
        "ParseFromString",
        "b64decode",
        "decompress",
        "frombuffer",
        "fromfile",
        "from_bytes",
        "json.loads",
        "load_pem_private_key",
        "load_pem_x509_certificate",
        "load_pem_x509_csr",
        "literal_eval",
        "np.load",
        "onnx.load",
        "csv.reader",
        "parse",
        "document.parse",
        "pickle.loads",
        "Image.open",
        "read_arrays",
        "read_bytes",
        "read_regular",
        "read_lines",
        "read_text",
        "recv",
        "recv_into",
        "tarfile.open",
        "tomllib.loads",
        "torch.load",
        "unpack",
        "unpack_from",
    }
)
"""Calls with which bytes or text become something else, or come in: by name, by method, or by module and function."""

_FUNCTIONS = frozenset({"parse"})
"""Of them those that count as functions alone: an address has a method of that name."""

_OURS = "it reads what this program has written, in the same process or for its own child"
_MACHINE = "it reads what the kernel says of this machine"
_SHIPPED = "it reads what is shipped with the program"
_UNFINISHED = "it reads its own unfinished work"
_INSIDE = "it is given a model that has been read and checked"

NOT_FUZZED: Mapping[str, str] = {
    "cli.answers.answering": _OURS,
    "cli.arguments.sinks": "lines of a file, each of which is read as a sink: a target of its own",
    "cli.arguments.settings_file": "TOML, whose reader has a target; what it holds is compared with the options",
    "cli.map": _OURS,
    "cli.measuring.gate": _OURS,
    "cli.profile": _OURS,
    "cli.streaming.keeping": _OURS,
    "cli.terminal.title": _MACHINE,
    "cluster.model_copy": "it compares files with what they should hold",
    "dashboard.application": _SHIPPED,
    "dashboard.predict": _OURS,
    "demo.paper.run": _SHIPPED,
    "doctor.machine": _MACHINE,
    "edge.limits.memory": _MACHINE,
    "edge.limits.peer_limits": "it looks at messages that edge.service reads as well",
    "engine.guarded_loading": _OURS,
    "engine.input_files": "its readers, of pictures and of arrays, are targets of their own",
    "engine.onnxruntime": _OURS,
    "engine.trial": _OURS,
    "events": _OURS,
    "evaluation.data.cifar10": "the archive's digest is checked before it is opened",
    "evaluation.data.parts": "a digest is of one length, whatever the file holds",
    "identity.secured_socket": "bytes of TLS, whose reader is OpenSSL",
    "latency.compare": "the kind of a file by its beginning; who reads it is a target of its own",
    "model.bodies": _INSIDE,
    "model.configuration.sources": "the sources that it puts together are targets of their own",
    "model.files.identity": _INSIDE,
    "model.files.weights": _OURS,
    "model.kernels": _OURS,
    "model.optimised": _OURS,
    "model.tasks.post": "its graph is read and checked as that of a model's file",
    "profiling.codec_timing": _SHIPPED,
    "profiling.predicted_profile": "profiles and latency models are targets of their own",
    "sinks.broker": _OURS,
    "sinks.lines": _OURS,
    "sinks.local_files": _OURS,
    "sources.source": "a picture's bytes, unread; who decodes them is a target of its own",
    "tracing.edge_traces": "a message that the edge has read already, by a reader that is a target of its own",
    "training.checkpoints": "it reads its own unfinished work, by PyTorch's reader of weights alone",
    "training.exits.fitting": "it reads its own unfinished work, by PyTorch's reader of weights alone",
    "training.exits.twigs": _UNFINISHED,
    "training.finetuning.network": "it reads a package's weights, by PyTorch's reader of weights alone",
    "training.quantize.integers": _UNFINISHED,
    "training.quantize.quantize": _UNFINISHED,
    "training.row_files": _UNFINISHED,
    "training.work_folder": _UNFINISHED,
    "wire.exchange.connection": "bytes of a socket, which http2's frames are made of",
    "wire.grpc_channel": "sixty-four bytes, of which four are compared",
    "wire.tcp_info": _MACHINE,
}
"""Why there is no target of its own for a module that reads; the laboratory reads only its own."""

_LABORATORY = ("lab",)


def reading_modules(root: Path | None = None) -> Iterator[str]:
    """Modules with a call of `READS`, without the laboratory: names after `edgent.`.

    Args:
        root: the library's folder; None: that of the one which runs.
    """
    folder = root or Path(edgent.__file__).parent
    for file in sorted(folder.rglob("*.py")):
        name = ".".join(file.relative_to(folder).with_suffix("").parts)
        if name.split(".")[0] not in _LABORATORY and any(_reads(file.read_text(encoding="utf-8"))):
            yield name


def _reads(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and (found := {*_names(node.func)} & READS):
            yield from found


def _names(called: ast.expr) -> Iterator[str]:
    if isinstance(called, ast.Name):
        yield called.id
    if isinstance(called, ast.Attribute):
        if called.attr not in _FUNCTIONS:
            yield called.attr
        if isinstance(called.value, ast.Name):
            yield f"{called.value.id}.{called.attr}"
