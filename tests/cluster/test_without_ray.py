"""Without the extra `ray`."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
sys.modules["ray"] = None  # as if it were not installed
from edgent.__main__ import main
sys.argv = ["edgent", "serve", "b-alexnet", "--port", "0", "--cluster", "local"]
main()
"""


def test_the_command_names_the_extra_in_one_line_before_it_measures_anything(empty_cache):
    ended = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    (line,) = ended.stderr.strip().splitlines()
    assert "pip install 'edgent[ray]'" in line
