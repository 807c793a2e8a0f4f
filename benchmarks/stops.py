"""An edge is stopped again and again under load, and while it starts: no request is lost, no signal is ignored.

    python benchmarks/stops.py [--stops N] [--starts N] [--json]

The edge is a process. Beside it three devices answer a request after the other within 300 ms, and four callers without
a device behind them ask for the whole model: what is in hand at a stop is theirs to lose. Half of the stops are by
SIGINT, half by SIGTERM, each at a moment by chance; then the edge is started anew on the same port.

Counted are requests of devices that raised or were late, and calls that were begun before the signal and came to
nothing. (Who is told that the edge is stopping has lost nothing: it can go elsewhere.) Of the stops while the edge
starts, from the first line of ours on: processes that went on, and tracebacks; both by `python -m edgent` and by the
script `edgent`.

Fails (1) where any of these is not 0.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

import command
from edgent.codec import encode_image
from edgent.device.device import Device
from edgent.device.settings import DeviceSettings
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgentError
from edgent.planning.plan import Configuration
from edgent.profiling.model_profiler import profile
from edgent.wire import messages as m
from edgent.wire.grpc_channel import GrpcChannel
from edgent.wire.message_limit import message_limit
from edgent.wire.tensors import Parcel, write_request
from programs import running

MODEL = "b-alexnet"
DEADLINE = 0.3
EDGE_ONLY = Configuration(exit=4, upload_cut=0, download_cut=22, codec="source")
DEVICES, CALLERS = 3, 4
WITHIN = 60.0  # seconds: only ever waited for when something is broken
SIGNALS = (signal.SIGINT, signal.SIGTERM)
_BUDGET = 2.0  # seconds of profiling


class Edge:
    """The process, started anew on one port."""

    def __init__(self, port: int) -> None:
        self._serve = [sys.executable, "-m", "edgent", "serve", MODEL, "--port", str(port), "--json"]
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Returns when it serves."""
        self.process = subprocess.Popen(self._serve, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        while (line := self.process.stdout.readline()) and line != "}\n":
            pass

    def stop(self, number: int) -> tuple[int, str]:
        """Sends it a signal; its exit code, and what it said."""
        assert self.process is not None
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=WITHIN)
        return self.process.returncode, said


