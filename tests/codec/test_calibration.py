import dataclasses
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.codec import IMAGE_CODECS, TENSOR_CODECS, Calibration, CodecAccuracy, CodecError, EncodedSize, is_lossless
from edgent.errors import InputError

DIGEST = "0123456789abcdef" * 4
LOSSY = [c for c in (*TENSOR_CODECS, *IMAGE_CODECS) if not is_lossless(c) and not c.endswith("+zstd")]

names = st.sets(st.text(min_size=1, max_size=8), min_size=1, max_size=3).map(lambda unordered: tuple(sorted(unordered)))
samples = st.integers(1, 10**6)
size_entries = st.builds(
    EncodedSize,
    tensors=names,
    codec=st.sampled_from((*TENSOR_CODECS, *IMAGE_CODECS)),
    mean_bytes=st.floats(0, 1e12),
    samples=samples,
)
accuracy_entries = st.builds(
    CodecAccuracy,
    exit=st.integers(0, 9),
    tensors=names,
    codec=st.sampled_from(LOSSY),
    accuracy=st.floats(0, 1),
    samples=samples,
)
calibrations = st.builds(
    Calibration,
    model=st.text(min_size=1),
    digest=st.text("0123456789abcdef", min_size=64, max_size=64),
    data=st.text(min_size=1),
    sizes=st.lists(size_entries, max_size=5, unique_by=lambda e: (e.tensors, e.codec)).map(tuple),
    accuracies=st.lists(accuracy_entries, max_size=5, unique_by=lambda e: (e.exit, e.tensors, e.codec)).map(tuple),
)


def size(codec="uint8+zstd", mean_bytes=812.25, tensors=("conv1",), samples=500):
    return EncodedSize(tensors=tensors, codec=codec, mean_bytes=mean_bytes, samples=samples)


def accuracy(codec="uint8", accuracy=0.841, tensors=("conv1",), exit=4, samples=500):
    return CodecAccuracy(exit=exit, tensors=tensors, codec=codec, accuracy=accuracy, samples=samples)


def calibration(sizes=(), accuracies=()):
    return Calibration(
        model="b-alexnet",
        digest=DIGEST,
        data="CIFAR-10 test",
        sizes=(size(), size(codec="webp-90", mean_bytes=590.5, tensors=("image",), samples=10_000), *sizes),
        accuracies=(accuracy(), accuracy(codec="webp-90", tensors=("image",), samples=10_000), *accuracies),
    )


def changed(**changes):
    """The text of a calibration with some values of the document changed."""
    return json.dumps({**json.loads(calibration().to_json()), **changes})


@given(calibrations)
def test_a_calibration_survives_its_file_exactly(value):
    text = value.to_json()
    assert Calibration.from_json(text) == value
    assert Calibration.from_json(text).to_json() == text
    assert json.loads(text)["schema"] == 1


def test_its_file_is_written_one_entry_a_line_with_sorted_keys():
    value = Calibration(model="m", digest=DIGEST, data="d", sizes=(size(),), accuracies=(accuracy(),))
    assert (
        value.to_json()
        == f"""{{
 "schema": 1,
 "model": "m",
 "digest": "{DIGEST}",
 "data": "d",
 "sizes": [
  {{"codec": "uint8+zstd", "mean_bytes": 812.25, "samples": 500, "tensors": ["conv1"]}}
 ],
 "accuracies": [
  {{"accuracy": 0.841, "codec": "uint8", "exit": 4, "samples": 500, "tensors": ["conv1"]}}
 ]
}}
"""
    )
    first, second = size(), size(tensors=("a",))
    lines = Calibration(model="m", digest=DIGEST, data="d", sizes=(first, second)).to_json().splitlines()
    assert lines[5:] == [
        ' "sizes": [',
        '  {"codec": "uint8+zstd", "mean_bytes": 812.25, "samples": 500, "tensors": ["a"]},',
        '  {"codec": "uint8+zstd", "mean_bytes": 812.25, "samples": 500, "tensors": ["conv1"]}',
        " ],",
        ' "accuracies": []',
        "}",
    ]


