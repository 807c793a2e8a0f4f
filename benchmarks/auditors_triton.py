"""Load by the stock `tritonclient` of PyPI: run by `auditors.py`, with a Python that has it.

    python auditors_triton.py '{"address": "HOST:PORT", "model": "NAME", "input": "NAME", "output": "NAME",
                                "tensors": FILE.npz, "seconds": 5}'

Asks one request after the other, with inputs from the file, and compares each answer with the one beside it there.
Prints one JSON document.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException


def main() -> None:
    """Asks for so many seconds."""
    order = json.loads(sys.argv[1])
    tensors = np.load(order["tensors"])
    inputs, outputs = tensors["inputs"], tensors["outputs"]
    client = triton.InferenceServerClient(order["address"])
    answered = wrong = refused = 0
    ends_at = time.monotonic() + order["seconds"]
    while time.monotonic() < ends_at:
        number = (answered + refused) % len(inputs)
        given = triton.InferInput(order["input"], list(inputs[number].shape), "FP32")
        given.set_data_from_numpy(inputs[number])
        try:
            answer = client.infer(order["model"], [given]).as_numpy(order["output"])
        except InferenceServerException:
            refused += 1
            continue
        answered += 1
        wrong += not np.allclose(answer, outputs[number], rtol=1e-3, atol=1e-5)
    print(json.dumps({"answered": answered, "refused": refused, "wrong": wrong, "client": version("tritonclient")}))


if __name__ == "__main__":
    main()
