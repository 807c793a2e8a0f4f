"""The edge's list of tokens and devices, also where several write it at once."""

from __future__ import annotations

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edgent.errors import EdgentError, InputError, RefusedError
from edgent.identity.certificates import Bearer
from edgent.identity.register import Register

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SECRET = "0" * 32


@pytest.fixture
def register(tmp_path: Path) -> Register:
    register = Register(tmp_path / "devices.sqlite")
    register.add_token(SECRET, uses=2, lifetime=HOUR, now=NOW)
    return register


def bearer(name: str = "porch", serial: str = "", ends_at: datetime = NOW + 90 * DAY) -> Bearer:
    return Bearer(name=name, serial=serial or f"serial-of-{name}", made_at=NOW - 2 * DAY, ends_at=ends_at)


def names(register: Register) -> list[str]:
    return [member.name for member in register.members()]


def test_who_joins_is_known_by_its_certificate(register: Register) -> None:
    register.join(SECRET, bearer(), NOW)
    [member] = register.members()
    assert (member.name, member.joined_at, member.ends_at) == ("porch", NOW, NOW + 90 * DAY)
    assert (member.requests_per_second, member.may_fetch) == (None, True)
    assert register.serials() == {"serial-of-porch": "porch"}


def test_a_token_lets_so_many_in_and_no_more(register: Register) -> None:
    register.join(SECRET, bearer("a"), NOW)
    register.join(SECRET, bearer("b"), NOW)
    with pytest.raises(RefusedError, match="used up"):
        register.join(SECRET, bearer("c"), NOW)
    assert names(register) == ["a", "b"]


def test_a_token_ends(register: Register) -> None:
    register.join(SECRET, bearer("a"), NOW + HOUR - timedelta(seconds=1))
    with pytest.raises(RefusedError, match="has ended"):
        register.join(SECRET, bearer("b"), NOW + HOUR)


def test_a_forged_token_lets_nobody_in(register: Register) -> None:
    with pytest.raises(RefusedError, match="unknown"):
        register.join("1" * 32, bearer(), NOW)
    assert names(register) == []


def test_a_name_that_is_taken_costs_no_use(register: Register) -> None:
    register.join(SECRET, bearer("a"), NOW)
    with pytest.raises(RefusedError, match="--name"):
        register.join(SECRET, bearer("a", "another"), NOW)
    register.join(SECRET, bearer("b"), NOW)
    assert names(register) == ["a", "b"]


def test_of_many_that_come_at_once_a_token_lets_in_as_many_as_it_says(register: Register) -> None:
    def tries(number: int) -> bool:
        try:
            register.join(SECRET, bearer(f"board-{number}"), NOW)
        except RefusedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(tries, range(24))) == 2
    assert len(names(register)) == 2


def test_a_renewed_certificate_is_good_beside_the_one_before(register: Register) -> None:
    register.join(SECRET, bearer(serial="old"), NOW)
    register.renew("old", bearer(serial="new", ends_at=NOW + 150 * DAY), NOW + 60 * DAY)
    assert register.serials() == {"old": "porch", "new": "porch"}
    assert register.members()[0].ends_at == NOW + 150 * DAY
    register.renew("new", bearer(serial="newest", ends_at=NOW + 210 * DAY), NOW + 120 * DAY)
    assert register.serials() == {"new": "porch", "newest": "porch"}  # the old one has ended


def test_who_asks_for_certificates_all_day_has_a_few_and_the_one_that_it_shows(register: Register) -> None:
    register.join(SECRET, bearer(serial="shown"), NOW)
    register.join(SECRET, bearer("other"), NOW)
    for number in range(100):
        register.renew("shown", bearer(serial=f"{number}"), NOW)
    assert set(register.serials()) == {"shown", "serial-of-other", *(f"{number}" for number in range(92, 100))}
    register.renew("95", bearer(serial="next"), NOW)  # whichever of them has arrived
    assert "95" in register.serials() and len(register.serials()) <= 10


