"""Others' auditors on an edge: testssl.sh, malformed HTTP/2 by h2, and load by stock clients of Triton's.

    python benchmarks/auditors.py [--stock PYTHON] [--seconds S] [--mutated N] [--json]

`make auditors` makes what it needs: an environment with `h2` and `tritonclient` (`--stock`), and Debian's package
`testssl.sh`. The edge is a process: with TLS for testssl.sh, which is given the file of the authority and looks at the
port for inferences and at that for joining; without it for the others.

Fails (1) where testssl.sh finds something above LOW (revocation apart: an edge's authority has no list of its own to
publish), where the edge does not answer a well-behaved client after an attack, where a stock client's answer differs
from ONNX Runtime's on the undivided file, or where the edge has written a traceback or grown by more than 100 MB.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import command
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Original
from edgent.errors import InputError
from programs import running

MODEL = "b-alexnet"
BESIDE = Path(__file__).parent
PROCESSES, SAMPLES = 4, 16
MOST_GROWN = 100e6  # bytes
# Nothing that a private authority could have: it publishes no lists, and nobody but its own devices trusts it.
APART = re.compile(r"cert_(crl|ocsp|revocation|chain_of_trust_browser)|OCSP|CRL|DNS_CAA|certificate_transparency")
FINE = ("OK", "INFO", "LOW", "DEBUG", "WARN")  # a WARN is what could not be tried, as without a certificate
WITHIN = 900.0  # seconds: testssl.sh tries hundreds of handshakes


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeProcess:
    """A process that serves: where, and where devices join."""

    process: subprocess.Popen[str]
    address: str
    joining: str

    @property
    def taken(self) -> int:
        """Bytes of memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("RssAnon:")[2].split()[0]) * 1024


@contextmanager
def serving(*arguments: str) -> Iterator[EdgeProcess]:
    """An edge of this tree."""
    serve = [sys.executable, "-m", "edgent", "serve", MODEL, "--port", "0", "--json", *arguments]
    with (
        tempfile.TemporaryFile("w+") as log,
        running(serve, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        said = ""
        assert process.stdout is not None
        while not said.endswith("\n}\n") and (line := process.stdout.readline()):
            said += line
        document = json.loads(said)
        try:
            yield EdgeProcess(process=process, address=document["address"], joining=document["joining"] or "")
        finally:
            process.terminate()
            process.communicate()
            log.seek(0)
            if "Traceback" in (words := log.read()):
                raise InputError(f"the edge wrote a traceback: {words[-500:]}")


def testssl(authority: Path, address: str) -> dict[str, Any]:
    """What testssl.sh finds at a port, as far as it is above LOW."""
    program = shutil.which("testssl") or shutil.which("testssl.sh")
    if program is None:
        raise InputError("found no testssl.sh; install Debian's package of that name")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "found.json"
        port = address.rpartition(":")[2]
        options = ["--add-ca", str(authority), "--quiet", "--color", "0", "--warnings", "off", "--jsonfile", str(file)]
        subprocess.run([program, *options, f"127.0.0.1:{port}"], capture_output=True, timeout=WITHIN, check=False)
        entries = json.loads(file.read_text())
    known = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    above = [entry for entry in entries if entry["severity"] not in FINE]
    return {
        "version": (re.search(r"testssl\S*\s+([\d.]+\S*)", known) or [""] * 2)[1],
        "checks": len(entries),
        "apart": [_told(entry) for entry in above if APART.search(entry["id"])],
        "above_low": [_told(entry) for entry in above if not APART.search(entry["id"])],
    }


def _told(entry: dict[str, str]) -> str:
    return f"{entry['severity']} {entry['id']}: {entry['finding']}"


def malformed(stock: str, edge: EdgeProcess, mutated: int) -> dict[str, Any]:
    """What h2's malformed frames do to an edge."""
    before = edge.taken
    ran = [stock, str(BESIDE / "auditors_h2.py"), edge.address, "0", str(mutated)]
    found = json.loads(subprocess.run(ran, capture_output=True, text=True, timeout=WITHIN, check=True).stdout)
    return found | {"grown_bytes": edge.taken - before}


def stock_clients(stock: str, edge: EdgeProcess, seconds: float) -> dict[str, Any]:
    """What processes of Triton's client are answered."""
    model, rng = load(MODEL), np.random.default_rng(0)
    name = model.branches[-1].outputs[0].name
    inputs = rng.normal(size=(SAMPLES, *(model.inputs[0].shape or ()))).astype("float32")
    whole = Original(model.path)
    outputs = np.stack([whole.run({model.inputs[0].name: one})[name] for one in inputs])
    before = edge.taken
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        np.savez(tensors := Path(folder) / "tensors.npz", inputs=inputs, outputs=outputs)
        order = {"address": edge.address, "model": MODEL, "input": model.inputs[0].name, "output": name}
        order |= {"tensors": str(tensors), "seconds": seconds}
        ran = [stock, str(BESIDE / "auditors_triton.py"), json.dumps(order)]
        clients = [stack.enter_context(running(ran, stdout=subprocess.PIPE, text=True)) for _ in range(PROCESSES)]
        found = [json.loads(client.communicate(timeout=WITHIN)[0]) for client in clients]
    total = {key: sum(one[key] for one in found) for key in ("answered", "refused", "wrong")}
    grown = edge.taken - before
    return {"client": found[0]["client"], "processes": PROCESSES, "seconds": seconds, **total, "grown_bytes": grown}


def audited(stock: str, seconds: float, mutated: int) -> dict[str, Any]:
    """All of it."""
    with tempfile.TemporaryDirectory() as folder:
        identity = Path(folder) / "id"
        with serving("--identity", str(identity), "--join-port", "0", "--host", "0.0.0.0") as edge:
            ports = {"inferences": edge.address, "joining": edge.joining}
            tls = {name: testssl(identity / "authority.pem", address) for name, address in ports.items()}
    with serving() as edge:
        return {
            "testssl": tls,
            "h2": malformed(stock, edge, mutated),
            "tritonclient": stock_clients(stock, edge, seconds),
        }


def main() -> int:
    """Audits, and prints what was found."""
    options = command.options(__doc__)
    options.add_argument("--stock", default=sys.executable, help="a Python with h2 and tritonclient")
    options.add_argument("--seconds", type=float, default=10.0, help="of load by each stock client")
    options.add_argument("--mutated", type=int, default=2_000, help="connections with a mutated conversation")
    asked = options.parse_args()
    found = audited(asked.stock, asked.seconds, asked.mutated)
    command.show(asked, found, lambda: print(json.dumps(found, indent=1)))
    bad = [finding for port in found["testssl"].values() for finding in port["above_low"]]
    bad += found["h2"]["no_answer_after"]
    grown = max(found[part]["grown_bytes"] for part in ("h2", "tritonclient"))
    return int(bool(bad) or found["tritonclient"]["wrong"] > 0 or grown > MOST_GROWN)


if __name__ == "__main__":
    command.run(main)