def test_what_is_found_is_told_in_part_where_it_is_long():
    name = "n" * 200
    long = {
        f"digest: found '{80 * 'x'}', expected 64 lower-case hex digits": lambda: Calibration(
            model="m", digest="x" * 200, data="d"
        ),
        f"tensors: found ['{58 * 'n'}, expected names, sorted, each once": lambda: size(tensors=(name, name)),
        f"sizes: found 'uint8+zstd' of '{60 * 'n'}' twice, expected once": lambda: calibration(
            sizes=[size(tensors=(name,)), size(tensors=(name,), samples=2)]
        ),
        "accuracies: found 'uint8' of 'a, b' twice, expected once": lambda: calibration(
            accuracies=[accuracy(tensors=("a", "b")), accuracy(tensors=("a", "b"), accuracy=0.5)]
        ),
    }
    for message, make in long.items():
        with pytest.raises(InputError) as refusal:
            make()
        assert str(refusal.value) == message


@pytest.mark.parametrize("bound", [0, 1, 0.0, 1.0])
def test_the_bounds_themselves_are_right(bound):
    assert accuracy(accuracy=bound, exit=0, samples=1).accuracy == bound
    assert size(mean_bytes=bound, samples=1).mean_bytes == bound


@given(calibrations, st.randoms())
def test_the_order_of_entries_does_not_matter(value, random):
    sizes, accuracies = list(value.sizes), list(value.accuracies)
    random.shuffle(sizes)
    random.shuffle(accuracies)
    other = dataclasses.replace(value, sizes=tuple(sizes), accuracies=tuple(accuracies))
    assert other == value
    assert other.to_json() == value.to_json()


@given(calibrations)
def test_every_entry_is_found_again_whatever_the_order_of_its_tensors(value):
    for entry in value.sizes:
        assert value.size(reversed(entry.tensors), entry.codec, raw_bytes=4e6) == entry.mean_bytes
    for entry in value.accuracies:
        assert value.accuracy(entry.exit, reversed(entry.tensors), entry.codec) == entry.accuracy


def test_what_was_not_measured_is_not_known():
    value = calibration()
    assert value.size(["conv2"], "uint8+zstd", 4096) is None
    assert value.size(["image"], "webp-80", 4096) is None
    assert value.size(["image"], "source", 4096) is None
    assert value.accuracy(4, ["conv2"], "uint8") is None
    assert value.accuracy(3, ["conv1"], "uint8") is None
    assert value.accuracy(4, ["conv1", "conv2"], "uint8") is None


@pytest.mark.parametrize(("codec", "expected"), [("float32", 4096), ("float16", 2048), ("uint8", 1024 + 2 * 8)])
def test_sizes_that_a_codec_fixes_need_no_measurement(codec, expected):
    assert calibration().size(["a", "b"], codec, raw_bytes=4096) == expected
    assert calibration().size(["a", "b"], codec, raw_bytes=float("nan")) is None


def test_a_measured_size_goes_before_the_computed_one():
    value = calibration(sizes=[size(codec="uint8", tensors=("indices",), mean_bytes=4096)])
    assert value.size(["indices"], "uint8", raw_bytes=4096) == 4096


def test_compression_on_top_has_the_accuracy_of_its_base():
    assert calibration().accuracy(4, ["conv1"], "uint8+zstd") == 0.841


def test_a_lossless_codec_has_no_accuracy_of_its_own():
    assert calibration().accuracy(4, ["conv1"], "float32+zstd") is None


