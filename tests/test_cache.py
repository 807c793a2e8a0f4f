"""What lies in the cache is believed for its content, whole or absent, bounded, and never taken from who uses it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgent import cache
from edgent.errors import CacheError, EdgeError, EdgentError, InputError

TEXT = b"what it should be"


def holds(folder: Path, text: bytes = TEXT) -> bool:
    file = folder / "file"
    return file.is_file() and file.read_bytes() == text


def writes(text: bytes = TEXT) -> Callable[[Path], None]:
    return lambda folder: (folder / "file").write_bytes(text) and None


def entry(name: str = "name", text: bytes = TEXT, kind: str = "weights") -> cache.Entry:
    return cache.entry(kind, name, lambda folder: holds(folder, text), writes(text))


def filled(name: str, size: int, used_at: float, kind: str = "weights") -> Path:
    """An entry that nobody uses any more."""
    path = entry(name, bytes(size), kind).path
    os.utime(path, (used_at, used_at))
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refused(_: Path) -> bool:
    raise AssertionError("nobody needs to look")


def test_an_entry_is_written_where_it_is_absent(empty_cache: Path) -> None:
    found = entry()
    assert found.path == empty_cache / "weights" / "name" and holds(found.path)
    assert names(empty_cache / "weights") == ["name"]  # and no draft


def test_it_is_looked_at_once_a_process(empty_cache: Path) -> None:
    entry()
    assert holds(cache.entry("weights", "name", refused, refused).path)


def test_an_engines_hidden_files_and_empty_folders_are_no_change(empty_cache: Path) -> None:
    path = entry().path
    (path / ".segment-1.onnx").write_bytes(b"")
    (path / "folder").mkdir()
    assert holds(cache.entry("weights", "name", refused, refused).path)


@pytest.mark.parametrize("damage", [TEXT[:-1], TEXT + b"!", b""])
def test_a_damaged_file_is_written_anew(damage: bytes, empty_cache: Path) -> None:
    path = entry().path
    (path / "file").write_bytes(damage)
    assert holds(entry().path) and names(path.parent) == ["name"]


def test_a_file_changed_in_place_without_a_trace_in_its_size_is_noticed(empty_cache: Path) -> None:
    file = entry().path / "file"
    before = file.stat()
    file.write_bytes(bytes(len(TEXT)))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert holds(entry().path)


def test_a_file_with_the_old_size_and_time_is_noticed_for_being_another(empty_cache: Path) -> None:
    file = entry().path / "file"
    before = file.stat()
    other = file.with_name("other")
    other.write_bytes(bytes(len(TEXT)))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(file)
    assert holds(entry().path)


def test_what_another_process_left_damaged_is_not_believed(empty_cache: Path) -> None:
    folder = empty_cache / "weights" / "name"
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(bytes(len(TEXT)))
    assert holds(entry().path)


def test_an_entry_that_went_while_it_was_in_use_is_written_again(empty_cache: Path) -> None:
    path = entry().path
    (path / "file").unlink()
    path.rmdir()
    assert holds(entry().path)


def test_files_in_folders_are_moved_with_them(empty_cache: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "deep" / "er").mkdir(parents=True)
        (folder / "deep" / "er" / "file").write_bytes(TEXT)

    found = cache.entry("models", "name", lambda folder: holds(folder / "deep" / "er"), write)
    assert holds(found.path / "deep" / "er")


def test_a_failed_write_leaves_nothing(empty_cache: Path) -> None:
    def write(folder: Path) -> None:
        writes()(folder)
        raise EdgentError("broken off")

    with pytest.raises(EdgentError, match="broken off"):
        cache.entry("models", "name", holds, write)
    assert names(empty_cache / "models") == []


def test_a_failed_write_leaves_what_was_there(empty_cache: Path) -> None:
    path = entry().path
    (path / "file").write_bytes(b"damaged")

    def write(folder: Path) -> None:
        raise EdgentError("broken off")

    with pytest.raises(EdgentError, match="broken off"):
        cache.entry("weights", "name", holds, write)
    assert names(path.parent) == ["name"] and (path / "file").read_bytes() == b"damaged"


def test_a_disk_that_gives_back_something_else_is_said_to(empty_cache: Path) -> None:
    written = []

    def write(folder: Path) -> None:
        written.append(folder)
        writes(b"else")(folder)

    with pytest.raises(EdgentError, match="check the disk"):
        cache.entry("weights", "name", holds, write)
    assert len(written) == 3


@pytest.mark.parametrize("base", ["/dev/null", "/proc/nowhere"])
def test_a_folder_that_cannot_be_made_is_one_line_with_the_remedy(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", base)
    with pytest.raises(InputError, match=rf"{base}/edgent/weights/name cannot be used \(.+\).*XDG_CACHE_HOME") as found:
        entry()
    assert found.value.exit_code == 2 and "\n" not in str(found.value)
    with pytest.raises(InputError, match="XDG_CACHE_HOME"):
        cache.writable_folder("profiles")


def test_a_full_disk_is_one_line_and_leaves_nothing(empty_cache: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "file").write_bytes(b"half of it")
        with Path("/dev/full").open("wb", buffering=0) as disk:
            disk.write(TEXT)

    with pytest.raises(InputError, match=r"No space left on device.*XDG_CACHE_HOME"):
        cache.entry("weights", "name", holds, write)
    assert names(empty_cache / "weights") == []


def test_errors_that_are_explained_already_stay_as_they_are(empty_cache: Path) -> None:
    def write(folder: Path) -> None:
        raise EdgeError("the edge is gone")  # a ConnectionError, and so an OSError

    with pytest.raises(EdgeError, match="the edge is gone"):
        cache.entry("models", "name", holds, write)


def test_a_file_in_the_place_of_an_entry_is_one_line(empty_cache: Path) -> None:
    (empty_cache / "weights").mkdir(parents=True)
    (empty_cache / "weights" / "name").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be used"):
        entry()


def test_without_a_home_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    with pytest.raises(InputError, match="XDG_CACHE_HOME"):
        cache.cache_folder()


def test_the_folder_is_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.cache_folder() == tmp_path / ".cache" / "edgent"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "mine")
    assert cache.cache_folder() == tmp_path / "mine" / "edgent"


def test_room_for_measurements_is_made(empty_cache: Path) -> None:
    assert cache.writable_folder("profiles") == empty_cache / "profiles"
    assert names(empty_cache / "profiles") == []
    assert cache.writable_folder("profiles").is_dir()


def test_the_bound_is_a_tenth_of_the_disk_or_four_gigabytes(empty_cache: Path) -> None:
    disk = os.statvfs(empty_cache.parent.parent)
    assert cache.bound() == min(4_000_000_000, disk.f_blocks * disk.f_frsize // 10)
    assert not empty_cache.exists()


def test_on_a_small_disk_the_bound_is_a_tenth_of_it(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = os.statvfs(empty_cache.parent.parent)
    monkeypatch.setattr(cache, "MOST_BYTES", 1 << 62)
    assert cache.bound() == disk.f_blocks * disk.f_frsize // 10


def test_a_file_is_on_the_disk_before_it_has_its_name_and_the_folder_after(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[str, bool]] = []
    really = os.fsync

    def fsync(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        synced.append((path.name, (empty_cache / "weights" / "name" / "file").exists()))
        really(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    entry()
    assert synced == [("file", False), ("name", True), ("weights", True)]


def test_what_lay_unused_longest_goes_first(empty_cache: Path) -> None:
    for name, used_at, kind in (("b", 200.0, "weights"), ("a", 100.0, "models"), ("c", 300.0, "models")):
        filled(name, 1000, used_at, kind)
    cache.trim(empty_cache, 3000, now=400.0)
    assert names(empty_cache / "weights") + names(empty_cache / "models") == ["b", "a", "c"]
    cache.trim(empty_cache, 2999, now=400.0)
    assert names(empty_cache / "weights") + names(empty_cache / "models") == ["b", "c"]
    cache.trim(empty_cache, 500, now=400.0)
    assert names(empty_cache / "weights") + names(empty_cache / "models") == []


def test_an_entry_that_grows_counts_as_all_others_and_stays_while_it_is_used(empty_cache: Path) -> None:
    growing = cache.growing_entry("records", "day")
    assert cache.growing_entry("records", "day").path == growing.path == empty_cache / "records" / "day"
    (growing.path / "index").write_bytes(bytes(1000))
    filled("weights", 1000, 500.0)
    os.utime(growing.path, (100.0, 100.0))
    cache.trim(empty_cache, 0, now=400.0)
    assert (names(empty_cache / "records"), names(empty_cache / "weights")) == (["day"], [])
    del growing
    cache.trim(empty_cache, 0, now=400.0)
    assert names(empty_cache / "records") == []


def test_no_more_goes_than_must(empty_cache: Path) -> None:
    for name, size, used_at in (("a", 10, 100.0), ("b", 5000, 200.0), ("c", 1000, 300.0)):
        filled(name, size, used_at)
    cache.trim(empty_cache, 1000, now=400.0)
    assert names(empty_cache / "weights") == ["c"]


def test_an_entry_in_use_stays(empty_cache: Path) -> None:
    used = entry("used", bytes(1000))
    os.utime(used.path, (1.0, 1.0))
    filled("unused", 1000, 100.0)
    cache.trim(empty_cache, 0, now=400.0)
    assert names(empty_cache / "weights") == ["used"]
    del used
    cache.trim(empty_cache, 0, now=400.0)
    assert names(empty_cache / "weights") == []


def test_use_is_a_later_time(empty_cache: Path) -> None:
    path = filled("name", 10, 100.0)
    entry("name", bytes(10))
    assert path.stat().st_mtime > 100.0


def test_measurements_are_not_removed(empty_cache: Path) -> None:
    kept = cache.keep("calibrations", "a" * 64, "measured")
    cache.trim(empty_cache, 0, now=400.0)
    assert cache.file_of("calibrations", "a" * 64).read_text() == kept.read_text() == "measured"
    assert names(kept.parent) == [kept.name]


def test_a_small_file_that_cannot_be_kept_stays_as_it_was(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = cache.keep("calibrations", "a" * 64, "measured")
    monkeypatch.setattr(os, "fsync", lambda handle: Path("/dev/full").write_bytes(TEXT))
    with pytest.raises(CacheError, match="No space left"):
        cache.keep("calibrations", "a" * 64, "measured again")
    assert (kept.read_text(), names(kept.parent)) == ("measured", [kept.name])


def test_writing_an_entry_tidies_up(empty_cache: Path) -> None:
    old = empty_cache / "models" / ".draft-old"
    old.mkdir(parents=True)
    os.utime(old, (1000.0, 1000.0))
    entry()
    assert not old.exists()


def test_drafts_of_the_dead_go_when_they_are_old(empty_cache: Path) -> None:
    kept = [empty_cache / "models" / f".draft-{name}" for name in ("old", "young", "locked")]
    for draft, made_at in zip(kept, (1000.0, 4000.0, 1000.0), strict=True):
        draft.mkdir(parents=True)
        (draft / "file").write_bytes(bytes(1000))
        os.utime(draft, (made_at, made_at))
    handle = os.open(kept[2], os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_SH)
    (of_a_small_file := empty_cache / "calibrations" / ".draft-old").mkdir(parents=True)
    os.utime(of_a_small_file, (1000.0, 1000.0))
    cache.trim(empty_cache, 10_000, now=4700.0)
    assert names(empty_cache / "models") == [".draft-locked", ".draft-young"]
    assert names(empty_cache / "calibrations") == []
    os.close(handle)


def test_the_repr_of_an_entry_names_its_folder(empty_cache: Path) -> None:
    found = entry()
    assert repr(found) == f"<Entry {empty_cache / 'weights' / 'name'}>"


_HOLD = """
import sys
from edgent import cache
entry = cache.entry("weights", "used", lambda folder: (folder / "file").is_file(),
                    lambda folder: (folder / "file").write_bytes(b"used") and None)
