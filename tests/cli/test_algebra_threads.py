"""The program computes its own algebra on one thread; who asks for more gets them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = """
import os, sys
from edgent.__main__ import main
early = "numpy" not in sys.modules  # it reads the number once, when it is imported
sys.argv = ["edgent", "--version"]
try:
    main()
except SystemExit:
    pass
print(early, os.environ["OPENBLAS_NUM_THREADS"])
"""


@pytest.mark.parametrize(("asked", "expected"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")])
def test_algebra_has_one_thread_unless_the_user_says_otherwise(asked: dict[str, str], expected: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"} | asked
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout.splitlines()[-1] == f"True {expected}"
