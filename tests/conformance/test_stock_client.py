"""Triton's own client, where `make conformance` has installed one (EDGENT_STOCK_PYTHON names its Python)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import edgent
from edgent.engine.onnxruntime import Engine

SCRIPT = Path(__file__).parents[1] / "conformance" / "stock_client.py"


@pytest.mark.skipif("EDGENT_STOCK_PYTHON" not in os.environ, reason="no stock client: run `make conformance`")
def test_the_stock_client_gets_its_answers(model, picture, edge, tmp_path):
    names = [tensor.name for branch in model.branches for tensor in branch.outputs]
    answers = Engine().session(model, ["image"], names).run({"image": picture})
    np.savez(tmp_path / "expected.npz", image=picture, **answers)
    assert edgent.__file__
    done = subprocess.run(
        [
            os.environ["EDGENT_STOCK_PYTHON"],
            SCRIPT,
            edge.address,
            tmp_path / "expected.npz",
            Path(edgent.__file__).parents[1],
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "is content" in done.stdout
