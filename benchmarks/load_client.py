"""A raw client of the Open Inference Protocol that keeps its own time: run by `load.py`, in a process of its own.

    python load_client.py '{"address": "HOST:PORT", "model": "NAME", "input": "NAME", "shape": [1, 3, 40, 40],
                            "rate": 100, "seconds": 5, "deadline": 0.1, "seed": 0}'
    python load_client.py '{..., "rate": null, "callers": 8}'
    python load_client.py '{..., "rate": null, "callers": 8, "http": "/predict"}'
    python load_client.py '{..., "waves": 10, "callers": 20, "after": 0.005}'

In open loop requests leave when they are due (Poisson arrivals), whatever became of those before, and a request's time
counts from that moment: an edge that holds its callers up must not look faster for it. Without a rate so many callers
ask one request after another, which shows the throughput at saturation; with a path they do so over HTTP, with the
tensor as a form's field. In waves so many ask at once, and give up after some seconds, all of them. Prints one JSON
document.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import numpy as np

from edgent.wire.messages import MODEL_INFER, ModelInferRequest

_BOUNDARY = "edgent-tensor"
_BETWEEN = 0.3  # seconds in which an edge comes to rest
_ENDED = 2.0  # seconds that the last requests get beyond their deadline


@dataclass(slots=True)
class Outcome:
    """What became of the requests."""

    sent: int = 0
    in_time: int = 0
    answered: int = 0
    seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    refused_ms: list[float] = field(default_factory=list)


class Client:
    """One connection to an edge, and requests that are all alike."""

    def __init__(self, order: dict[str, Any], channel: Any) -> None:
        self._order, self.outcome = order, Outcome()
        self._ask = channel.unary_unary(MODEL_INFER)
        self._message = message(order["model"], order["input"], order["shape"])

    async def ask(self, due: float) -> None:
        """One request; its time counts from when it was due."""
        outcome, deadline = self.outcome, self._order["deadline"]
        outcome.sent += 1
        left = None if deadline is None else max(0.001, due + deadline - time.perf_counter())
        try:
            await self._ask(self._message, timeout=left)
        except grpc.aio.AioRpcError as error:
            outcome.statuses[error.code().name] += 1
            outcome.refused_ms.append((time.perf_counter() - due) * 1e3)
            return
        outcome.answered += 1
        outcome.in_time += deadline is None or time.perf_counter() - due <= deadline

    async def open_loop(self) -> None:
        """Requests at a rate, Poisson arrivals."""
        draws, tasks = random.Random(self._order["seed"]), set()
        began = due = time.perf_counter()
        while (due := due + draws.expovariate(self._order["rate"])) < began + self._order["seconds"]:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.add(asyncio.create_task(self.ask(due)))
        await asyncio.wait(tasks, timeout=_ENDED)
        self.outcome.seconds = self._order["seconds"]

    async def closed_loop(self) -> None:
        """So many callers, each with one request after another."""
        began = time.perf_counter()

        async def caller() -> None:
            while (now := time.perf_counter()) < began + self._order["seconds"]:
                await self.ask(now)

        await asyncio.gather(*(caller() for _ in range(self._order["callers"])))
        self.outcome.seconds = time.perf_counter() - began

    async def waves(self) -> None:
        """So many at once, who all give up before most of them can be answered; again and again."""
        for _ in range(self._order["waves"]):
            asking = [self._ask(self._message) for _ in range(self._order["callers"])]
            await asyncio.sleep(self._order["after"])
            for call in asking:
                call.cancel()
            self.outcome.sent += len(asking)
            await asyncio.sleep(_BETWEEN)


def message(model: str, name: str, shape: list[int]) -> bytes:
    """A ModelInferRequest with one tensor of float32."""
    request = ModelInferRequest(model_name=model)
    request.inputs.add(name=name, datatype="FP32", shape=shape)
    request.raw_input_contents.append(tensor(shape))
    return bytes(request.SerializeToString())


def tensor(shape: list[int]) -> bytes:
    """What is asked about."""
    return np.full(shape, 0.5, np.float32).tobytes()


class HttpClient:
    """Callers over HTTP, each with a connection that is kept."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._order, self.outcome = order, Outcome()
        host, _, port = order["address"].rpartition(":")
        self._at = host, int(port)
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="tensor"; filename="t"\r\n\r\n'.encode()
        body = head + tensor(order["shape"]) + f"\r\n--{_BOUNDARY}--\r\n".encode()
        kind = f"multipart/form-data; boundary={_BOUNDARY}"
        lines = (
            f"POST {order['http']} HTTP/1.1",
            f"Host: {host}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
        )
        self._message = "\r\n".join((*lines, "", "")).encode() + body

    async def closed_loop(self) -> None:
        """As `Client.closed_loop`."""
        began = time.perf_counter()
        until = began + self._order["seconds"]
        await asyncio.gather(*(self._caller(until) for _ in range(self._order["callers"])))
        self.outcome.seconds = time.perf_counter() - began

    async def _caller(self, until: float) -> None:
        reader, writer = await asyncio.open_connection(*self._at)
        while time.perf_counter() < until:
            writer.write(self._message)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
            self.outcome.sent += 1
            self.outcome.answered += " 200 " in head.splitlines()[0]
        writer.close()


async def run(order: dict[str, Any]) -> Outcome:
    """Does what an order says."""
    if "http" in order:
        over_http = HttpClient(order)
        await over_http.closed_loop()
        return over_http.outcome
    async with grpc.aio.insecure_channel(order["address"]) as channel:
        client = Client(order, channel)
        if "waves" in order:
            await client.waves()
        else:
            await (client.closed_loop() if order["rate"] is None else client.open_loop())
    return client.outcome


def main() -> None:
    """Runs one order."""
    outcome = asyncio.run(run(json.loads(sys.argv[1])))
    refused = sorted(outcome.refused_ms)
    print(
        json.dumps(
            {
                "sent": outcome.sent,
                "answered": outcome.answered,
                "in_time": outcome.in_time,
                "seconds": outcome.seconds,
                "statuses": dict(outcome.statuses),
                "refused_after_ms": refused[len(refused) // 2] if refused else None,
            }
        )
    )


if __name__ == "__main__":
    main()
