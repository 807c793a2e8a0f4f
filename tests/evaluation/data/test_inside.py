"""File names in a data set lead into its folder, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.errors import InputError
from edgent.evaluation.data.inside import file_inside

SECRET = "secret.png"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("outer")
    (folder / SECRET).write_bytes(b"not yours")
    (folder / "data" / "below").mkdir(parents=True)
    (folder / "data" / "one.png").write_bytes(b"1")
    (folder / "data" / "below" / "two.png").write_bytes(b"2")
    return folder / "data"


@pytest.mark.parametrize("name", ["one.png", "below/two.png", "./one.png"])
def test_a_file_of_the_folder_or_below_it_is_found(root: Path, name: str) -> None:
    assert file_inside(root, name, "list.csv").samefile(root / name)


@pytest.mark.parametrize(
    "name", ["", "..", f"../{SECRET}", f"below/../../{SECRET}", "/etc/passwd", "one.png\0", "three.png", "below"]
)
def test_what_leads_out_is_missing_or_is_no_file_is_refused_with_the_name_of_the_list(root: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"^list\.csv, line 3: ") as refused:
        file_inside(root, name, "list.csv, line 3")
    assert len(str(refused.value).splitlines()) == 1


parts = st.sampled_from(["..", ".", "below", "one.png", "two.png", SECRET, "", "a b", "\u202e", "x" * 300])


@given(st.lists(parts, max_size=6).map("/".join))
def test_whatever_is_written_only_files_below_the_folder_are_opened(root: Path, name: str) -> None:
    try:
        file = file_inside(root, name, "list")
    except InputError as error:
        assert len(str(error).splitlines()) == 1 and "\u202e" not in str(error)
    else:
        assert file.resolve().is_relative_to(root.resolve()) and file.is_file()
