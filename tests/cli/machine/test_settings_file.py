"""What stands in a file of settings is in force as if it were typed; what is wrong in it is told before the start."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer

from edgent.cli import app
from edgent.cli.arguments.settings_file import ConfigurableCommand, settings_of, without_secrets
from edgent.planning.plan import Stages
from edgent.telemetry import Record, write_records
from edgent.units import Seconds


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


@pytest.fixture
def day(tmp_path: Path) -> Path:
    plain = Record(
        input="", label=None, exit=0, by="edge", deadline_met=True, total=Seconds(0.01), stages=Stages(), plan=None
    )
    write_records(tmp_path / "day.jsonl", [plain] * 3)
    return tmp_path / "day.jsonl"


def test_a_verb_takes_arguments_and_options_from_its_section(file, day, tmp_path, edgent) -> None:
    file.write_text(f'[report]\nrecords = ["{day}"]\noutput = "{tmp_path}/a.html"\njson = true\n[serve]\nport = 9\n')
    ended = edgent("--config", file, "report")
    assert (ended.code, ended.complaints) == (0, [])
    assert json.loads(ended.out)["report"] == f"{tmp_path}/a.html" and (tmp_path / "a.html").exists()


def test_what_is_typed_holds_and_that_is_told(file, day, tmp_path, edgent, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    file.write_text('[report]\noutput = "a.html"\n')
    ended = edgent("--config", file, "report", day, "-o", tmp_path / "b.html")
    assert ended.code == 0
    assert (tmp_path / "b.html").exists() and not (tmp_path / "a.html").exists()
    (told,) = ended.complaints
    assert told == 'edgent: note: output of the command line holds, and not "a.html" of the file'


def test_without_a_section_a_verb_is_as_without_a_file(file, day, tmp_path, edgent) -> None:
    file.write_text("[serve]\nport = 9\n")
    ended = edgent("--config", file, "report", day, "-o", tmp_path / "b.html")
    assert (ended.code, ended.complaints) == (0, [])


WRONG = {
    "[serv]\n": "found 'serv' (did you mean 'serve'?), expected sections named as commands",
    "[token]\n": "found 'token', expected sections named as commands",
    "serve = 3\n": "found serve = 3, expected a section [serve]",
    "[serve]\nprt = 3\n": "[serve] prt: found an unknown key (did you mean 'port'?)",
    "[serve]\njoin_port = 3\n": "[serve] join_port: found an unknown key (did you mean 'join-port'?)",
    '[serve]\nport = "8001"\n': '[serve] port: found "8001", expected a whole number',
    "[serve]\nport = 8001.0\n": "[serve] port: found 8001.0, expected a whole number",
    "[serve]\nport = true\n": "[serve] port: found true, expected a whole number",
    "[serve]\nport = 70000\n": "[serve] port: found 70000, expected another value: ",
    "[serve]\nhost = 127\n": "[serve] host: found 127, expected a text in quotation marks",
    '[serve]\ninsecure = "yes"\n': '[serve] insecure: found "yes", expected true or false',
    "[serve]\ninsecure = 1\n": "[serve] insecure: found 1, expected true or false",
    '[serve]\nmodels = "b-alexnet"\n': '[serve] models: found "b-alexnet", expected a list, as ["b-alexnet"]',
    '[serve]\nmodels = ["a", 3]\n': "[serve] models: found 3, expected a text in quotation marks",
    "[serve]\nhost = 2026-11-30\n": "[serve] host: found 2026-11-30, expected a text",
    "[serve.port]\nx = 1\n": "[serve] port: found {'x': 1}, expected a whole number",
    '[serve]\nmemory = "much"\n': "[serve] memory 'much' is not a number with a unit",
    '[run]\ndeadline = "soon"\n': "[run] deadline 'soon' is not a number with a unit",
    '[run]\nbandwidth = "5MB/s"\n': "[run] bandwidth '5MB/s' is in bytes",
    '[run]\nedge = "http://edge"\n': "[run] edge",
    '[run]\nexit = [1, "2"]\n': '[run] exit: found "2", expected a whole number',
    '[run]\nsink = ["nonsense"]\n': "[run] sink: --sink 'nonsense': is no sink",
    '[run]\nsink = ["jsonl:a", "mqtt://host"]\n': "[run] sink: --sink 'mqtt://host': names no topic",
    '[frigate]\nsink = ["http://far.example/x"]\n': "[frigate] sink: --sink 'http://far.example/...': in plain text",
    '[run]\ndashboard = "here"\n': "[run] dashboard: --dashboard 'here': expected [HOST]:PORT",
    '[serve]\ndashboard = ":99999"\n': "[serve] dashboard: port 99999: expected",
    '[frigate]\nbind = "nonsense"\n': "[frigate] bind: --bind 'nonsense': is no address",
    '[frigate]\nbind = "tcp://*:99999"\n': "[frigate] bind: --bind 'tcp://*:99999': is no address",
    '[frigate]\ndeadline = "0ms"\n': "[frigate] deadline",
    "[run]\nfps = nan\n": "[run] fps: found nan, expected a finite number",
    "[run]\nfps = inf\n": "[run] fps: found inf, expected a finite number",
    "[replay]\nscale = nan\n": "[replay] scale: found nan, expected a finite number",
    "[run]\nfps = 0\n": "[run] fps: --fps 0: expected frames a second",
    "[run]\nfps = -1.5\n": "[run] fps: --fps -1.5: expected frames a second",
    '[run]\ncrop = "?"\n': "[run] crop: --crop ?: expected WIDTHxHEIGHT+LEFT+TOP",
    '[run]\nthrottle = "2"\n': "[run] throttle: ",
    '[run]\ndim = ["n=0"]\n': "[run] dim: ",
    '[run]\ncodec = ["jepg"]\n': "[run] codec: ",
    '[serve]\nengine = "tensorrt"\n': "[serve] engine: --engine 'tensorrt': expected onnxruntime or openvino",
    '[serve]\ncluster = "head"\n': "[serve] cluster: --cluster",
    '[run]\nenvironment = "windy"\n': "[run] environment: ",
    '[run]\nemulate = "pi-9"\n': "[run] emulate: no emulated device is called 'pi-9'",
    '[run]\nsource = ["door=camera:x"]\n': "[run] source: --source door=camera:x: is no source",
    '[run]\nsource = ["gopher://door"]\n': "[run] source: --source gopher://door",
    '[run]\ntrace-to = "collector:4318"\n': "[run] trace-to: --trace-to 'collector:4318': expected http://",
    '[run]\ndirection = "up"\n': "[run] direction: --direction 'up': expected",
    "[serve]\nport = 1\nport = 2\n": "found no TOML",
    "serve\n": "found no TOML",
    "a = " + "[" * 5000: "nested too deep",
}


@pytest.mark.parametrize(("text", "words"), WRONG.items(), ids=range(len(WRONG)))
def test_what_is_wrong_is_one_line_that_names_file_section_and_key(text, words, file, edgent) -> None:
    file.write_text(text)
    for command in (("config", "check", file), ("config", "show", file), ("--config", file, "report", "none")):
        ended = edgent(*command)
        assert ended.code == 2 and ended.out == ""
        (told,) = ended.complaints
        assert str(file) in told and words in told


def test_what_a_verb_needs_and_the_file_lacks_is_told(file, edgent) -> None:
    file.write_text('[serve]\nport = 9\n[run]\nmodel = "b-alexnet"\ndeadline = "1s"\n')
    ended = edgent("config", "check", file)
    assert ended.code == 0
    assert ended.complaints == ["edgent: warning: [serve] lacks models, which then must be typed"]
    told = json.loads(edgent("config", "check", file, "--json").out)
    assert told["lacks"] == {"serve": ["models"], "run": []}


@pytest.mark.parametrize("value", ['"camera:0"', '"yard=rtsp://door/1"', '"-"', '"films"', '"a=b.mp4"'])
def test_a_source_need_not_be_there_to_be_written_down(value, file, edgent) -> None:
    file.write_text(f"[run]\nsource = [{value}]\nengine = 'openvino'\nenvironment = 'dynamic'\nemulate = 'pi-4'\n")
    assert edgent("config", "check", file).code == 0


@pytest.mark.parametrize("name", ["none.toml", "."])
def test_a_file_that_cannot_be_read_is_told(name, tmp_path, edgent) -> None:
    ended = edgent("config", "check", tmp_path / name)
    assert ended.code == 2 and "cannot be read" in ended.complaints[0]


def test_binary_rubbish_is_no_settings(file, edgent) -> None:
    file.write_bytes(bytes(range(256)))
    assert edgent("config", "check", file).complaints == [f"edgent: {file}: found no text"]


def commands() -> dict[str, ConfigurableCommand]:
    every = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return {verb: command for verb, command in every.items() if isinstance(command, ConfigurableCommand)}


@pytest.mark.parametrize("verb", commands())
def test_every_default_of_every_verb_can_be_written_down(verb, file, edgent) -> None:
    defaults = {key: parameter.default for key, parameter in settings_of(commands()[verb]).items()}
    lines = [f"{key} = {toml(value)}" for key, value in defaults.items() if value not in (None, "", [], ())]
    file.write_text("\n".join([f"[{verb}]", *lines, ""]))
    ended = edgent("config", "show", file, "--json")
    assert ended.code == 0, ended.err
    shown = json.loads(ended.out)[verb]
    assert list(shown) == list(defaults)
    assert sum(setting["from"] == "file" for setting in shown.values()) == len(lines)


def toml(value: object) -> str:
    return json.dumps(str(value) if isinstance(value, Path) else value)


def test_keys_are_named_as_the_options_that_help_shows(edgent) -> None:
    for verb, command in commands().items():
        text = edgent(verb, "--help").out
        options = set(re.findall(r"(?<!\S)--([a-z-]+)", text))
        keys = {key for key, one in settings_of(command).items() if one.param_type_name == "option"}
        assert keys <= options


def test_check_says_how_much_it_has_seen(file, edgent) -> None:
    file.write_text('[serve]\nmodels = ["b-alexnet"]\nport = 0\n[run]\n')
    assert edgent("config", "check", file).out == f"{file} is right; settings: [serve] 2, [run] 0\n"
    assert json.loads(edgent("config", "check", file, "--json").out)["settings"] == {"serve": 2, "run": 0}


def test_show_tells_what_is_in_force_and_whence(file, edgent) -> None:
    file.write_text('[serve]\nmodels = ["b-alexnet"]\nport = 0\n')
    shown = edgent("config", "show", file).out
    assert re.search(r"port +0 +file", shown) and re.search(r"join-port +8002 +default", shown)


def test_what_is_right_is_not_refused(file, edgent) -> None:
    file.write_text(
        '[run]\nsink = ["jsonl:a", "@sinks", "mqtts://me:x@broker/topic?pictures"]\ndashboard = ":8080"\nfps = 0.5\n'
        'crop = "640x480+0+0"\nrtt = "0ms"\nexit = [0]\ncodec = ["jpeg-90"]\ndirection = "edge-first"\n'
        'throttle = "1.8@0s"\ndim = ["n=3"]\n[frigate]\nbind = "ipc:///run/x"\n[serve]\ncluster = "local"\n'
    )
    assert edgent("config", "check", file).code == 0


def test_no_password_is_shown(file, edgent) -> None:
    sinks = ["mqtt://me:se@cret@broker/topic", "jsonl:a", "https://hooks.example/T000/SEcret"]
    file.write_text(f'[run]\nsink = {json.dumps(sinks)}\nsource = ["yard=rtsp://me:secret@cam/1?pwd=secret"]\n')
    document = json.loads(edgent("config", "show", file, "--json").out)["run"]
    broker, lines, hook = document["sink"]["value"]
    assert (broker, lines) == ("mqtt://broker:1883/topic", "jsonl:a") and hook.startswith(
        "https://hooks.example:443/..."
    )
    assert document["source"]["value"] == ["yard=rtsp://cam/1"]
    assert "cret" not in edgent("config", "show", file).out
    for wrong in (f'sink = "{sinks[0]}"', f'sink = "{sinks[2]}"', f'fps = "{sinks[2]}"', f'sink.x = "{sinks[2]}"'):
        file.write_text(f"[run]\n{wrong}\n")
        (told,) = edgent("config", "check", file).complaints
        assert "cret" not in told and "T000" not in told and ("broker" in told or "hooks" in told)


@pytest.mark.parametrize(
    "text", ["", ":8080", "1.8@30s", "a#b?.onnx", "jsonl:/a@b#c", "folder:x?y", "tcp://*:5555", "ipc:///run/x", "@file"]
)
def test_what_has_no_secret_is_shown_as_it_is(text: str) -> None:
    assert without_secrets({"a": [text, 3]}) == {"a": [text, 3]}


@pytest.mark.parametrize(
    "text",
    [
        "yard=https://ann:geheim@cam.example/1?pwd=geheim",
        "rtsp://ann:gehe@im:geheim@10.0.0.9:554/1?pwd=geheim",
        "rtsp://10.0.0.9/user=ann_password=geheim_stream=0",
        "10.0.0.9/1?pwd=geheim",
        "ann:geheim@10.0.0.9",
        "mqtt:ann:geheim@host/t",
        "http://far.example/T0/geheim",
    ],
)
def test_what_is_secret_of_a_source_or_a_sink_is_not_shown_however_it_is_mistyped(text: str) -> None:
    assert not re.search("ann|gehe", without_secrets([text])[0])


def test_what_the_environment_says_holds_and_that_is_told(file, tmp_path, edgent, monkeypatch) -> None:
    monkeypatch.setenv("EDGENT_SINKS", "jsonl:b")
    file.write_text('[run]\nsink = ["mqtt://me:secret@broker/topic"]\n')
    told = edgent("--config", file, "run", tmp_path / "none.onnx", "none.png", "--deadline", "1s").complaints[0]
    assert told == 'edgent: note: sink of the environment holds, and not ["mqtt://broker:1883/topic"] of the file'
