"""Where events go: read as it was meant, refused in one line otherwise, and never a secret in any message."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.errors import InputError
from edgent.sinks.addresses import BrokerAddress, FileAddress, WebAddress, parse_sink, public_part


def test_a_broker_is_read_with_all_its_parts() -> None:
    address = parse_sink("mqtts://ann:p%40ss%2Fw@broker.local:9883/home/edgent?pictures")
    assert isinstance(address, BrokerAddress)
    assert (str(address.at), address.topic) == ("broker.local:9883", "home/edgent")
    assert (address.login.user, address.login.password) == ("ann", "p@ss/w")
    assert address.is_secured and address.with_pictures


@pytest.mark.parametrize(
    ("text", "port"),
    [("mqtt://b/t", 1883), ("mqtts://b/t", 8883), ("https://b/t", 443), ("http://127.0.0.1/t", 80)],
)
def test_a_port_is_the_usual_one_unless_it_is_said(text: str, port: int) -> None:
    address = parse_sink(text)
    assert isinstance(address, BrokerAddress | WebAddress)
    assert address.at.port == port


def test_files_are_kept_by_their_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_sink("jsonl:a b.jsonl") == FileAddress(path=tmp_path / "a b.jsonl", is_folder=False)
    assert parse_sink("folder:/tmp/x:y") == FileAddress(path=Path("/tmp/x:y"), is_folder=True)
    assert parse_sink("jsonl:a").key == parse_sink(f"jsonl:{tmp_path}/a").key


def test_one_topic_of_one_broker_is_one_sink_whoever_publishes() -> None:
    assert parse_sink("mqtt://ann:x@b/t").key == parse_sink("mqtt://bob:y@b:1883/t?pictures").key
    assert parse_sink("https://b/t?key=1").key != parse_sink("https://b/t?key=2").key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "events.jsonl",
        "jsonl:",
        "folder:",
        "ftp://host/x",
        "mqtt://",
        "mqtt://host",
        "mqtt://host/",
        "mqtt://host/a/+/b",
        "mqtt://host/a#b",
        "mqtt://host:0x10/a",
        "mqtt://host:99999/a",
        "mqtt://host/t?retain",
        "mqtt://[::1/t",
        "http://example.org/hook",
        "https://",
        "https://host/a b",
        "https://host/ü",
        "jsonl:a\0b",
        "jsonl:a\ud800b",  # which stands for no byte
        "mqtt://host/topic\udcff",  # a byte that is no text, as a command line hands it over
        "mqtt://host/topic%ff",
        "mqtt://us\udcffer:password@host/topic",
        "mqtt://user:pass%ffword@host/topic",
        "https://us\udcffer@host/hook",
        "https://user:pass%c3%28word@host/hook",
        "https://host/hook\udcff",
        "jsonl:" + "x" * 5000,
    ],
)
def test_what_is_no_sink_is_refused_in_one_line_that_says_what_is(text: str) -> None:
    with pytest.raises(InputError, match="--sink") as refusal:
        parse_sink(text)
    assert "\n" not in str(refusal.value)


SECRETS = st.text(alphabet="abcXYZ189%+/#?:@ &=;\\\"'", min_size=6, max_size=20)


@given(SECRETS, st.sampled_from(["mqtt", "mqtts", "https", "http", "amqp"]))
def test_a_password_shows_in_no_message_and_no_repr(secret: str, scheme: str) -> None:
    text = f"{scheme}://user:{secret}Q7@host.example/topic"
    try:
        address = parse_sink(text)
        said = f"{address!r} {address.name}"
    except InputError as error:
        said = str(error)
    # What stands before the last @ is secret, whether it was escaped or not; a part of it may be short enough to be
    # anywhere, so a mark ends it.
    assert "Q7" not in said and f"user:{secret}" not in said
    assert "host" in said or "no sink" in said


def test_the_path_of_a_web_address_is_a_secret_as_well() -> None:
    address = parse_sink("https://hooks.example/services/T0/B1/token?key=geheim")
    assert isinstance(address, WebAddress)
    assert address.target == "/services/T0/B1/token?key=geheim"
    assert "token" not in f"{address!r} {address.name}" and "geheim" not in f"{address!r} {address.name}"


PUBLIC = {
    "mqtt://ann:p@ss@host/t": "mqtt://host:1883/t",
    "mqtts://ann:p@ss@host/t#x": "mqtts://...@host/t",
    "mqtt:ann:pass@host/t": "mqtt:...@host/t",
    "http://hooks.example/T000/geheim": "http://hooks.example/...",
    "https://hooks.example": "https://hooks.example:443/... (8a5edab2)",
    "http:ann:pass@host/geheim": "http:...@host/...",
}


@pytest.mark.parametrize("text", PUBLIC)
def test_of_an_address_only_what_cannot_be_secret_is_shown(text: str) -> None:
    said = public_part(text)
    assert said is not None
    assert not re.search("geheim|ann|pass|p@ss|T000", said)
    assert said.partition(" (")[0] == PUBLIC[text].partition(" (")[0]


@pytest.mark.parametrize("text", ["", ":8080", "1.8@30s", "rtsp://ann:pass@host/1", "tcp://*:5555", "@file", "a.onnx"])
def test_what_does_not_begin_as_a_sink_is_none_whose_part_could_be_shown(text: str) -> None:
    assert public_part(text) is None


def test_a_file_is_shown_as_it_was_typed() -> None:
    assert public_part("jsonl:a@b?c") == "jsonl:a@b?c"


@pytest.mark.parametrize("text", ["http://hooks.example/T000/geheim", "https://ho st:x/T000/geheim", "https:/h/geheim"])
def test_what_is_refused_is_told_without_the_path_of_a_hook(text: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse_sink(text)
    assert "geheim" not in str(refusal.value)


def test_the_path_to_a_web_server_is_sent_as_it_stands() -> None:
    address = parse_sink("https://ann:%C3%BC@host/hook%ff?key=%fe")
    assert isinstance(address, WebAddress)
    assert address.target == "/hook%ff?key=%fe" and address.login.password == "ü"


def test_a_file_may_have_a_name_that_is_no_text_and_shows_as_one() -> None:
    one, other = parse_sink("jsonl:/tmp/a\udcff"), parse_sink("jsonl:/tmp/a\udcfe")
    assert one.name == "jsonl:/tmp/a\\xff" and one.key != other.key
