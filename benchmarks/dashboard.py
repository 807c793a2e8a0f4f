#!/usr/bin/env python3
"""What the live page costs a device: processor time at 10 frames a second, with nobody who looks and with 20 who do.

A played device (nothing is computed) tells a page its events, and the process's own time is read. Those who look are
another process: each follows the stream and fetches each new picture, as the page does. What the same loop takes
without a page is measured first, and taken off.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

import command
from dashboard_played import Play, PlayedDevice
from edgent.address import Address
from edgent.dashboard.access import access_to
from edgent.dashboard.opened import DevicePage
from edgent.events import Event

RATE = 10.0  # frames a second
VIEWERS = 20
ALLOWED = {0: 0.01, VIEWERS: 0.05}  # shares of a core
_HERE = Address(host="127.0.0.1", port=0)


def main() -> int:
    """Measures; 1: it costs more than it may."""
    parser = command.options(__doc__)
    parser.add_argument("--seconds", type=command.at_least(2), default=20, metavar="S", help="of each run")
    parser.add_argument("--look", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.look:
        asyncio.run(look(options.look, VIEWERS))
        return 0
    document = measured(options.seconds)
    command.show(options, document, lambda: report(document))
    return 0 if document["met"] else 1


def measured(seconds: float) -> dict[str, object]:
    """The figures."""
    play = Play(PlayedDevice())
    events = [play.event(0.0) for _ in range(int(seconds * RATE))]
    alone, _ = told(events, lambda _: None)
    runs = []
    for viewers, allowed in ALLOWED.items():
        device = PlayedDevice()
        with page(device) as opened, looking(opened.url) if viewers else nullcontext():
            if viewers:
                time.sleep(2.0)  # all of them have the page by then
            share, microseconds = told(events, partial(moved_on, device, opened))
        run = {"viewers": viewers, "share_of_core": share - alone, "allowed": allowed}
        p99 = statistics.quantiles(microseconds, n=100)[98]
        runs.append({**run, "tell_p50_us": statistics.median(microseconds), "tell_p99_us": p99})
    met = all(run["share_of_core"] < run["allowed"] for run in runs)
    return {"frames_per_second": RATE, "seconds": seconds, "without_page": alone, "runs": runs, "met": met}


def told(events: list[Event], tell: Callable[[Event], None]) -> tuple[float, list[float]]:
    """Tells events at their rate; the share of a core that the process took, and the microseconds of each."""
    microseconds, began_at, cpu = [], time.monotonic(), time.process_time()
    for number, event in enumerate(events):
        time.sleep(max(0.0, began_at + number / RATE - time.monotonic()))
        before = time.perf_counter()
        tell(event)
        microseconds.append((time.perf_counter() - before) * 1e6)
    return (time.process_time() - cpu) / (time.monotonic() - began_at), microseconds


def moved_on(device: PlayedDevice, opened: DevicePage, event: Event) -> None:
    """Tells a page of an event, on a link that is another one each time: so there is something to believe of it."""
    device.frame += 1
    opened.tell(event)


@contextmanager
def page(device: PlayedDevice) -> Iterator[DevicePage]:
    """The page of a played device."""
    with DevicePage(device, _HERE, access_to(_HERE, None)) as opened:
        yield opened


@contextmanager
def looking(url: str) -> Iterator[None]:
    """Viewers, in a process of their own."""
    with subprocess.Popen([sys.executable, __file__, "--look", url]) as process:
        try:
            yield
        finally:
            process.terminate()


async def look(url: str, count: int) -> None:
    """So many browsers' worth of requests, until the process is ended."""
    host, _, port = url.removeprefix("http://").rstrip("/").rpartition(":")
    await asyncio.gather(*(viewer(host, int(port)) for _ in range(count)))


async def viewer(host: str, port: int) -> None:
    """Follows the stream, and fetches the first source's picture where it is a new one."""
    stream, pictures = await asyncio.open_connection(host, port), await asyncio.open_connection(host, port)
    stream[1].write(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    seen = -1
    while line := await stream[0].readline():
        if line.startswith(b"data: "):
            shown = json.loads(line.removeprefix(b"data: "))["pictures"]
            for source, picture in list(shown.items())[:1]:
                if picture["number"] != seen:
                    seen = picture["number"]
                    await fetched(*pictures, f"/picture?source={source}&number={seen}")


async def fetched(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
    """Reads one answer of a connection that is kept."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))


def report(document: dict[str, object]) -> None:
    """For people."""
    print(f"The live page at {RATE:g} frames a second, {document['seconds']} s each; shares of one core:")
    for run in document["runs"]:
        print(
            f"  {run['viewers']:2d} who look: {run['share_of_core'] * 100:.2f} % (allowed {run['allowed'] * 100:g} %); "
            f"to tell an event {run['tell_p50_us']:.0f} us, p99 {run['tell_p99_us']:.0f} us"
        )


if __name__ == "__main__":
    command.run(main)