@pytest.mark.parametrize("ask", [lambda c: c.size(["a"], "uint9", 4), lambda c: c.accuracy(0, ["a"], "uint9")])
def test_an_unknown_codec_is_refused(ask):
    with pytest.raises(CodecError, match="found the codec 'uint9'"):
        ask(calibration())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: size(codec="uint9"), "found the codec"),
        (lambda: size(tensors=()), "tensors: found"),
        (lambda: size(tensors=("",)), "tensors: found"),
        (lambda: size(tensors=("b", "a")), "sorted, each once"),
        (lambda: size(tensors=("a", "a")), "sorted, each once"),
        (lambda: size(samples=0), "samples: found 0"),
        (lambda: size(mean_bytes=float("nan")), "mean_bytes: found nan"),
        (lambda: size(mean_bytes=-1.0), "mean_bytes: found -1.0"),
        (lambda: size(mean_bytes=float("inf")), "mean_bytes: found inf"),
        (lambda: accuracy(exit=-1), "exit: found -1"),
        (lambda: accuracy(accuracy=84.1), "accuracy: found 84.1, expected a fraction"),
        (lambda: accuracy(accuracy=float("nan")), "accuracy: found nan"),
        (lambda: accuracy(codec="float32"), "expected a lossy one"),
        (lambda: accuracy(codec="source"), "expected a lossy one"),
        (lambda: accuracy(codec="uint8+zstd"), "without '\\+zstd'"),
        (lambda: calibration(sizes=[size(mean_bytes=1)]), "sizes: found 'uint8\\+zstd' of 'conv1' twice"),
        (lambda: calibration(accuracies=[accuracy(samples=9)]), "accuracies: found 'uint8' of 'conv1' twice"),
        (lambda: Calibration(model="m", digest="12", data="d"), "digest: found '12'"),
        (lambda: Calibration(model="m", digest=DIGEST.upper(), data="d"), "digest: found"),
    ],
)
def test_a_value_checks_itself(make, message):
    with pytest.raises(InputError, match=message):
        make()