def test_a_device_whose_answers_are_lost_again_and_again_keeps_what_it_has(register: Register) -> None:
    register.join(SECRET, bearer(serial="kept"), NOW)
    for number in range(50):
        register.renew("kept", bearer(serial=f"lost {number}"), NOW + number * HOUR)
    assert register.serials()["kept"] == "porch"


def test_a_token_is_known_to_be_good_without_being_spent(register: Register) -> None:
    for _ in range(5):
        register.check_token(SECRET, NOW)
    for secret, now in (("1" * 32, NOW), (SECRET, NOW + HOUR)):
        with pytest.raises(RefusedError, match="unknown here, used up or has ended"):
            register.check_token(secret, now)
    register.join(SECRET, bearer("a"), NOW)
    register.join(SECRET, bearer("b"), NOW)
    with pytest.raises(RefusedError):
        register.check_token(SECRET, NOW)


def test_a_removed_device_is_nobody_and_cannot_renew(register: Register) -> None:
    register.join(SECRET, bearer(), NOW)
    register.remove("porch")
    assert names(register) == []
    assert register.serials() == {}
    with pytest.raises(RefusedError, match="join again"):
        register.renew("serial-of-porch", bearer(serial="new"), NOW)


def test_who_joins_again_after_its_removal_does_not_bring_its_old_certificate_back(register: Register) -> None:
    register.join(SECRET, bearer(serial="old"), NOW)
    register.remove("porch")
    register.join(SECRET, bearer(serial="new"), NOW)
    assert register.serials() == {"new": "porch"}


def test_a_device_renews_for_itself_alone(register: Register) -> None:
    register.join(SECRET, bearer("a"), NOW)
    register.join(SECRET, bearer("b"), NOW)
    with pytest.raises(RefusedError):
        register.renew("serial-of-a", bearer("b", "stolen"), NOW)
    assert "stolen" not in register.serials()


def test_limits_are_kept(register: Register) -> None:
    register.join(SECRET, bearer(), NOW)
    register.limit("porch", requests_per_second=25.0, may_fetch=False)
    [member] = Register(register.path).members()
    assert (member.requests_per_second, member.may_fetch) == (25.0, False)


def test_a_name_that_nobody_has_is_told_those_that_are_there(register: Register) -> None:
    register.join(SECRET, bearer("porch"), NOW)
    with pytest.raises(InputError, match="there are: porch"):
        register.remove("torch")
    with pytest.raises(InputError, match="there are: porch"):
        register.limit("torch", requests_per_second=None, may_fetch=True)


def test_tokens_that_ended_or_are_used_up_are_forgotten(register: Register) -> None:
    register.join(SECRET, bearer("a"), NOW)
    register.join(SECRET, bearer("b"), NOW)
    register.add_token("2" * 32, uses=1, lifetime=HOUR, now=NOW)
    register.add_token("3" * 32, uses=1, lifetime=HOUR, now=NOW + 2 * HOUR)
    with sqlite3.connect(register.path) as database:
        assert database.execute("SELECT count(*) FROM tokens").fetchone() == (1,)


def test_the_secret_is_nowhere_in_the_file(register: Register) -> None:
    assert SECRET.encode() not in register.path.read_bytes()


def test_the_file_is_its_owner_s_alone(register: Register) -> None:
    assert stat.S_IMODE(register.path.stat().st_mode) == 0o600


def test_what_is_no_list_of_devices_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database " * 100)
    with pytest.raises(InputError, match="no list of devices"):
        Register(tmp_path / "text")
    with pytest.raises(InputError, match="cannot be written"):
        Register(tmp_path / "absent" / "devices.sqlite")


def test_another_process_that_holds_the_file_for_long_is_told(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgent.identity.register._WAITS", 0.0)
    other = sqlite3.connect(register.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(EdgentError, match="end the command"):
        register.add_token("2" * 32, uses=1, lifetime=HOUR, now=NOW)
    assert register.members() == ()  # who only reads does not wait
    other.close()
