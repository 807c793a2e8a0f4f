"""What a device keeps of an edge: for its owner's eyes, whole, and refused in one line where it is damaged."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edgent.errors import InputError
from edgent.identity.certificates import Authority, new_key, request_for
from edgent.identity.credentials import EDGE_NAME
from edgent.identity.joined import JOINED, Joined, credentials_for, joined_folder, keep, keep_own

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


def own(folder: Path, **instead: bytes) -> Path:
    """Certificates as somebody else's authority makes them."""
    now, key = datetime(2026, 11, 30, tzinfo=UTC), new_key()
    authority = Authority.create(now)
    files = {
        "authority.pem": authority.certificate,
        "device.pem": authority.device_certificate("porch", request_for("porch", key), now),
        "device.key": key,
    }
    folder.mkdir()
    for name, content in {**files, **{name.replace("_", "."): content for name, content in instead.items()}}.items():
        (folder / name).write_bytes(content)
    return folder


def test_certificates_of_one_s_own_are_shown_to_the_edge_that_they_were_named_for(tmp_path: Path) -> None:
    given = own(tmp_path / "own")
    keep_own("edge.local:8001", given)
    kept = credentials_for("edge.local:8001")
    assert kept is not None and kept.peer_name == ""  # the edge's certificate must have its address
    assert kept.read() == tuple((given / name).read_bytes() for name in ("authority.pem", "device.pem", "device.key"))
    assert credentials_for("edge.local:8002") is None
    assert {stat.S_IMODE(path.stat().st_mode) for path in joined_folder("edge.local:8001").iterdir()} == {0o600}


def test_of_joining_and_certificates_of_one_s_own_the_later_counts(tmp_path: Path) -> None:
    folder = joined_folder("edge.local:8001")
    for peer_name in (EDGE_NAME, "", EDGE_NAME):
        if peer_name:
            keep(folder, JOINED_HERE, **OURS)
        else:
            keep_own("edge.local:8001", own(tmp_path / "own"))
        kept = credentials_for("edge.local:8001")
        assert kept is not None and kept.peer_name == peer_name


@pytest.mark.parametrize(
    ("instead", "words"),
    [
        ({"device_key": new_key()}, "do not belong together"),
        ({"device_pem": b"none"}, "found no certificate"),
        ({"authority_pem": b""}, "found no certificate"),
        ({"device_key": b"none"}, "found no private key"),
    ],
)
def test_certificates_that_are_no_good_are_refused_before_any_is_kept(tmp_path: Path, instead, words: str) -> None:
    with pytest.raises(InputError, match=words):
        keep_own("edge.local:8001", own(tmp_path / "own", **instead))
    assert credentials_for("edge.local:8001") is None


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    (own(tmp_path / "own") / "device.key").unlink()
    with pytest.raises(InputError, match=r"device\.key"):
        keep_own("edge.local:8001", tmp_path / "own")
