"""What a user touches first: names, a light import, one-line errors with their exit codes."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import edgent
import edgent.errors
from shown_help import help_of

HEAVY = ("torch", "ray", "scipy", "sklearn", "matplotlib", "starlette", "onnxruntime.training")


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edgent", *arguments], capture_output=True, text=True, timeout=200, check=False
    )


def test_the_public_names_are_sorted_and_there() -> None:
    assert edgent.__all__ == sorted(edgent.__all__)
    for name in edgent.__all__:
        assert getattr(edgent, name) is not None


def test_the_names_that_type_checkers_see_are_those_that_are_imported_on_use() -> None:
    tree = ast.parse(Path(edgent.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == edgent._HOME_OF and sorted(seen) == edgent.__all__
    assert set(edgent.__all__) <= set(dir(edgent))


def errors() -> dict[str, str]:
    """Each public error of the sources, with the module that has it."""
    folder = Path(edgent.__file__).parent
    return {
        node.name: ".".join(("edgent", *file.relative_to(folder).with_suffix("").parts))
        for file in folder.rglob("*.py")
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name.endswith("Error") and not node.name.startswith("_")
    }


def test_whatever_may_be_raised_is_a_name_of_the_package_in_one_tree() -> None:
    assert len(errors()) >= 14
    for name, module in errors().items():
        kind = getattr(edgent, name)
        assert kind is getattr(import_module(module), name) and issubclass(kind, edgent.EdgentError)


def test_the_tree_is_drawn_as_it_is() -> None:
    drawn = re.findall(r"^    ([ \u2500-\u257f]*)(\w+Error)\b", edgent.errors.__doc__ or "", re.MULTILINE)
    assert sorted(name for _, name in drawn) == sorted(errors())
    above: list[tuple[int, str]] = []
    for indent, name in drawn:
        above = [(depth, parent) for depth, parent in above if depth < len(indent)]
        if above:
            assert getattr(edgent, above[-1][1]) in getattr(edgent, name).__bases__
        above.append((len(indent), name))


def test_errors_are_also_those_that_a_caller_would_guess() -> None:
    assert issubclass(edgent.InputError, ValueError) and issubclass(edgent.EdgeError, ConnectionError)
    assert issubclass(edgent.ModelError, ValueError) and issubclass(edgent.LateError, ConnectionError)


@pytest.mark.parametrize("given", ["b-alexnet", Path("net.onnx"), b"model", None, 3])
@pytest.mark.parametrize(
    "call",
    [
        lambda given: edgent.Device(given, deadline=1.0),
        lambda given: edgent.Edge([given]),
        lambda given: edgent.plan(given, given, given, bandwidth=1e6, deadline=0.1),
    ],
    ids=["Device", "Edge", "plan"],
)
def test_what_is_no_model_is_refused_in_one_line_that_says_what_to_give(call, given) -> None:
    with pytest.raises(edgent.InputError, match=r"expects a model, found .*edgent\.load") as caught:
        call(given)
    assert "\n" not in str(caught.value)


def test_a_name_in_place_of_the_models_of_an_edge_is_refused_as_one() -> None:
    with pytest.raises(edgent.InputError, match="expects a model, found 'b-alexnet'"):
        edgent.Edge("b-alexnet")


def test_importing_the_package_imports_no_room_of_it() -> None:
    code = "import sys, edgent; print(*sorted(name for name in sys.modules if name.startswith('edgent.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=True)
    assert done.stdout.split() == ["edgent.version"]


def test_the_package_says_that_it_has_types() -> None:
    assert (Path(edgent.__file__).parent / "py.typed").is_file()


def test_the_version_is_shown_and_nothing_else() -> None:
    done = command("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"edgent {edgent.__version__}\n", "")


def test_the_program_and_every_verb_take_h_as_help() -> None:
    done = command("-h")
    assert done.returncode == 0
    assert done.stdout.partition("\n")[2] == help_of().partition("\n")[2]  # but for the program's name
    verbs = re.findall(r"^  ([a-z]+)  ", done.stdout.partition("Commands:")[2], re.MULTILINE)
    assert len(verbs) >= 14
    for verb in verbs:
        assert help_of(verb, option="-h") == help_of(verb)
        assert "Usage:" in help_of(verb)


def test_a_device_imports_nothing_heavy() -> None:
    code = f"""
import sys
import numpy as np
import edgent
from edgent.engine.loading import load
from edgent.device.device import Device
from edgent.planning import Configuration
with Device(load("b-alexnet"), deadline=1.0) as device:
    wanted = Configuration(exit=4, upload_cut=22, download_cut=22)
    device.infer(np.zeros((1, 3, 32, 32), dtype=np.float32), configuration=wanted)
found = [name for name in {HEAVY} if name in sys.modules]
assert not found, found
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["inspect", "nothing.onnx"], "no such file"),
        (["inspect", __file__], "no ONNX"),
        (["inspect", "b-alexnet", "--verify", "none"], "--verify"),
        (["inspect", "b-alexnet", "--dim", "batch"], "--dim"),
        (["profile", "b-alexnet", "-o", "nowhere/file.json"], "does not exist"),
        (["evaluate", "b-alexnet", "--data", "nowhere"], "nowhere"),
        (["run", "b-alexnet", "nothing.png", "--deadline", "100ms"], "nothing.png"),
        (["run", "b-alexnet", __file__, "--deadline", "100"], "unit"),
        (["run", "b-alexnet", __file__, "--deadline", "0ms"], "positive"),
        (["run", "b-alexnet", __file__, "--deadline", "1s", "--edge", "nowhere"], "HOST:PORT"),
        (["data", "imagenet", "."], "cifar10"),
        (["serve", "nothing"], "no such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], words: str) -> None:
    done = command(*arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("value", ["0kbps", "-1kbps", "nankbps", "400"])
def test_a_bandwidth_that_is_none_is_refused(value: str, tmp_path: Path) -> None:
    file = str(tmp_path / "p.json")
    done = command("plan", "b-alexnet", "--device", file, "--edge", file, f"--bandwidth={value}", "--deadline", "1s")
    assert done.returncode == 2
    assert "bandwidth" in done.stderr


def test_an_image_that_is_no_image_is_bad_input(tmp_path: Path) -> None:
    file = tmp_path / "cat.png"
    file.write_text("not a cat")
    done = command("run", "b-alexnet", str(file), "--deadline", "1s")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "cat.png" in done.stderr


def test_what_was_answered_before_a_bad_file_is_not_lost(tmp_path: Path) -> None:
    (bad := tmp_path / "cat.png").write_text("not a cat")
    np.save(good := tmp_path / "zeros.npy", np.zeros((1, 3, 32, 32), dtype=np.float32))
    done = command("run", "b-alexnet", str(good), str(bad), "--deadline", "10s", "--json")
    assert done.returncode == 2
    assert [answer["input"] for answer in json.loads(done.stdout)["answers"]] == [str(good)]
