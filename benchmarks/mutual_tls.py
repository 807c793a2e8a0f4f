"""What mutual TLS costs a request, and how long a device takes to join.

    python benchmarks/mutual_tls.py [--rounds N] [--json]

Two servers in processes of their own answer an exchange with 40 bytes at once: one in plain text, one over TLS with
certificates on both sides; messages have their checksums either way. A device's channel asks both by turns, in blocks,
with 1, 12 and 100 kB up. The cost is the difference of the medians, and of the lowest tenths: on a shared machine a
median is mostly waiting for a core. Joining is `edgent join` as it is typed, from its start to its end.

Fails (1) where TLS costs more than 0.15 ms in the lowest tenth, or joining takes more than two seconds.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import command
from edgent.identity.certificates import Authority, new_key, request_for
from edgent.identity.credentials import EDGE_NAME, Credentials
from edgent.identity.edge_identity import EdgeIdentity
from edgent.identity.join_server import JoinServer
from edgent.wire import messages as m
from edgent.wire.grpc_channel import GrpcChannel
from edgent.wire.serving.grpc_server import GrpcServer
from edgent.wire.transport import Unary
from programs import output

SIZES = (1_000, 12_288, 100_000)
DOWN = 40
BLOCK = 50  # exchanges with one server, before the other one has its turn
TARGET_MS, JOIN_TARGET = 0.15, 2.0
MAX = 1 << 20
PATIENCE = 20.0


def _serve(pipe: Connection, credentials: Credentials | None) -> None:
    """A process: answers at once."""
    methods = {m.PROBE: Unary(answer=lambda _body, _call: bytes(DOWN))}
    server = GrpcServer(methods, host="127.0.0.1", port=0, max_message=MAX, credentials=credentials)
    server.start()
    pipe.send(server.address)
    pipe.poll(None)
    server.stop()


@contextmanager
def served(credentials: Credentials | None) -> Iterator[str]:
    """The address of a server in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, credentials), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("end")
        process.join()


def both_sides(folder: Path) -> tuple[Credentials, Credentials]:
    """An edge's credentials and a device's, of one authority."""
    now = datetime.now(UTC)
    authority, edge_key, device_key = Authority.create(now), new_key(), new_key()
    files = {
        "authority.pem": authority.certificate,
        "edge.key": edge_key,
        "edge.pem": authority.edge_certificate(edge_key, ["localhost"], now),
        "device.key": device_key,
        "device.pem": authority.device_certificate("device", request_for("device", device_key), now),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    sides = [
        Credentials(
            authority=folder / "authority.pem",
            certificate=folder / f"{side}.pem",
            key=folder / f"{side}.key",
            peer_name=name,
        )
        for side, name in (("edge", ""), ("device", EDGE_NAME))
    ]
    return sides[0], sides[1]


def asked(channel: GrpcChannel, body: bytes) -> list[float]:
    """Milliseconds of each exchange of a block."""
    found = []
    for _ in range(BLOCK):
        began_at = time.perf_counter()
        channel.exchange(m.PROBE, body, PATIENCE)
        found.append((time.perf_counter() - began_at) * 1e3)
    return found


def compared(rounds: int) -> list[dict[str, float]]:
    """Of each size, what both took."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        edge, device = both_sides(Path(folder))
        plain, secured = (stack.enter_context(served(credentials)) for credentials in (None, edge))
        channels = GrpcChannel(plain, max_message=MAX), GrpcChannel(secured, max_message=MAX, credentials=device)
        for channel in channels:
            stack.callback(channel.close)
        times: dict[int, tuple[list[float], list[float]]] = {size: ([], []) for size in SIZES}
        for number in range(rounds + 1):
            for size, kept in times.items():
                for one, found in zip(kept, [asked(channel, bytes(size)) for channel in channels], strict=True):
                    if number:  # the first round connects and widens windows
                        one.extend(found)
        return [_row(size, *kept) for size, kept in times.items()]


def _row(size: int, plain: list[float], secured: list[float]) -> dict[str, float]:
    tenths = [statistics.quantiles(found, n=10)[0] for found in (plain, secured)]
    medians = [statistics.median(found) for found in (plain, secured)]
    return {
        "bytes_up": size,
        "plain_ms": round(medians[0], 3),
        "tls_ms": round(medians[1], 3),
        "cost_ms": round(medians[1] - medians[0], 3),
        "cost_lowest_tenth_ms": round(tenths[1] - tenths[0], 3),
        "exchanges": len(plain),
    }


def joined(times: int) -> list[float]:
    """Seconds that `edgent join` takes, each time as another device."""
    with tempfile.TemporaryDirectory() as folder:
        identity = EdgeIdentity.open(Path(folder) / "edge", datetime.now(UTC))
        token = identity.create_token(uses=times, lifetime=timedelta(hours=1), now=datetime.now(UTC))
        server = JoinServer(identity, serves_at=8001, host="127.0.0.1", port=0, now=lambda: datetime.now(UTC))
        found = []
        with server:
            for number in range(times):
                own = {"XDG_DATA_HOME": f"{folder}/{number}"}
                join = ["join", server.address, "--token", str(token), "--name", f"d{number}"]
                began_at = time.perf_counter()
                output(sys.executable, "-m", "edgent", *join, environment=own)
                found.append(round(time.perf_counter() - began_at, 3))
        return found


def main() -> int:
    """Measures, and prints what was found."""
    options = command.options(__doc__)
    options.add_argument("--rounds", type=int, default=40)
    asked_for = options.parse_args()
    found = {"requests": compared(asked_for.rounds), "join_s": joined(5)}
    command.show(asked_for, found, lambda: print(json.dumps(found, indent=1)))
    costs = max(row["cost_lowest_tenth_ms"] for row in found["requests"])
    return int(costs > TARGET_MS or statistics.median(found["join_s"]) > JOIN_TARGET)


if __name__ == "__main__":
    command.run(main)
