"""Latency files on disk that are damaged: one line and exit code 2, whichever verb meets them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgent.errors import InputError
from edgent.latency import Profile
from edgent.latency.compare import compared
from edgent.latency.profile import BranchProfile, Timing


def made(seconds: float = 0.003, engine: str = "onnxruntime 1.32.0", digest: str = "a" * 64) -> Profile:
    one = Timing(median=1e-4, spread=0.1, samples=3)
    branch = BranchProfile(
        exit=0,
        whole=Timing(median=seconds, spread=0.05, samples=9),
        layers=(seconds / 4, seconds / 2, seconds / 4),
        unassigned=0.0,
    )
    return Profile(
        model="net",
        digest=digest,
        machine="bench x86_64",
        engine=engine,
        threads=1,
        branches=(branch,),
        codecs=(),
        decode_source=one,
        fit=one,
        normalise=one,
    )


def changed(**what: object) -> str:
    return json.dumps(json.loads(made().to_json()) | what)


DAMAGED = {
    "NaN": made().to_json().replace("0.05", "NaN"),
    "negative": made().to_json().replace("0.05", "-0.05"),
    "missing layers": json.dumps({k: v for k, v in json.loads(made().to_json()).items() if k != "branches"}),
    "another schema": changed(schema=99),
    "another type": changed(threads="two"),
    "truncated": made().to_json()[:300],
    "empty": "",
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_profile_is_refused_in_one_line_that_names_it(text: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(InputError) as error:
        Profile.load(tmp_path / "bad.json")
    assert str(error.value).startswith(str(tmp_path / "bad.json"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["NaN", "truncated"])
@pytest.mark.parametrize("verb", [("profile", "--compare"), ("profile", "--budget", "1s", "--like")])
def test_a_command_that_meets_one_ends_with_code_2(name: str, verb: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(DAMAGED[name])
    files = [str(tmp_path / "bad.json")] * (2 if "--compare" in verb else 1)
    done = subprocess.run(
        [sys.executable, "-m", "edgent", *verb, *files], capture_output=True, text=True, timeout=200, check=False
    )
    assert (done.returncode, done.stderr.count("\n"), done.stdout) == (2, 1, "")


def test_two_engines_stand_side_by_side(tmp_path: Path) -> None:
    made().save(tmp_path / "a.json")
    made(0.006, "openvino 2026.4.1").save(tmp_path / "b.json")
    found = compared(tmp_path / "a.json", tmp_path / "b.json")
    assert found.ratio == pytest.approx(2.0)
    assert found.names == ("bench x86_64, onnxruntime 1.32.0 x1", "bench x86_64, openvino 2026.4.1 x1")
    assert found.document()["exits"][0]["b_ms"] == pytest.approx(6.0)


def test_profiles_of_two_models_are_not_compared(tmp_path: Path) -> None:
    made().save(tmp_path / "a.json")
    made(digest="b" * 64).save(tmp_path / "b.json")
    with pytest.raises(InputError, match=r"a\.json is of net aaaaaaaaaaaa"):
        compared(tmp_path / "a.json", tmp_path / "b.json")
