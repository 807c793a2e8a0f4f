#!/usr/bin/env python3
"""The device that `aarch64.py` runs under qemu: answers each picture by each configuration, and says who did.

    python aarch64_device.py MODEL EDGE PICTURES.npy ANSWERS.npz CUTS

`CUTS` is JSON: pairs of upload and download cut of the last branch. Without an edge (an empty text) it is alone.
"""

from __future__ import annotations

import json
import platform
import sys
import time

import numpy as np

from edgent.device.device import Device
from edgent.engine.loading import load
from edgent.planning.plan import Configuration

_PATIENCE = 600.0  # seconds: qemu takes some two hundred times as long as a board


def main(name: str, edge: str, pictures: str, answers: str, cuts: str) -> None:
    """Answers, keeps the answers, and prints one JSON document."""
    began_at, model = time.monotonic(), load(name)
    branch, inputs = model.branches[-1], np.load(pictures)
    (output,) = branch.outputs
    rows, arrays = [], {}
    with Device(model, edge or None, deadline=_PATIENCE) as device:
        device.wait_ready(_PATIENCE)
        for upload, download in json.loads(cuts):
            configuration = Configuration(exit=branch.exit, upload_cut=upload, download_cut=download)
            given = [device.infer(image, configuration=configuration, race=False) for image in inputs]
            arrays[f"{upload}-{download}"] = np.stack([answer.outputs[output.name] for answer in given])
            by = sorted({answer.record.by for answer in given})
            why = " ".join({answer.record.why for answer in given})
            rows.append({"upload": upload, "download": download, "by": by, "why": why})
    np.savez(answers, **arrays)
    document = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "rows": rows,
        "modules": sorted({module.partition(".")[0] for module in sys.modules}),
        "seconds": time.monotonic() - began_at,
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main(*sys.argv[1:])
