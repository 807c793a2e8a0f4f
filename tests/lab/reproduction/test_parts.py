from __future__ import annotations

import pytest

from edgent.errors import InputError
from edgent.lab.reproduction.parts import Parts


def counting():
    calls = []

    def make():
        calls.append(1)
        return {"runs": [len(calls), None]}

    return calls, make


def test_a_part_is_made_once_and_then_kept(tmp_path):
    calls, make = counting()
    first = Parts(tmp_path, {"seed": 1}).part("runs", {"deadline": 0.1}, make)
    again = Parts(tmp_path, {"seed": 1})
    assert again.part("runs", {"deadline": 0.1}, make) == first == {"runs": [1, None]}
    assert (len(calls), again.kept, again.computed) == (1, 1, 0)


def test_a_part_that_was_just_made_does_not_count_as_kept(tmp_path):
    _, make = counting()
    parts = Parts(tmp_path, {})
    parts.part("runs", {}, make)
    parts.part("runs", {}, make)
    assert (parts.kept, parts.computed) == (0, 1)


@pytest.mark.parametrize(("seed", "deadline"), [(2, 0.1), (1, 0.2)])
def test_a_part_of_something_else_is_made_anew(tmp_path, seed, deadline):
    calls, make = counting()
    Parts(tmp_path, {"seed": 1}).part("runs", {"deadline": 0.1}, make)
    Parts(tmp_path, {"seed": seed}).part("runs", {"deadline": deadline}, make)
    assert len(calls) == 2


def test_a_damaged_part_is_made_anew(tmp_path):
    calls, make = counting()
    Parts(tmp_path, {}).part("runs", {}, make)
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text()[:20])
    assert Parts(tmp_path, {}).part("runs", {}, make) == {"runs": [2, None]}
    assert len(calls) == 2


def test_what_was_interrupted_leaves_no_part(tmp_path):
    def interrupted():
        raise KeyboardInterrupt

    parts = Parts(tmp_path / "parts", {})
    with pytest.raises(KeyboardInterrupt):
        parts.part("runs", {}, interrupted)
    assert not (tmp_path / "parts").exists()


def test_a_folder_that_cannot_be_made_is_bad_input(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="name another"):
        Parts(tmp_path / "file" / "parts", {}).part("runs", {}, dict)
