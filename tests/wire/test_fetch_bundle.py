"""A bundle is fetched by name: each file for devices by its digest; of the others no more than how to ask for them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import RefusedError
from edgent.model import SHIPPED, Model
from edgent.testing import FakeLink
from edgent.wire import messages as m
from edgent.wire.edge_client import EdgeClient
from edgent.wire.errors import NotServedError
from edgent.wire.fetch_model import fetch_model
from edgent.wire.transport import Streaming

NAMES = ("b-alexnet-narrow", "b-alexnet-int8", "b-alexnet")
BUNDLE = "+".join(NAMES)
IMAGE = np.random.default_rng(1).standard_normal((1, 3, 32, 32)).astype(np.float32)


@pytest.fixture(autouse=True)
def _cache(empty_cache: Path) -> None:
    """Each test fetches anew."""


@pytest.fixture(scope="module")
def bundle() -> Model:
    return load(BUNDLE)


def link_to(bundle: Model, *edge_only: str) -> FakeLink:
    return FakeLink(Edge(bundle, edge_only=edge_only).service.methods())


def saying(link: FakeLink, what: str, file: str, data: bytes) -> FakeLink:
    """The same edge, which sends something else for one thing that is fetched."""
    plain = link.methods[m.FETCH]
    assert isinstance(plain, Streaming)

    def answer(message, call):
        if m.FetchRequest.FromString(message).what == what:
            yield m.Chunk(file=file, size=len(data), data=data).SerializeToString()
        else:
            yield from plain.answer(message, call)

    link.mend({**link.methods, m.FETCH: Streaming(answer=answer)})
    return link


def manifest_of(bundle: Model, *edge_only: str) -> dict:
    return json.loads(EdgeClient(link_to(bundle, *edge_only)).document("manifest", bundle.name, bundle.digest))


def kept(empty_cache: Path) -> set[str]:
    return {path.name for path in (empty_cache / "models").rglob("*.onnx")}


def test_without_a_mark_all_files_come_and_the_bundle_is_the_edges(bundle):
    fetched = fetch_model("edge", BUNDLE, channel=link_to(bundle))
    assert (fetched.name, fetched.digest, fetched.digests) == (bundle.name, bundle.digest, bundle.digests)
    assert [(b.exit, b.name, b.accuracy) for b in fetched.branches] == [
        (b.exit, b.name, b.accuracy) for b in bundle.branches
    ]
    assert fetched.remote == ()


def test_what_is_for_the_edge_only_does_not_come_and_the_digest_is_the_same_all_the_same(bundle, empty_cache):
    fetched = fetch_model("edge", BUNDLE, channel=link_to(bundle, "b-alexnet"))
    assert kept(empty_cache) == {"b-alexnet-narrow.onnx", "b-alexnet-int8.onnx"}
    assert (fetched.name, fetched.digest, fetched.digests) == (bundle.name, bundle.digest, bundle.digests)
    assert len(fetched.branches) == 10 and len(fetched.remote) == 5
    for branch in (*fetched.branches, *fetched.remote):
        whole = bundle.branch(branch.exit)
        assert (branch.name, branch.accuracy, len(branch.layers)) == (whole.name, whole.accuracy, len(whole.layers))
        assert branch.outputs == whole.outputs
        assert branch.sent(0, len(branch.layers)) == whole.sent(0, len(whole.layers))


@pytest.mark.parametrize("edge_only", [("b-alexnet",), ("b-alexnet-int8",), ("b-alexnet", "b-alexnet-int8")])
def test_each_exit_that_came_answers_as_in_its_own_file(bundle, edge_only):
    fetched = fetch_model("edge", BUNDLE, channel=link_to(bundle, *edge_only))
    engine = OnnxRuntimeEngine()
    for branch in fetched.branches:
        (answer,) = branch.outputs
        found = engine.session(fetched, ["image"], [answer.name]).run({"image": IMAGE})[answer.name]
        path = bundle.member_of(bundle.branch(branch.exit))
        original = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        (expected,) = original.run([answer.name.rpartition("/")[2]], {"image": IMAGE})
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_files_of_weights_come_with_the_file_that_names_them(tmp_path, empty_cache):
    for name in NAMES[:2]:
        proto = onnx.load(SHIPPED / f"{name}.onnx")
        onnx.save(proto, tmp_path / f"{name}.onnx", save_as_external_data=True, location=f"{name}.onnx.data")
    bundle = load("+".join(str(tmp_path / f"{name}.onnx") for name in NAMES[:2]))
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    with pytest.raises(RefusedError, match="more than"):
        fetch_model("edge", bundle.name, channel=link_to(bundle), most=size - 1)
    fetched = fetch_model("edge", bundle.name, channel=link_to(bundle), most=size)
    assert fetched.digest == bundle.digest
    assert len(list((empty_cache / "models").rglob("*.onnx.data"))) == 2


def test_it_is_fetched_once_and_a_damaged_file_alone_again(bundle, empty_cache):
    link = link_to(bundle, "b-alexnet")
    fetch_model("edge", BUNDLE, channel=link)
    fetch_model("edge", BUNDLE, channel=link)
    files = 2
    assert link.calls.count(m.FETCH) == files + 2, "the manifest each time"
    (damaged,) = (empty_cache / "models").rglob("b-alexnet-int8.onnx")
    damaged.write_bytes(b"")
    assert fetch_model("edge", BUNDLE, channel=link).digest == bundle.digest
    assert link.calls.count(m.FETCH) == files + 2 + 2


def test_a_file_for_the_edge_only_is_not_sent_even_if_it_is_asked_for_by_its_digest(bundle):
    remote = EdgeClient(link_to(bundle, "b-alexnet"))
    here = rf"b-alexnet-narrow {bundle.digests['b-alexnet-narrow'][:12]}, b-alexnet-int8 "
    for digest in (bundle.digests["b-alexnet"], "0" * 64):
        with pytest.raises(RefusedError, match=f"no file of version {digest[:12]} for devices; it has {here}"):
            list(remote.fetch("model", BUNDLE, bundle.digest, digest))


def test_an_old_device_is_told_that_it_is_too_old_for_bundles(bundle):
    with pytest.raises(NotServedError, match=r"is a bundle, fetched a file at a time.*too old"):
        list(EdgeClient(link_to(bundle)).fetch("model", BUNDLE, bundle.digest))


def test_a_file_that_is_not_the_one_named_is_refused_naming_both_and_not_kept(bundle, empty_cache):
    other = onnx.load(bundle.path)
    other.graph.initializer[0].raw_data = bytes(len(other.graph.initializer[0].raw_data))
    link = saying(link_to(bundle), "model", "b-alexnet-narrow.onnx", other.SerializeToString())
    named = bundle.digests["b-alexnet-narrow"][:12]
    with pytest.raises(RefusedError, match=rf"sent version [0-9a-f]{{12}} of b-alexnet-narrow, but named {named}:"):
        fetch_model("edge", BUNDLE, channel=link)
    assert kept(empty_cache) == set()


def spoilt(bundle: Model, **changes) -> FakeLink:
    document = manifest_of(bundle, "b-alexnet") | changes
    return saying(link_to(bundle, "b-alexnet"), "manifest", "manifest.json", json.dumps(document).encode())


def test_a_manifest_of_other_files_or_of_exits_in_another_order_is_refused(bundle, empty_cache):
    document = manifest_of(bundle, "b-alexnet")
    digest = {**document["files"][2], "digest": "0" * 64}
    for changes in (
        {"files": [*document["files"][:2], digest]},
        {"files": document["files"][:2]},
        {"files": [{**document["files"][0], "name": "other"}, *document["files"][1:]]},
        {"exits": document["exits"][::-1]},
        {"exits": document["exits"][:-1]},
    ):
        with pytest.raises(RefusedError, match=rf"but named {bundle.version}"):
            fetch_model("edge", BUNDLE, channel=spoilt(bundle, **changes))
    assert kept(empty_cache) == set()


def change(bundle: Model, exit: int, **changes) -> FakeLink:
    exits = manifest_of(bundle, "b-alexnet")["exits"]
    exits[exit] |= changes
    return spoilt(bundle, exits=exits)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layers": 0}, "found 0 layers"),
        ({"layers": 10**12}, "found 1000000000000 layers"),
        ({"accuracy": 1.5}, "accuracy of 1.5"),
        ({"accuracy": None}, "null"),
        ({"inputs": []}, "no inputs"),
        ({"inputs": ["picture"]}, "'picture', which is no input"),
        ({"more": 1}, "unknown key 'more'"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused_in_one_line(bundle, changes, words):
    remote = max(b.exit for b in bundle.branches if bundle.member_of(b).stem == "b-alexnet")
    with pytest.raises(RefusedError, match=words) as caught:
        fetch_model("edge", BUNDLE, channel=change(bundle, remote, **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b'{"schema": 1, "files": [], "inputs": [], "exits": []}'])
def test_what_is_no_manifest_is_refused_in_one_line(bundle, text, empty_cache):
    with pytest.raises(RefusedError) as caught:
        fetch_model("edge", BUNDLE, channel=saying(link_to(bundle), "manifest", "manifest.json", text))
    assert "\n" not in str(caught.value) and kept(empty_cache) == set()


def test_names_of_files_outside_their_folder_are_refused(bundle, tmp_path, empty_cache):
    from edgent.model.files.manifest import BundleFile, Manifest

    manifest = Manifest.from_json(json.dumps(manifest_of(bundle)))
    files = (BundleFile(name="../evil", digest=manifest.files[0].digest, edge_only=False), *manifest.files[1:])
    evil = Manifest(files=files, inputs=manifest.inputs, exits=manifest.exits)
    link = saying(link_to(bundle), "manifest", "manifest.json", evil.to_json().encode())
    response = m.DescribeResponse(version="1")
    response.models.add(name=BUNDLE, digest=evil.digest, members={"../evil": "a" * 64})
    plain = link.methods[m.DESCRIBE]
    link.mend({**link.methods, m.DESCRIBE: type(plain)(answer=lambda message, call: response.SerializeToString())})
    with pytest.raises(RefusedError, match=r"'\.\./evil', which is no name of a file"):
        fetch_model("edge", BUNDLE, channel=link)
    assert not list(tmp_path.rglob("evil*"))


def test_all_files_together_are_held_to_the_bound(bundle, empty_cache):
    sizes = [path.stat().st_size for path in bundle.members]
    with pytest.raises(RefusedError, match="more than"):
        fetch_model("edge", BUNDLE, channel=link_to(bundle), most=sum(sizes) - 1)
    assert fetch_model("edge", BUNDLE, channel=link_to(bundle), most=sum(sizes)).digest == bundle.digest
