"""What a device keeps of an edge: for its owner's eyes, whole, and refused in one line where it is damaged."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edgent.errors import InputError
from edgent.identity.credentials import EDGE_NAME
from edgent.identity.joined import JOINED, Joined, credentials_for, joined_folder, keep

JOINED_HERE = Joined(name="porch", edge="192.0.2.7:8001", joins_at="192.0.2.7:8002", renew_at=1.0, ends_at=2.0)
OURS = {"authority": b"authority", "certificate": b"certificate", "key": b"key"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def test_what_was_kept_is_found_by_the_edge_s_address() -> None:
    assert credentials_for("192.0.2.7:8001") is None
    keep(joined_folder("192.0.2.7:8001"), JOINED_HERE, **OURS)
    kept = credentials_for("192.0.2.7:8001")
    assert kept is not None
    assert kept.read() == (b"authority", b"certificate", b"key")
    assert kept.peer_name == EDGE_NAME
    assert Joined.read(joined_folder("192.0.2.7:8001")) == JOINED_HERE
    for other in ("192.0.2.7:8003", "192.0.2.8:8001", "[2001:db8::7]:8001"):
        assert credentials_for(other) is None


def test_nobody_else_can_read_it() -> None:
    folder = joined_folder("edge.local:8001")
    keep(folder, JOINED_HERE, **OURS)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert not list(folder.glob(".*"))  # no draft is left


def test_joining_again_replaces_all_of_it() -> None:
    folder = joined_folder("edge.local:8001")
    keep(folder, JOINED_HERE, **OURS)
    keep(folder, JOINED_HERE, authority=b"a", certificate=b"c", key=b"k")
    kept = credentials_for("edge.local:8001")
    assert kept is not None and kept.read() == (b"a", b"c", b"k")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"name": 1}',
        json.dumps({"name": "a", "edge": "b", "joins_at": "c", "renew_at": "d", "ends_at": 1}),
    ],
)
def test_a_damaged_document_says_to_join_again(text: str) -> None:
    folder = joined_folder("edge.local:8001")
    keep(folder, JOINED_HERE, **OURS)
    (folder / JOINED).write_text(text)
    with pytest.raises(InputError, match="join the edge again"):
        Joined.read(folder)


def test_a_missing_part_is_named() -> None:
    folder = joined_folder("edge.local:8001")
    keep(folder, JOINED_HERE, **OURS)
    (folder / "device.key").unlink()
    kept = credentials_for("edge.local:8001")
    assert kept is not None
    with pytest.raises(InputError, match=r"device\.key"):
        kept.client_context()


def test_files_that_are_no_certificates_say_to_join_again() -> None:
    folder = joined_folder("edge.local:8001")
    keep(folder, JOINED_HERE, **OURS)
    kept = credentials_for("edge.local:8001")
    assert kept is not None
    with pytest.raises(InputError, match="join the edge again"):
        kept.client_context()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match="cannot be made"):
        keep(joined_folder("edge.local:8001"), JOINED_HERE, **OURS)


def test_a_device_that_has_joined_needs_no_cryptography_to_connect() -> None:
    program = "import sys; import edgent.identity.joined; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
