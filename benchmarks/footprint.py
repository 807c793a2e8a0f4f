"""What a device costs before it computes: the time of `import edgent`, and the memory of a device that runs B-AlexNet.

    python benchmarks/footprint.py [--json] [--repeats N]

Each run is a process of its own. *Memory* is what is resident after an inference by the device alone, and after one
shared with an edge process over gRPC; the edge's own memory is not in it.
"""

from __future__ import annotations

import statistics
import sys
from typing import Any

import command
from programs import output

GOALS = {"import_ms": 300.0, "ready_ms": None, "alone_mb": 150.0, "with_edge_mb": 150.0}

IMPORT = """
import time
began = time.perf_counter()
import edgent
print(time.perf_counter() - began)
"""
READY = """
import time
began = time.perf_counter()
import edgent
edgent.Device, edgent.load
print(time.perf_counter() - began)
"""
DEVICE = """
import sys
import numpy as np
from edgent import Configuration, Device, load

model, edge = load("b-alexnet"), sys.argv[1] or None
cuts = (7, 22) if edge else (22, 22)
wanted = Configuration(exit=4, upload_cut=cuts[0], download_cut=cuts[1])
with Device(model, edge=edge, deadline=10.0) as device:
    device.wait_ready()
    record = device.infer(np.zeros((1, 3, 32, 32), dtype=np.float32), configuration=wanted).record
    assert record.by == ("edge" if edge else "device"), record
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    print(int(status["VmRSS"].split()[0]) * 1024 / 1e6)
"""


def _number(code: str, *arguments: str) -> float:
    return float(output(sys.executable, "-c", code, *arguments))


def measured(repeats: int) -> dict[str, float]:
    """Medians of the runs."""
    from edgent import Edge, load

    def median(code: str, *arguments: str) -> float:
        return statistics.median(_number(code, *arguments) for _ in range(repeats))

    with Edge(load("b-alexnet"), port=0) as edge:
        return {
            "import_ms": median(IMPORT) * 1e3,
            "ready_ms": median(READY) * 1e3,
            "alone_mb": median(DEVICE, ""),
            "with_edge_mb": median(DEVICE, edge.address),
        }


def _print(document: dict[str, Any]) -> None:
    words = {
        "import_ms": "import edgent, ms",
        "ready_ms": "and its Device and load, ms",
        "alone_mb": "resident, the device alone, MB",
        "with_edge_mb": "resident, with an edge, MB",
    }
    for name, value in document.items():
        goal = f"goal {GOALS[name]:g}" if GOALS[name] else ""
        print(f"{words[name]:32} {value:8.1f}  {goal}")


def main() -> int:
    """Measures and prints."""
    parser = command.options(__doc__)
    parser.add_argument("--repeats", type=command.at_least(1), default=5, help="processes of each kind")
    options = parser.parse_args()
    document = measured(options.repeats)
    command.show(options, document, lambda: _print(document))
    return 0


if __name__ == "__main__":
    command.run(main)
