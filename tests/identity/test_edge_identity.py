"""An edge's own folder of keys: made once, kept, and closed to others."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edgent.errors import InputError
from edgent.identity.certificates import bearer_of, check_pair
from edgent.identity.edge_identity import EdgeIdentity

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def opened(tmp_path: Path) -> EdgeIdentity:
    return EdgeIdentity.open(tmp_path / "edge", NOW, names=lambda: ["edge.local"])


def test_an_authority_is_made_once_and_kept(tmp_path: Path) -> None:
    first = opened(tmp_path).authority
    assert EdgeIdentity.open(tmp_path / "edge", NOW + DAY).authority == first


def test_edges_that_are_started_at_once_make_one_authority(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: opened(tmp_path).authority, range(8)))
    assert len({authority.fingerprint for authority in made}) == 1


def test_everything_in_it_is_its_owner_s_alone(tmp_path: Path) -> None:
    identity = opened(tmp_path)
    identity.credentials(NOW)
    assert stat.S_IMODE(identity.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in identity.folder.iterdir()} == {0o600}


def test_its_certificate_is_made_anew_before_it_ends_and_not_sooner(tmp_path: Path) -> None:
    identity = opened(tmp_path)
    _, first, key = identity.credentials(NOW).read()
    check_pair(first, key)
    assert identity.credentials(NOW + 100 * DAY).read()[1] == first
    _, later, later_key = identity.credentials(NOW + 300 * DAY).read()
    check_pair(later, later_key)
    assert bearer_of(later).ends_at > bearer_of(first).ends_at


def test_edges_that_share_a_folder_leave_a_certificate_and_a_key_that_belong_together(tmp_path: Path) -> None:
    """Whoever of them wrote last: each reads both files, which cannot be replaced at once."""
    identities = [opened(tmp_path) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        shown = list(pool.map(lambda identity: identity.credentials(NOW).read(), identities))
    for _, certificate, key in [*shown, identities[0].credentials(NOW).read()]:
        check_pair(certificate, key)


@pytest.mark.parametrize("damaged", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_key_that_is_no_good_any_more_is_made_anew(tmp_path: Path, damaged: bytes) -> None:
    identity = opened(tmp_path)
    shown = identity.credentials(NOW)
    shown.key.write_bytes(damaged)
    _, certificate, key = opened(tmp_path).credentials(NOW).read()
    check_pair(certificate, key)


def test_what_it_shows_is_signed_by_its_authority(tmp_path: Path) -> None:
    identity = opened(tmp_path)
    authority, certificate, _ = identity.credentials(NOW).read()
    assert authority == identity.authority.certificate
    assert certificate.endswith(authority)  # the chain


@pytest.mark.parametrize("name", ["authority.pem", "authority.key"])
@pytest.mark.parametrize("content", [b"", b"nothing"])
def test_a_damaged_folder_is_told_in_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    identity = opened(tmp_path)
    (identity.folder / name).write_bytes(content)
    with pytest.raises(InputError) as refused:
        opened(tmp_path).credentials(NOW)
    assert "\n" not in str(refused.value)


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        EdgeIdentity.open(tmp_path / "file", NOW)


def test_a_token_is_of_this_edge(tmp_path: Path) -> None:
    identity = opened(tmp_path)
    token = identity.create_token(uses=1, lifetime=DAY, now=NOW)
    assert token.fingerprint == identity.authority.fingerprint
