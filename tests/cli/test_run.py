"""`edgent run` on inputs of every kind, in this process; and by a name whose edge has gone away."""

from __future__ import annotations

import io
import json
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from edgent.address import machine_name
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.telemetry import read_records
from graphs import residual, saved
from ports import reserved_port

RUN = ("run", "b-alexnet", "--deadline", "5s")


@pytest.fixture(scope="module")
def pixels() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8))


@pytest.fixture
def folder(tmp_path: Path, pixels: Image.Image) -> Path:
    (made := tmp_path / "pictures").mkdir()
    pixels.save(made / "a.png")
    pixels.save(made / "z.png")
    return made


def jpeg(pixels: Image.Image) -> bytes:
    stream = io.BytesIO()
    pixels.save(stream, "JPEG")
    return stream.getvalue()


BAD = {
    "a TIFF": lambda folder, pixels: pixels.save(folder / "b.tif"),
    "an empty file": lambda folder, pixels: (folder / "b.png").touch(),
    "half a JPEG": lambda folder, pixels: (folder / "b.jpg").write_bytes(jpeg(pixels)[:300]),
    "text": lambda folder, pixels: (folder / "b.jpg").write_text("hello"),
    "a link to nowhere": lambda folder, pixels: (folder / "b.png").symlink_to("nowhere"),
    "a link to itself": lambda folder, pixels: (folder / "b.png").symlink_to("b.png"),
    "a pipe that nobody writes to": lambda folder, pixels: os.mkfifo(folder / "b.png"),
    "too many pixels": lambda folder, pixels: Image.new("1", (9000, 9000)).save(folder / "b.png"),
    "half an array": lambda folder, pixels: (folder / "b.npy").write_bytes(b"\x93NUMPY\x01\x00"),
    "an array of another shape": lambda folder, pixels: np.save(folder / "b.npy", np.zeros((1, 3), np.float32)),
    "an array of another type": lambda folder, pixels: np.save(folder / "b.npy", np.zeros((1, 3, 32, 32))),
    "objects": lambda folder, pixels: np.save(folder / "b.npy", np.array([{}]), allow_pickle=True),
    "other names": lambda folder, pixels: np.savez(folder / "b.npz", nobody=np.zeros((1, 3, 32, 32), np.float32)),
    "a bomb": lambda folder, pixels: np.savez_compressed(folder / "b.npz", data=np.zeros(1 << 24, np.float32)),
    "a damaged archive": lambda folder, pixels: (folder / "b.npz").write_bytes(b"PK\x03\x04"),
    "an archive of a text": lambda folder, pixels: zipfile.ZipFile(folder / "b.npz", "w").writestr("b.txt", "hello"),
}


@pytest.mark.parametrize("kind", BAD)
def test_one_bad_input_is_named_and_the_others_are_answered(kind, folder, pixels, edgent) -> None:
    BAD[kind](folder, pixels)
    ended = edgent(*RUN, folder, "--json")
    assert ended.code == 1
    assert [Path(answer["input"]).name for answer in json.loads(ended.out)["answers"]] == ["a.png", "z.png"]
    first, last = ended.complaints
    assert f"{folder}/b." in first and "1 of 3 inputs could not be used" in last


@pytest.mark.parametrize("kind", ["a TIFF", "a link to nowhere", "half an array", "a bomb", "a damaged archive"])
def test_a_bad_input_alone_is_bad_input(kind, folder, pixels, edgent) -> None:
    BAD[kind](folder, pixels)
    (bad,) = folder.glob("b.*")
    ended = edgent(*RUN, bad)
    assert ended.code == 2 and ended.out == ""
    assert len(ended.complaints) == 1 and str(bad) in ended.err


def test_a_bad_input_that_was_named_is_bad_input_and_the_others_are_answered(folder, edgent) -> None:
    (folder / "b.png").touch()
    ended = edgent(*RUN, folder / "b.png", folder / "z.png")
    assert ended.code == 2 and len(ended.out.splitlines()) == 1 and len(ended.complaints) == 2


def test_where_no_input_can_be_used_that_is_bad_input(tmp_path, edgent) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "b.png").touch()
    ended = edgent(*RUN, tmp_path)
    assert ended.code == 2 and len(ended.complaints) == 3


def test_pictures_of_every_kind_are_answered_and_what_is_none_is_passed_over(folder, pixels, edgent) -> None:
    pixels.convert("CMYK").save(folder / "cmyk.jpg")
    pixels.save(folder / "pixels.ppm")
    Image.fromarray(np.arange(1024, dtype=np.uint16).reshape(32, 32)).save(folder / "grey16.png")
    pixels.save(folder / "moving.gif", save_all=True, append_images=[pixels.rotate(90)])
    pixels.save(folder / "moving.webp", save_all=True, append_images=[pixels.rotate(90)])
    (folder / "folder.png").mkdir()
    (folder / ".hidden.png").touch()
    (folder / "notes.txt").touch()
    ended = edgent(*RUN, folder, "--json")
    assert ended.code == 0
    answered = [Path(answer["input"]).name for answer in json.loads(ended.out)["answers"]]
    assert answered == ["a.png", "cmyk.jpg", "grey16.png", "moving.gif", "moving.webp", "pixels.ppm", "z.png"]


