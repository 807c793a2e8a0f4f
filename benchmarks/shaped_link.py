"""The shaped link against the ideal link, and where root allows against the TUN link and the kernel's `tc tbf`.

    python benchmarks/shaped_link.py [--json] [--seconds S]    times of single messages
    python benchmarks/shaped_link.py --messages [--json]       bytes on the wire of a call of ours, beyond its tensors

*Ideal* is (bytes + 66 for each segment) * 8 / rate: what a link does that saves nothing up while it is idle. tbf's
bucket has a burst of one packet, which each message gets for nothing. Medians, messages one after the other, sender
and receiver in processes of their own; the fixed part of a few tenths of a millisecond is the host's: four wake-ups.
"""

from __future__ import annotations

import io
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

import command
from edgent.lab.links.link import ShapedLink
from edgent.lab.links.namespaces import FAR
from edgent.lab.links.shaping import wire_bytes
from edgent.lab.links.stopwatch import listening, pushed
from edgent.lab.links.tbf import TbfLink, obstacle
from edgent.lab.links.tun import TunLink
from edgent.lab.links.tun import obstacle as tun_obstacle
from edgent.units import BitsPerSecond, format_bandwidth, format_bytes, format_duration, serialisation_time

RATES = (50e3, 500e3, 1e6, 10e6, 100e6)
SIZES = (600, 12_288, 100_000, 1_000_000)
BURST = 1600
CALLS = 10
IMAGE_SIDES = (16, 32, 64, 96, 128, 192, 256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Seconds for one message of `bytes` at `rate`; tbf and tun None where they could not be tried."""

    rate_bps: float
    bytes: int
    repeats: int
    ideal: float
    proxy: float
    proxy_worst: float
    tun: float | None
    tbf: float | None


def rows(seconds: float) -> Iterator[Row]:
    """Times every rate and size, about `seconds` for each."""
    with ExitStack() as stack:
        near = stack.enter_context(listening())
        link = stack.enter_context(ShapedLink(near, uplink=BitsPerSecond(1e6)))
        link.set(downlink=BitsPerSecond(1e9))
        kernel = None if obstacle() else stack.enter_context(TbfLink(rate=BitsPerSecond(1e6), burst=BURST))
        far = stack.enter_context(listening(host=FAR, prefix=kernel.far)) if kernel else ""
        tun = None if tun_obstacle() else stack.enter_context(TunLink(uplink=BitsPerSecond(1e6)))
        beyond = stack.enter_context(listening(host=FAR, prefix=tun.far)) if tun else ""
        for rate in map(BitsPerSecond, RATES):
            link.set(uplink=rate)
            if kernel:
                kernel.set(rate)
            if tun:
                tun.set(uplink=rate)
            for size in SIZES:
                ideal = serialisation_time(wire_bytes(size), rate)
                if ideal > 10:
                    continue
                repeats = int(min(100, max(1, seconds / ideal)))
                times = pushed(link.address, size, repeats=repeats)
                packets = pushed(beyond, size, repeats=repeats, prefix=tun.near) if tun else None
                tbf = pushed(far, size, repeats=repeats, prefix=kernel.near) if kernel else None
                yield Row(
                    rate_bps=rate,
                    bytes=size,
                    repeats=repeats,
                    ideal=ideal,
                    proxy=statistics.median(times),
                    proxy_worst=max(times),
                    tun=statistics.median(packets) if packets else None,
                    tbf=statistics.median(tbf) if tbf else None,
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """Wire bytes of one call in one direction, against the bytes of its tensors."""

    tensor_bytes: int
    wire_bytes: float


def messages() -> dict[str, list[Extra]]:
    """Calls of our edge through the link, on a warm connection: pictures of many sizes up, boundaries of many down."""
    from edgent.edge.edge import Edge
    from edgent.engine.loading import load
    from edgent.model import segment_name
    from edgent.wire.edge_client import EdgeClient
    from edgent.wire.grpc_channel import GrpcChannel
    from edgent.wire.tensors import Parcel

    model = load("b-alexnet")
    branch, image = model.branches[-1], model.inputs[0]
    layers = len(branch.layers)
    found: dict[str, list[Extra]] = {"up": [], "down": []}
    with Edge(model, port=0) as edge, ShapedLink(edge.address, uplink=BitsPerSecond(1e9)) as link:
        channel = GrpcChannel(link.address, max_message=8 << 20)
        remote = EdgeClient(channel)

        def called(picture: bytes, cut: int) -> tuple[float, float]:
            wanted = [(tensor.name, None) for tensor in branch.boundary(0, cut).down]
            parcel = Parcel(tensor=image, codec="source", shape=image.shape or (), data=picture)
            name = segment_name(model.name, branch.exit, 0, cut)
            return _per_call(link, lambda: remote.infer(name, model.version, [parcel], wanted, budget=10.0))

        for side in IMAGE_SIDES:
            picture = _noise(side)
            found["up"].append(Extra(tensor_bytes=len(picture), wire_bytes=called(picture, layers)[0]))
        for cut in range(1, layers + 1):
            size = sum(tensor.nbytes or 0 for tensor in branch.boundary(0, cut).down)
            found["down"].append(Extra(tensor_bytes=size, wire_bytes=called(_noise(8), cut)[1]))
        channel.close()
    return found


def _per_call(link: ShapedLink, call: Callable[[], object]) -> tuple[float, float]:
    call()  # sessions, and the headers that HTTP/2 abbreviates from the second time on
    before = link.counts()
    for _ in range(CALLS):
        call()
    after = link.counts()
    up, down = after.up_wire_bytes - before.up_wire_bytes, after.down_wire_bytes - before.down_wire_bytes
    return up / CALLS, down / CALLS


def _noise(side: int) -> bytes:
    from PIL import Image

    pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, format="PNG", compress_level=0)
    return target.getvalue()


def fitted(extras: list[Extra]) -> dict[str, float]:
    """The median of what `TransferModel` calls message bytes, and how far its line is off at the worst."""
    from edgent.link.transfer import HEADER_FACTOR

    tensors: NDArray[np.float64] = np.array([extra.tensor_bytes for extra in extras], dtype=np.float64)
    wire: NDArray[np.float64] = np.array([extra.wire_bytes for extra in extras])
    extra = wire / HEADER_FACTOR - tensors
    line = HEADER_FACTOR * (tensors + np.median(extra))
    return {
        "extra_bytes": float(np.median(extra)),
        "least": float(extra.min()),
        "most": float(extra.max()),
        "worst_error_bytes": float(np.abs(wire - line).max()),
    }


def _print_rows(found: list[Row]) -> None:
    print(f"{'rate':>12} {'message':>8} {'ideal':>9} {'proxy':>9} {'error':>8} {'worst':>9} {'tun':>9} {'tbf':>9}   n")
    for row in found:
        error = f"{(row.proxy / row.ideal - 1) * 100:+.2f} %"
        times = [format_duration(seconds) for seconds in (row.ideal, row.proxy, row.proxy_worst)]
        tun, tbf = ("-" if other is None else format_duration(other) for other in (row.tun, row.tbf))
        what = f"{format_bandwidth(row.rate_bps):>12} {format_bytes(row.bytes):>8}"
        print(f"{what} {times[0]:>9} {times[1]:>9} {error:>8} {times[2]:>9} {tun:>9} {tbf:>9} {row.repeats:3d}")


def main() -> int:
    """Measures and prints."""
    parser = command.options(__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each rate and size")
    parser.add_argument("--messages", action="store_true", help="count the bytes of calls instead")
    options = parser.parse_args()
    document = _count_messages(options.json) if options.messages else _time_rows(options.seconds, options.json)
    if options.json:
        command.write(document)
    return 0


def _time_rows(seconds: float, quiet: bool) -> dict[str, object]:
    measured = list(rows(seconds))
    reason = obstacle()
    if not quiet:
        print(f"tbf: {reason or f'burst of {BURST} bytes'}")
        print(f"tun: {tun_obstacle() or 'TCP from end to end'}")
        _print_rows(measured)
    return {"tbf": reason, "rows": [asdict(row) for row in measured]}


def _count_messages(quiet: bool) -> dict[str, object]:
    counted = messages()
    for way, extras in counted.items():
        if not quiet:
            print(way, {key: round(value) for key, value in fitted(extras).items()})
            for extra in extras:
                print(f"  {extra.tensor_bytes:8d} B of tensors, {extra.wire_bytes:9.1f} B on the wire")
    return {way: {**fitted(extras), "calls": [asdict(extra) for extra in extras]} for way, extras in counted.items()}


if __name__ == "__main__":
    command.run(main)