class Load:
    """Those who ask all the while, and what came of it."""

    def __init__(self, address: str) -> None:
        self.counts: Counter[str] = Counter()
        self.stopping_at = float("inf")
        self._ends, self._guard = threading.Event(), threading.Lock()
        model = load(MODEL)
        rng, engine = np.random.default_rng(0), OnnxRuntimeEngine()
        self._image = encode_image("png", rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
        settings = DeviceSettings(
            deadline=DEADLINE, device_profile=profile(model, engine, budget=_BUDGET), engine=engine
        )
        self.devices = [Device(model, address, settings) for _ in range(DEVICES)]
        tensor = model.inputs[0]
        data = np.zeros(tensor.shape or (), "float32").tobytes()
        self._message = write_request(
            model.name, "", [Parcel(tensor=tensor, codec=None, shape=tensor.shape or (), data=data)], []
        )
        self._channels = [GrpcChannel(address, max_message=message_limit([model])) for _ in range(CALLERS)]
        self._threads = [threading.Thread(target=self._infer, args=(device,)) for device in self.devices]
        self._threads += [threading.Thread(target=self._call, args=(channel,)) for channel in self._channels]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Ends them."""
        self._ends.set()
        for thread in self._threads:
            thread.join()
        for closed in (*self.devices, *self._channels):
            closed.close()

    def _count(self, what: str) -> None:
        with self._guard:
            self.counts[what] += 1

    def _infer(self, device: Device) -> None:
        while not self._ends.wait(0.01):
            try:
                record = device.infer(self._image, configuration=EDGE_ONLY).record
                self._count(f"by {record.by}" if record.deadline_met else "late")
            except EdgentError as error:
                self._count("raised")
                print(f"a device raised: {error}", file=sys.stderr)

    def _call(self, channel: GrpcChannel) -> None:
        while not self._ends.is_set():
            began_at = time.monotonic()
            try:
                channel.exchange(m.MODEL_INFER, self._message, 2.0)
                self._count("answered")
            except EdgentError as error:
                is_turned_away = "stopping" in str(error) or "cannot be reached" in str(error)
                if began_at < self.stopping_at < time.monotonic() and not is_turned_away:
                    self._count("lost")
                    print(f"a call was lost: {error}", file=sys.stderr)
                else:
                    self._count("refused")
                self._ends.wait(0.02)


def stopped_under_load(stops: int, random: Random) -> dict[str, Any]:
    """So many stops; what was counted."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    edge, seconds, codes = Edge(port), [], Counter[int]()
    edge.start()
    try:
        load = Load(f"127.0.0.1:{port}")
    except BaseException:
        edge.stop(signal.SIGTERM)
        raise
    try:
        for number in range(stops):
            waits_until = time.monotonic() + WITHIN
            while not all(device.connected for device in load.devices) and time.monotonic() < waits_until:
                time.sleep(0.02)
            time.sleep(random.uniform(0.1, 0.6))
            began_at = load.stopping_at = time.monotonic()
            code, said = edge.stop(SIGNALS[number % 2])
            load.stopping_at = float("inf")
            seconds.append(time.monotonic() - began_at)
            codes[code] += 1
            load.counts["lines"] += len(said.splitlines())
            edge.start()
    finally:
        load.close()
        with contextlib.suppress(OSError):
            edge.stop(signal.SIGTERM)
    return {"stops": stops, "codes": dict(codes), "longest_s": max(seconds), **{k: load.counts[k] for k in COUNTED}}


COUNTED = ("by edge", "by device", "answered", "refused", "lost", "late", "raised", "lines")


def stopped_while_starting(starts: int, random: Random) -> dict[str, Any]:
    """So many processes that are signalled as they start."""
    script = shutil.which("edgent", path=str(Path(sys.executable).parent))
    commands = [[sys.executable, "-m", "edgent"], *([[script]] if script else [])]
    codes, tracebacks, longest = Counter[int](), 0, 0.0
    for number in range(starts):
        serve = [*commands[number % len(commands)], "serve", MODEL, "--port", "0", "--json"]
        with running(serve, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            began = _has_begun(process.pid)
            time.sleep(random.uniform(0.0, 2.0))
            sent_at = time.monotonic()
            process.send_signal(SIGNALS[number // len(commands) % 2])
            try:
                _, said = process.communicate(timeout=WITHIN)
            except subprocess.TimeoutExpired:
                codes["went on"] += 1  # type: ignore[index]
                continue
        codes[process.returncode] += 1
        tracebacks += began and "Traceback" in said
        longest = max(longest, time.monotonic() - sent_at)
    return {"starts": starts, "codes": {str(code): n for code, n in codes.items()}, "tracebacks": tracebacks,
            "longest_s": longest}  # fmt: skip


def _has_begun(pid: int) -> bool:
    """Waits until a line of ours has run; Python takes an interrupt for an error until then."""
    was_caught, waits_until = False, time.monotonic() + WITHIN
    while time.monotonic() < waits_until:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return False
        is_caught = bool(int(status.partition("SigCgt:")[2].split()[0], 16) >> signal.SIGINT - 1 & 1)
        if was_caught and not is_caught:
            return True
        was_caught = was_caught or is_caught
        time.sleep(0.001)
    return False


def main() -> int:
    """Stops, and prints what was counted."""
    options = command.options(__doc__)
    options.add_argument("--stops", type=int, default=50)
    options.add_argument("--starts", type=int, default=50)
    options.add_argument("--seed", type=int, default=0)
    asked = options.parse_args()
    random = Random(asked.seed)
    found = {
        "under_load": stopped_under_load(asked.stops, random) if asked.stops else {},
        "starting": stopped_while_starting(asked.starts, random) if asked.starts else {},
    }
    command.show(asked, found, lambda: print(json.dumps(found, indent=1)))
    under, starting = found["under_load"], found["starting"]
    wrong = sum(under.get(key, 0) for key in ("lost", "late", "raised", "lines"))
    wrong += starting.get("tracebacks", 0) + starting.get("codes", {}).get("went on", 0)
    return int(wrong > 0)


if __name__ == "__main__":
    command.run(main)