ENTRY = {"tensors": ["a"], "codec": "uint8+zstd", "mean_bytes": 10, "samples": 5}
RIGHT = {"exit": 0, "tensors": ["a"], "codec": "uint8", "accuracy": 0.5, "samples": 5}
BAD = {
    "empty": ("", "no complete JSON"),
    "truncated": (calibration().to_json()[:200], "no complete JSON"),
    "no object": ("[1]", "found schema None, expected a calibration of schema 1"),
    "null": ("null", "schema"),
    "another schema": (changed(schema=2), "found schema 2, expected a calibration of schema 1"),
    "a schema that is true": (changed(schema=True), "found schema True"),
    "an unknown key": (changed(speed=1), "unknown key 'speed'"),
    "a long unknown key": (changed(**{"x" * 10_000: 1}), "unknown key 'xxx"),
    "a missing key": (json.dumps({"schema": 1, "model": "m"}), "found no key"),
    "a digest that is none": (changed(digest="abc"), "digest: found 'abc'"),
    "a digest of another type": (changed(digest=7), "digest: found 7, expected some text"),
    "an empty model": (changed(model=""), "model: found ''"),
    "data of another type": (changed(data=None), "data: found null"),
    "sizes of another type": (changed(sizes={}), "sizes: found {}, expected a list"),
    "an entry of another type": (changed(sizes=[3]), r"sizes\[0\]: found 3, expected an object"),
    "an unknown key in an entry": (changed(sizes=[{**ENTRY, "z": 1}]), r"sizes\[0\]: found the unknown key 'z'"),
    "samples that are true": (changed(sizes=[{**ENTRY, "samples": True}]), "samples: found True"),
    "samples that are a fraction": (changed(sizes=[{**ENTRY, "samples": 2.5}]), "samples: found 2.5"),
    "bytes as text": (changed(sizes=[{**ENTRY, "mean_bytes": "10"}]), "mean_bytes: found '10'"),
    "negative bytes": (changed(sizes=[{**ENTRY, "mean_bytes": -3}]), "mean_bytes: found -3"),
    "NaN": (changed(sizes=[{**ENTRY, "mean_bytes": float("nan")}]), "found NaN"),
    "infinity": (changed(sizes=[{**ENTRY, "mean_bytes": 1}]).replace('s": 1,', 's": 1e999,'), "found inf"),
    "a number beyond floats": (changed(sizes=[{**ENTRY, "mean_bytes": 10**400}]), "mean_bytes: found 1000"),
    "a number of too many digits": ('{"schema": ' + "1" * 5000 + "}", "too many digits"),
    "brackets nested too deep": ("[" * 100_000, "nested too deep"),
    "a key given twice": ('{"schema": 1, "schema": 1}', "the key 'schema' twice"),
    "tensors as text": (changed(sizes=[{**ENTRY, "tensors": "a"}]), "tensors: found 'a', expected a list"),
    "tensors of numbers": (changed(sizes=[{**ENTRY, "tensors": [1]}]), "expected a list of texts"),
    "an unknown codec": (changed(sizes=[{**ENTRY, "codec": "uint9"}]), "found the codec 'uint9'"),
    "an entry given twice": (changed(sizes=[ENTRY, ENTRY]), "twice"),
    "an accuracy in percent": (changed(accuracies=[{**RIGHT, "accuracy": 84}]), "accuracy: found 84.0"),
    "an exit that is none": (changed(accuracies=[{**RIGHT, "exit": "last"}]), "exit: found 'last'"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_refused_in_one_line_that_names_it(text, message, tmp_path):
    path = tmp_path / "calibration.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as refusal:
        Calibration.load(path)
    line = str(refusal.value)
    assert line.startswith(f"{path}: ")
    assert "edgent evaluate" in line
    assert "\n" not in line
    assert len(line) < 500 + len(str(path))


@given(
    st.text()
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(lambda value: json.dumps({"schema": 1, "sizes": value}))
)
def test_any_text_raises_nothing_but_an_input_error(text):
    with pytest.raises(InputError):
        Calibration.from_json(text)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path, message in (("none.json", "cannot be read"), ("binary", "found no text"), (".", "cannot be read")):
        with pytest.raises(InputError, match=message) as refusal:
            Calibration.load(tmp_path / path)
        assert str(tmp_path / path) in str(refusal.value)


def test_a_saved_file_is_loaded_again_and_alone_in_its_folder(tmp_path):
    path = tmp_path / "calibration.json"
    calibration().save(path)
    calibration(sizes=[size(tensors=("conv2",))]).save(path)
    assert Calibration.load(path) == calibration(sizes=[size(tensors=("conv2",))])
    assert list(tmp_path.iterdir()) == [path]


def test_a_saved_file_may_be_read_by_whoever_may_read_new_files(tmp_path):
    calibration().save(tmp_path / "calibration.json")
    (tmp_path / "other").touch()
    assert (tmp_path / "calibration.json").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_an_output_folder_that_does_not_exist_is_refused_and_not_made(tmp_path):
    path = tmp_path / "missing" / "calibration.json"
    with pytest.raises(InputError, match="cannot be written") as refusal:
        calibration().save(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert not path.parent.exists()


def test_only_a_file_is_ever_replaced(tmp_path):
    (tmp_path / "pipe").unlink(missing_ok=True)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(InputError, match="is there and no file"):
            calibration().save(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["pipe"]


def test_a_failed_write_leaves_the_old_file_as_it_was(tmp_path):
    path = tmp_path / "calibration.json"
    calibration().save(path)
    before = path.read_bytes()
    with pytest.raises(UnicodeEncodeError):  # half of a surrogate pair is no text: our own fault, not the user's
        _write_half(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def _write_half(path: Path) -> None:
    from edgent.document import write_whole

    write_whole(path, "first half" + "\ud800")


def test_a_link_stays_and_leads_to_the_new_content(tmp_path):
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    calibration().save(tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert Calibration.load(tmp_path / "real.json") == calibration()


def test_its_repr_says_what_it_is():
    assert repr(calibration()) == "<Calibration b-alexnet 0123456789ab on CIFAR-10 test: 2 sizes, 2 accuracies>"