ODD = ["with space.png", "new\nline.png", "-rf.png", "a+b.png", "[bold]\x1b[31m.png", "a.x0.u1.d2.png", "\u202egnp.png"]


@pytest.mark.parametrize("name", [*ODD, "n" * 251 + ".png", b"bad\xff.png".decode("utf-8", "surrogateescape")])
def test_odd_names_are_answered_printed_harmlessly_and_recorded(name, tmp_path, pixels, edgent, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Path(name).open("wb") as file:
        pixels.save(file, "PNG")
    ended = edgent(*RUN, "--records", "records.jsonl", "--", name)
    assert ended.code == 0
    assert len(ended.out.splitlines()) == 1 and "\x1b" not in ended.out and "\u202e" not in ended.out
    expected = os.fsencode(name).decode("utf-8", "backslashreplace")
    assert json.loads(Path("records.jsonl").read_text())["input"] == expected
    assert edgent("report", "records.jsonl", "-o", "report.html").code == 0


@pytest.mark.parametrize("others", [0, 1])
def test_a_report_of_a_folder_waits_for_no_pipe_that_lies_there(others, folder, tmp_path, edgent) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    for number in range(others):
        assert edgent(*RUN, folder, "--records", tmp_path / f"{number}.jsonl").code == 0
    ended = edgent("report", tmp_path, "-o", tmp_path / "report.html")
    assert ended.code == (0 if others else 2)


def test_a_record_says_when_it_was_asked_and_which_model_on_which_machine_answered(folder, tmp_path, edgent) -> None:
    before = datetime.now(UTC).timestamp()
    assert edgent(*RUN, folder, "--records", tmp_path / "r.jsonl").code == 0
    records = list(read_records(tmp_path / "r.jsonl"))
    times = [record.at for record in records]
    assert times == sorted(times) and before - 1 <= times[0] and times[-1] <= datetime.now(UTC).timestamp()
    assert {(record.model, record.device, record.source) for record in records} == {("b-alexnet", machine_name(), "")}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f4", ">f4"])
def test_arrays_are_taken_in_every_order(order, kind, tmp_path, edgent) -> None:
    numbers = np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)
    np.save(tmp_path / "plain.npy", numbers)
    np.save(tmp_path / "other.npy", np.asarray(numbers.astype(kind), order=order))
    plain, other = json.loads(edgent(*RUN, tmp_path / "plain.npy", tmp_path / "other.npy", "--json").out)["answers"]
    assert (plain["label"], plain["exit"]) == (other["label"], other["exit"])


def test_records_are_kept_until_there_is_no_room_and_the_answers_are_printed(folder, edgent) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    ended = edgent(*RUN, folder, "--records", "/dev/full")
    assert ended.code == 1 and len(ended.complaints) == 1 and "/dev/full: cannot be written" in ended.err


@pytest.mark.parametrize("records", ["{tmp}", "{tmp}/none/a", "{tmp}/" + "n" * 300])
def test_records_that_cannot_be_are_refused_before_the_work(records, folder, tmp_path, edgent) -> None:
    ended = edgent(*RUN, folder, "--records", records.format(tmp=tmp_path))
    assert ended.code == 2 and ended.out == "" and len(ended.complaints) == 1


@pytest.mark.parametrize("path", ["none", "n" * 300, "none/none", "\x1b[31m"])
def test_a_path_that_is_not_there_is_refused_before_any_answer(path, folder, edgent) -> None:
    ended = edgent(*RUN, folder, folder / path)
    assert ended.code == 2 and ended.out == "" and "\x1b" not in ended.err and len(ended.complaints) == 1


def test_where_a_profile_cannot_be_kept_that_is_said_before_one_is_measured(
    model_file, tmp_path, edgent, monkeypatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache" / "edgent").mkdir(parents=True)
    (tmp_path / "cache" / "edgent" / "profiles").touch()  # a file where the folder of profiles would be
    onnx.save(residual(), model_file)
    np.save(tmp_path / "x.npy", np.zeros((1, 3, 8, 8), np.float32))
    ended = edgent("run", model_file, tmp_path / "x.npy", "--deadline", "5s")
    assert (ended.code, ended.out) == (2, "")
    assert len(ended.complaints) == 1 and "XDG_CACHE_HOME" in ended.err


def test_a_model_of_an_edge_that_has_gone_away_answers_all_the_same_and_one_line_says_so(
    tmp_path, edgent, empty_cache, caplog
) -> None:
    np.save(array := tmp_path / "x.npy", np.ones((1, 3, 8, 8), np.float32))
    with reserved_port() as port:
        with Edge(load(saved(residual(), tmp_path / "theirs.onnx")), port=port) as edge:
            command = ("run", "theirs", array, "--deadline", "5s", "--edge", edge.address)
            assert edgent(*command).code == 0
        caplog.clear()
        ended, said = edgent(*command), caplog.messages
        without = edgent(*command, "--require-edge"), edgent("run", "nobody", *command[2:])
    assert ended.code == 0 and "by the device" in ended.out
    (line,) = [*said, *ended.complaints]
    assert "cannot be reached" in line and "fetched there before" in line
    for refused in without:
        assert refused.code == 1 and refused.out == ""
        assert len(refused.complaints) == 1 and "cannot be reached" in refused.complaints[0]
