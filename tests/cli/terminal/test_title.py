"""What `ps` shows of a command."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from pathlib import Path
from edgent.cli.terminal.title import hide_addresses
hide_addresses()
print(Path("/proc/self/cmdline").read_bytes().split(b"\\0")[3:-1])
print(sys.argv[1:])
"""

SEEN = {
    "mqtt://ann:geheim@host/t": "mqtt://**********@host/*",
    "--sink=https://hooks.example/T0/geheim": "--sink=https://hooks.example/*********",
    "yard=rtsp://ann:g@h/im@10.0.0.9:554/1?pwd=geheim": "yard=rtsp://**********@10.0.0.9:554/************",
    "https://hooks.example?key=geheim": "https://hooks.example?**********",
    "https://hooks.example": "https://hooks.example",
    "tcp://*:5555": "tcp://*:5555",
    "ipc:///run/x": "ipc:///run/x",
    "/T0/geheim": "/T0/geheim",
    "": "",
}


def test_of_addresses_only_the_host_is_seen_and_the_program_still_has_them() -> None:
    seen, kept = subprocess.check_output([sys.executable, "-c", PROGRAM, *SEEN], text=True).splitlines()
    assert seen == str([word.encode() for word in SEEN.values()])
    assert kept == str(list(SEEN))


COMMAND = """
import sys
from pathlib import Path
from edgent.cli import main
try:
    main()
finally:
    print(Path("/proc/self/cmdline").read_bytes())
"""


def test_a_command_hides_those_of_all_its_options_before_it_reads_them() -> None:
    options = ["--source", "rtsp://ann:geheim@host/1", "--sink", "https://hooks.example/geheim", "--none"]
    ended = subprocess.run(
        [sys.executable, "-c", COMMAND, "run", *options], check=False, capture_output=True, text=True
    )
    assert ended.returncode == 2 and "--none" in ended.stderr  # it was not even begun
    assert "hooks.example/******" in ended.stdout and "geheim" not in ended.stdout
