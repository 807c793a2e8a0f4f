"""ONNX Runtime writes an identifier of the machine into the user's cache when it is imported, unless told not to."""

from __future__ import annotations

import os
import subprocess
import sys


def test_the_engine_leaves_nothing_in_the_user_s_home(tmp_path):
    own = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    own |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": "", "XDG_DATA_HOME": ""}
    subprocess.run([sys.executable, "-c", "import edgent.engine.onnxruntime"], env=own, check=True, timeout=60.0)
    assert not list(tmp_path.iterdir())