print("holding", flush=True)
sys.stdin.read()
"""


def test_an_entry_that_another_process_uses_stays_until_that_ends(empty_cache: Path) -> None:
    command = [sys.executable, "-c", _HOLD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "holding\n"
        cache.trim(empty_cache, 0, now=400.0)
        assert names(empty_cache / "weights") == ["used"]
        other.kill()
    cache.trim(empty_cache, 0, now=400.0)
    assert names(empty_cache / "weights") == []


_WRITE = """
import sys
from edgent import cache
text = b"x" * 1_000_000
def is_right(folder): return (folder / "file").is_file() and (folder / "file").read_bytes() == text
sys.stdin.readline()
for number in range(20):
    found = cache.entry("weights", str(number), is_right, lambda folder: (folder / "file").write_bytes(text) and None)
    assert is_right(found.path)
print("all right")
"""


def test_two_processes_write_the_same_entries_at_once(empty_cache: Path) -> None:
    command = [sys.executable, "-c", _WRITE]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as one, subprocess.Popen(command, text=True, **pipes) as two:
        for process in (one, two):
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.communicate()[0] for process in (one, two)] == ["all right\n"] * 2
    assert names(empty_cache / "weights") == sorted(map(str, range(20)))


_DIE = """
import os
from edgent import cache
def write(folder):
    (folder / "file").write_bytes(b"half")
    os._exit(1)
cache.entry("models", "name", lambda folder: (folder / "file").is_file(), write)
"""


def test_what_a_process_left_that_died_while_it_wrote_is_not_believed(empty_cache: Path) -> None:
    assert subprocess.run([sys.executable, "-c", _DIE], check=False).returncode == 1
    (draft,) = (empty_cache / "models").iterdir()
    assert draft.name.startswith(".draft-")
    assert holds(entry(kind="models").path)
    cache.trim(empty_cache, 10_000, now=draft.stat().st_mtime + 3601)
    assert names(empty_cache / "models") == ["name"]


def test_what_was_just_written_stays_though_what_is_in_use_fills_the_cache(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fetched model that takes more than half of the bound, and its weights, which take as much again."""
    monkeypatch.setattr(cache, "MOST_BYTES", 1500)
    fetched = entry("fetched", bytes(1000), "models")
    filled("unused", 1000, 100.0)
    weights = entry("weights", bytes(1000))
    assert names(empty_cache / "weights") == ["weights"] and names(empty_cache / "models") == ["fetched"]
    assert holds(weights.path, bytes(1000)) and holds(fetched.path, bytes(1000))
