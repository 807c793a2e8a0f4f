"""Of what an edge sends, the digest is believed and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from constant_kinds import bodies_of_an_if
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import EdgeError, RefusedError
from edgent.model import Model
from edgent.testing import FakeLink
from edgent.wire import messages as m
from edgent.wire.errors import LateError, NotServedError
from edgent.wire.fetch_model import fetch_model
from edgent.wire.transport import Reply, Streaming, Unary
from graphs import dense, residual, saved


@pytest.fixture(autouse=True)
def _cache(empty_cache: Path) -> None:
    """Each test fetches anew."""


@pytest.fixture
def link(model):
    return FakeLink(Edge(model).service.methods())


@pytest.fixture
def served(tmp_path) -> Model:
    """A model whose weights lie in two other files, one of them in a folder."""
    path = tmp_path / "edge" / "net.onnx"
    path.parent.mkdir()
    onnx.save(residual(), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    proto = onnx.load(path, load_external_data=False)
    (path.parent / "data").mkdir()
    shutil.copy(path.parent / "w.bin", path.parent / "data" / "more.bin")
    next(e for e in proto.graph.initializer[-1].external_data if e.key == "location").value = "data/more.bin"
    path.write_bytes(proto.SerializeToString())
    return load(path)


def kept(empty_cache: Path) -> list[str]:
    folder = empty_cache / "models"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def files_of(model: Model) -> list[tuple[str, bytes]]:
    names = [model.path.name, *model.files]
    return [(name, (model.path.parent / name).read_bytes()) for name in names]


class Silent(FakeLink):
    """An edge whose connection stands, and that says nothing."""

    def call(self, method: str, message: bytes, timeout: float) -> Reply:
        raise LateError("Deadline Exceeded")

    def first_words(self, timeout: float) -> str | None:
        raise AssertionError("it was waited for already")


def test_an_edge_that_says_nothing_is_waited_for_once_and_that_is_told_with_the_time() -> None:
    with pytest.raises(EdgeError, match=r"^the edge 192\.0\.2\.7:8001 says nothing within 10 s; "):
        fetch_model("192.0.2.7:8001", "net", channel=Silent({}))


def sending(model: Model, *files: tuple[str, bytes], then: Exception | None = None) -> FakeLink:
    """An edge that names a model, and sends these files for it."""
    link = FakeLink(Edge(model).service.methods())

    def answer(message: bytes, call: object) -> Iterator[bytes]:
        for name, data in files:
            yield m.Chunk(file=name, size=len(data)).SerializeToString()
            for start in range(0, len(data), 1000):
                yield m.Chunk(file=name, data=data[start : start + 1000]).SerializeToString()
        if then:
            raise then

    link.mend({**link.methods, m.FETCH: Streaming(answer=answer)})
    return link


def scores(model: Model) -> list[float]:
    x = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)
    (answer,) = model.branches[0].outputs
    return Engine().session(model, ["x"], [answer.name]).run({"x": x})[answer.name].ravel().tolist()


def test_a_fetched_model_is_the_edges_and_is_fetched_once(model, link, empty_cache):
    fetched = fetch_model("edge", "b-alexnet", channel=link)
    assert (fetched.name, fetched.digest) == ("b-alexnet", model.digest)
    assert kept(empty_cache) == [f"b-alexnet-{model.digest[:32]}/b-alexnet.onnx"]
    assert fetch_model("edge", "b-alexnet", channel=link).path == fetched.path
    assert link.calls.count(m.FETCH) == 1


def test_over_grpc_too(model, edge):
    assert fetch_model(edge.address, "b-alexnet").path.read_bytes() == model.path.read_bytes()


def test_files_of_weights_come_with_it(served, empty_cache):
    fetched = fetch_model("edge", "net", channel=FakeLink(Edge(served).service.methods()))
    folder = f"net-{served.digest[:32]}"
    assert kept(empty_cache) == [f"{folder}/data/more.bin", f"{folder}/net.onnx", f"{folder}/w.bin"]
    assert fetched.digest == served.digest and scores(fetched) == scores(served)


def test_several_files_of_one_deep_folder_come_with_it(tmp_path, empty_cache):
    path = tmp_path / "net.onnx"
    onnx.save(residual(), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    proto = onnx.load(path, load_external_data=False)
    (tmp_path / "a" / "b").mkdir(parents=True)
    for tensor, name in zip(proto.graph.initializer, ("a/b/one", "a/b/two", "a/three"), strict=False):
        shutil.copy(tmp_path / "w.bin", tmp_path / name)
        next(e for e in tensor.external_data if e.key == "location").value = name
    path.write_bytes(proto.SerializeToString())
    served = load(path)
    fetched = fetch_model("edge", "net", channel=FakeLink(Edge(served).service.methods()))
    assert fetched.digest == served.digest and len(kept(empty_cache)) == 5


def test_so_do_those_of_bodies(tmp_path, empty_cache):
    path = tmp_path / "net.onnx"
    onnx.save(
        bodies_of_an_if(), path, save_as_external_data=True, location="w.bin", size_threshold=0, convert_attribute=True
    )
    served = load(path)
    fetched = fetch_model("edge", "net", channel=FakeLink(Edge(served).service.methods()))
    assert fetched.digest == served.digest and len(kept(empty_cache)) == 2


def test_an_empty_file_of_weights_comes_too(tmp_path, empty_cache):
    from constant_kinds import nothing_at_all

    path = tmp_path / "net.onnx"
    onnx.save(nothing_at_all(), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    assert (tmp_path / "w.bin").stat().st_size == 0
    served = load(path)
    fetched = fetch_model("edge", "net", channel=FakeLink(Edge(served).service.methods()))
    assert fetched.digest == served.digest


def test_a_model_laid_out_as_in_a_hubs_cache_comes_as_plain_files(tmp_path, empty_cache, served):
    hub = tmp_path / "hub"
    (hub / "blobs").mkdir(parents=True)
    (hub / "snapshots" / "abc").mkdir(parents=True)
    path = hub / "snapshots" / "abc" / "net.onnx"
    onnx.save(residual(), path, save_as_external_data=True, location="net.onnx_data", size_threshold=0)
    for file in (path, path.with_name("net.onnx_data")):
        file.rename(hub / "blobs" / file.name.replace(".", "0"))
        file.symlink_to(f"../../blobs/{file.name.replace('.', '0')}")
    fetched = fetch_model("edge", "net", channel=FakeLink(Edge(load(path)).service.methods()))
    assert not fetched.path.is_symlink() and fetched.digest == served.digest


def test_a_second_model_beside_it_is_not_what_runs(model, link, empty_cache):
    fetched = fetch_model("edge", "b-alexnet", channel=link)
    for name in ("a.onnx", "zzz.onnx"):
        saved(residual(), fetched.path.with_name(name))
    again = fetch_model("edge", "b-alexnet", channel=link)
    assert again.digest == model.digest and again.path == fetched.path


@pytest.mark.parametrize("name", ["net.onnx", "w.bin", "data/more.bin"])
@pytest.mark.parametrize("damage", ["zeroed", "cut off", "gone"])
def test_what_was_damaged_in_the_cache_is_fetched_again(served, name, damage, empty_cache):
    link = FakeLink(Edge(served).service.methods())
    file = fetch_model("edge", "net", channel=link).path.parent / name
    size = file.stat().st_size
    file.unlink() if damage == "gone" else file.write_bytes(bytes(size) if damage == "zeroed" else b"")
    fetched = fetch_model("edge", "net", channel=link)
    assert fetched.digest == served.digest and scores(fetched) == scores(served)
    assert link.calls.count(m.FETCH) == 2


def test_another_version_of_the_same_name_is_another_entry(tmp_path, empty_cache):
    versions = [load(saved(build(), tmp_path / build.__name__ / "net.onnx")) for build in _built(tmp_path)]
    found = [fetch_model("edge", "net", channel=FakeLink(Edge(v).service.methods())).digest for v in versions]
    assert found == [version.digest for version in versions] and len(kept(empty_cache)) == 2


def _built(folder: Path):
    for build in (residual, dense):
        (folder / build.__name__).mkdir()
        yield build


def test_a_model_that_is_not_served_is_said_so_naming_those_that_are(link):
    with pytest.raises(NotServedError, match=r"no model 'resnet'.*b-alexnet"):
        fetch_model("edge", "resnet", channel=link)


@pytest.mark.parametrize("file", ["../evil.onnx", "/tmp/evil.onnx", ".", "..", "", "a/evil.onnx", "a\0b"])
def test_a_file_outside_its_folder_is_not_written(model, file, empty_cache):
    with pytest.raises(RefusedError, match="outside its folder"):
        fetch_model("edge", "b-alexnet", channel=sending(model, (file, b"x")))
    assert kept(empty_cache) == []


def test_a_file_that_the_model_does_not_name_is_refused(served, empty_cache):
    files = files_of(served)
    with pytest.raises(RefusedError, match=r"'second\.onnx', which net does not name"):
        fetch_model("edge", "net", channel=sending(served, *files, ("second.onnx", files[0][1])))
    assert kept(empty_cache) == []


def test_a_file_that_comes_twice_is_refused(served, empty_cache):
    main, first, second = files_of(served)
    with pytest.raises(RefusedError, match="twice"):
        fetch_model("edge", "net", channel=sending(served, main, first, second, first))
    assert kept(empty_cache) == []


def test_a_model_that_names_files_outside_is_refused_before_they_are_written(served, tmp_path, empty_cache):
    proto = onnx.load(served.path, load_external_data=False)
    next(e for e in proto.graph.initializer[0].external_data if e.key == "location").value = "../../evil"
    files = [("net.onnx", proto.SerializeToString()), ("../../evil", b"x")]
    with pytest.raises(RefusedError, match="does not name"):
        fetch_model("edge", "net", channel=sending(served, *files))
    assert not list(tmp_path.rglob("evil")) and kept(empty_cache) == []


def test_a_model_that_names_itself_as_its_weights_is_refused(served, empty_cache):
    proto = onnx.load(served.path, load_external_data=False)
    next(e for e in proto.graph.initializer[0].external_data if e.key == "location").value = "net.onnx"
    data = proto.SerializeToString()
    with pytest.raises(RefusedError, match="twice"):
        fetch_model("edge", "net", channel=sending(served, ("other.onnx", data), ("net.onnx", data)))


def test_a_model_that_is_not_the_one_it_was_named_is_not_kept(model, empty_cache):
    other = onnx.load(model.path)
    other.graph.initializer[0].raw_data = bytes(len(other.graph.initializer[0].raw_data))
    with pytest.raises(RefusedError, match=rf"sent version [0-9a-f]{{12}} of b-alexnet, but named {model.version}:"):
        fetch_model("edge", "b-alexnet", channel=sending(model, ("b-alexnet.onnx", other.SerializeToString())))
    assert kept(empty_cache) == []


def test_weights_that_are_not_the_models_are_not_kept(served, empty_cache):
    main, (name, data), last = files_of(served)
    with pytest.raises(RefusedError, match="but named"):
        fetch_model("edge", "net", channel=sending(served, main, (name, data[:-1] + b"!"), last))
    assert kept(empty_cache) == []


@pytest.mark.parametrize("files", [[("net.onnx", b"no model")], [("net.onnx", b"no model"), ("w.bin", b"x")], []])
def test_what_is_no_model_is_one_line(served, files, empty_cache):
    with pytest.raises(RefusedError, match=r"no model|cannot be read"):
        fetch_model("edge", "net", channel=sending(served, *files))
    assert kept(empty_cache) == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_fetch_that_is_broken_off_leaves_nothing_that_is_believed(served, count, empty_cache):
    broken = sending(served, *files_of(served)[:count], then=EdgeError("the edge went away"))
    with pytest.raises(EdgeError, match="went away"):
        fetch_model("edge", "net", channel=broken)
    assert kept(empty_cache) == []
    assert fetch_model("edge", "net", channel=sending(served, *files_of(served))).digest == served.digest


def test_more_than_the_bound_is_refused_while_it_comes(served, empty_cache):
    files = files_of(served)
    size = sum(len(data) for _, data in files)
    endless = sending(served, *files, then=AssertionError("it was read to the end"))
    with pytest.raises(RefusedError, match=rf"more than {size - 1:,} bytes for net"):
        fetch_model("edge", "net", channel=endless, most=size - 1)
    assert kept(empty_cache) == []
    assert fetch_model("edge", "net", channel=sending(served, *files), most=size).digest == served.digest


@pytest.mark.parametrize("digest", ["", "abc", "g" * 64, "A" * 64, "../" * 21 + "a"])
def test_a_digest_that_is_none_is_refused(link, digest):
    response = m.DescribeResponse(version="1")
    response.models.add(name="b-alexnet", digest=digest)
    methods = dict(link.methods)
    methods[m.DESCRIBE] = type(methods[m.DESCRIBE])(answer=lambda message, call: response.SerializeToString())
    link.mend(methods)
    with pytest.raises(RefusedError, match="it is no edge of Edgent"):
        fetch_model("edge", "b-alexnet", channel=link)


@pytest.mark.parametrize("name", ["../evil", "a/b", "..", "x" * 201, "ü" * 101])
def test_a_name_that_is_no_files_is_refused(link, name):
    response = m.DescribeResponse(version="1")
    response.models.add(name=name, digest="a" * 64)
    methods = dict(link.methods)
    methods[m.DESCRIBE] = type(methods[m.DESCRIBE])(answer=lambda message, call: response.SerializeToString())
    link.mend(methods)
    with pytest.raises(RefusedError, match="no name of a file"):
        fetch_model("edge", name, channel=link)


def test_a_model_served_with_numbers_for_its_free_dimensions_comes_with_them(tmp_path, empty_cache):
    served = load(saved(residual(batch="batch", side="side"), tmp_path / "net.onnx"), dims={"batch": 2, "side": 16})
    fetched = fetch_model("edge", "net", channel=FakeLink(Edge(served).service.methods()))
    assert fetched.digest == served.digest and fetched.dims == {"batch": 2, "side": 16}
    assert fetched.inputs[0].shape == (2, 3, 16, 16)


@pytest.mark.parametrize("dims", [{"nobody": 3}, {"batch": -1}, {"batch": 1 << 40}, {}])
def test_numbers_that_do_not_fit_the_model_are_refused_in_one_line(tmp_path, dims, empty_cache):
    served = load(saved(residual(batch="batch"), tmp_path / "net.onnx"), dims={"batch": 2})
    link = FakeLink(Edge(served).service.methods())
    response = m.DescribeResponse(version="1")
    response.models.add(name="net", digest=served.digest, dims=dims)
    link.mend({**link.methods, m.DESCRIBE: Unary(answer=lambda message, call: response.SerializeToString())})
    with pytest.raises(RefusedError, match=r"is no model|but named") as caught:
        fetch_model("edge", "net", channel=link)
    assert "\n" not in str(caught.value) and kept(empty_cache) == []


def test_of_two_versions_the_newest_is_fetched(tmp_path, empty_cache):
    new, old = (load(saved(build(), tmp_path / build.__name__ / "net.onnx")) for build in _built(tmp_path))
    assert fetch_model("edge", "net", channel=FakeLink(Edge([new, old]).service.methods())).digest == new.digest
    assert fetch_model("edge", "net", channel=FakeLink(Edge([old, new]).service.methods())).digest == old.digest


def test_a_file_that_is_gone_from_the_edge_is_said_to_be(served):
    (served.path.parent / "w.bin").unlink()
    with pytest.raises(Exception, match=r"w\.bin of net is no longer there"):
        fetch_model("edge", "net", channel=FakeLink(Edge(served).service.methods()))


def test_a_fetched_model_stays_while_the_process_may_read_its_weights(served, empty_cache):
    from edgent import cache

    fetched = fetch_model("edge", "net", channel=FakeLink(Edge(served).service.methods()))
    cache.trim(empty_cache, 0, now=fetched.path.stat().st_mtime + 1e6)
    assert scores(fetched) == scores(served)


@pytest.fixture
def configured(tmp_path) -> Model:
    """A model of free dimensions, with a configuration, labels and a graph for post-processing beside it."""
    (tmp_path / "edge" / "posts").mkdir(parents=True)
    path = saved(residual(batch="N", side="side"), tmp_path / "edge" / "net.onnx")
    node, opset = onnx.helper.make_node("Neg", ["y"], ["z"]), onnx.helper.make_opsetid("", 17)
    values = [onnx.helper.make_tensor_value_info(name, 1, None) for name in "yz"]
    post = onnx.helper.make_graph([node], "post", values[:1], values[1:])
    onnx.save(onnx.helper.make_model(post, opset_imports=[opset], ir_version=8), path.parent / "posts" / "neg.onnx")
    (path.parent / "names.txt").write_text("cat\ndog\n")
    text = 'task = "raw"\nlabels = "names.txt"\npost = "posts/neg.onnx"\n[preprocessing]\nsize = [8, 8]\n'
    path.with_name("net.edgent.toml").write_text(text)
    return load(path, dims={"side": 12})


def test_a_configuration_and_the_edges_dimensions_come_with_it(configured, empty_cache):
    fetched = fetch_model("edge", "net", channel=FakeLink(Edge(configured).service.methods()))
    assert (fetched.digest, fetched.dims) == (configured.digest, {"N": 1, "side": 12})
    assert fetched.metadata == configured.metadata and fetched.metadata.labels == ("cat", "dog")
    folder = f"net-{configured.digest[:32]}"
    assert kept(empty_cache) == [f"{folder}/{name}" for name in ("net.edgent.toml", "net.onnx", "posts/neg.onnx")]
    again = fetch_model("edge", "net", dims={"side": 12}, channel=FakeLink(Edge(configured).service.methods()))
    assert again.path == fetched.path


def test_other_dimensions_than_the_edges_are_refused(configured):
    with pytest.raises(RefusedError, match="with side=12, asked for was 8"):
        fetch_model("edge", "net", dims={"side": 8}, channel=FakeLink(Edge(configured).service.methods()))


@pytest.mark.parametrize("name", ["other.toml", "../net.edgent.toml", "posts/else.onnx", "names.txt"])
def test_files_that_no_configuration_names_are_refused(name, configured):
    toml = configured.path.with_name("net.edgent.toml").read_bytes()
    files = [("net.onnx", configured.path.read_bytes()), ("net.edgent.toml", toml), (name, b"x")]
    with pytest.raises(RefusedError, match="does not name"):
        fetch_model("edge", "net", channel=sending(configured, *files))


def test_a_configuration_that_is_not_the_edges_is_not_believed(configured):
    files = [("net.onnx", configured.path.read_bytes()), ("net.edgent.toml", b"[preprocessing]\nsize = [8, 8]\n")]
    with pytest.raises(RefusedError, match="sent version"):
        fetch_model("edge", "net", channel=sending(configured, *files))
