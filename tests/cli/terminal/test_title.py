"""What `ps` shows of a command."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from pathlib import Path
from edgent.cli.terminal.title import hide
hide([sys.argv[2], ""])
print(Path("/proc/self/cmdline").read_bytes().split(b"\\0")[3:-1])
print(sys.argv[1])
"""


def test_a_secret_is_written_over_in_the_line_and_the_program_still_has_it() -> None:
    line = ["mqtt://ann:geheim@host/t", "ann:geheim", "other"]
    seen, kept = subprocess.check_output([sys.executable, "-c", PROGRAM, *line], text=True).splitlines()
    assert seen == str([b"mqtt://**********@host/t", b"**********", b"other"])
    assert kept == line[0]
