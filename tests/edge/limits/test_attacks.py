"""Callers who send little and make an edge take much: an edge that is a process, and what the system says it takes."""

from __future__ import annotations

import contextlib
import json
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import grpc
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgent.engine.loading import load
from edgent.wire import messages as m
from edgent.wire.tensors import Parcel, write_request
from hostile.caller import RawCaller, prefixed
from real_time import until
from shared_fixtures import make_profile

WITHIN = 60.0  # seconds: only ever waited for when something is broken
LAYERS, WIDTH = 20, 800
BUDGET = 800_000_000
BETWEEN_LOOKS = BUDGET // 4  # it looks every 20 ms, and on a full machine later: so much may come meanwhile
MEGABYTE = 1 << 20


def wide_model(folder: Path) -> Path:
    """Twenty products, each of 2.6 MB of weights: what lies between any two of them is a segment."""
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.normal(0, WIDTH**-0.5, (WIDTH, WIDTH)).astype("float32"), f"w{k}")
        for k in range(LAYERS)
    ]
    names = ["x", *(f"h{k}" for k in range(1, LAYERS)), "y"]
    nodes = [helper.make_node("MatMul", [names[k], f"w{k}"], [names[k + 1]]) for k in range(LAYERS)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, WIDTH]) for name in ("x", "y")]
    proto = helper.make_model(
        helper.make_graph(nodes, "g", ends[:1], ends[1:], weights), opset_imports=[helper.make_opsetid("", 17)]
    )
    proto.ir_version = 9
    onnx.save(proto, file := folder / "wide.onnx")
    return file


class EdgeProcess:
    """`edgent serve`, and the most memory that it was seen to take."""

    def __init__(self, model: Path | str, folder: Path, *arguments: str):
        make_profile(load(model)).save(profile := folder / "profile.json")  # to measure one takes long
        serve = ["serve", str(model), "--profile", str(profile), "--port", "0", "--json", *arguments]
        command = [sys.executable, "-m", "edgent", *serve]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said = ""
        while not said.endswith("\n}\n") and (line := self.process.stdout.readline()):
            said += line
        self.address = json.loads(said)["address"]
        self.most, self._closed = self.taken, threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def taken(self) -> int:
        """Bytes of anonymous memory."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))

    def close(self) -> str:
        """Ends it; what it wrote to stderr."""
        if self._closed.is_set():
            return ""
        self._closed.set()
        self.process.terminate()
        return self.process.communicate(timeout=WITHIN)[1]

    def _watch(self) -> None:
        while not self._closed.wait(0.005):
            with contextlib.suppress(OSError):
                self.most = max(self.most, self.taken)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    return wide_model(tmp_path_factory.mktemp("wide"))


@pytest.fixture
def edge(wide, tmp_path):
    started = EdgeProcess(wide, tmp_path, "--memory", f"{BUDGET // 10**6}MB")
    yield started
    started.close()


def answered(address: str, message: bytes, method: str = m.MODEL_INFER) -> bytes | grpc.RpcError:
    """What a stock client gets."""
    with grpc.insecure_channel(address, options=(("grpc.use_local_subchannel_pool", 1),)) as channel:
        try:
            return channel.unary_unary(method)(message, timeout=WITHIN)
        except grpc.RpcError as error:
            return error


def black_png(side: int) -> bytes:
    """A black picture, of zeros that are compressed line by line."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, line = zlib.compressobj(6), bytes(1 + 3 * side)
    lines = b"".join(packer.compress(line) for _ in range(side)) + packer.flush()
    size = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def request_of(file: Path) -> bytes:
    model = load(file)
    tensor = model.inputs[0]
    data = np.ones(tensor.shape, "float32").tobytes()
    return write_request(model.name, "", [Parcel(tensor=tensor, codec=None, shape=tensor.shape, data=data)], [])


def hosts(count: int) -> list[str]:
    return [f"127.0.0.{2 + number}" for number in range(count)]


@pytest.mark.parametrize(("callers", "each"), [(1, 41), (8, 50)])
def test_slow_uploads_starve_nobody(edge, wide, callers, each):
    slow = [RawCaller(edge.address, host) for host in hosts(callers)]
    for caller in slow:
        for _ in range(each):
            caller.begin(m.MODEL_INFER, prefixed(bytes(1_000), MEGABYTE))
    assert all(caller.read() for caller in slow)  # the edge has their settings, and so their calls
    answer = answered(edge.address, request_of(wide))
    assert isinstance(answer, bytes), answer
    assert len(m.ModelInferResponse.FromString(answer).raw_output_contents[0]) == 4 * WIDTH
    for caller in slow:
        caller.close()


def test_twenty_kilobytes_that_ask_for_gigabytes_of_sessions_stay_within_the_budget(edge, wide):
    names = [f"wide.x0.u{up}.d{down}" for up in range(LAYERS) for down in range(up + 1, LAYERS + 1)]
    messages = [m.PrepareRequest(name=name).SerializeToString() for name in names]
    assert len(names) == 210 and sum(map(len, messages)) < 20_000
    # All of it is more than the budget allows: a session has its weights, and some have them in another order as well.
    weights = [(down - up) * WIDTH * WIDTH * 4 for up in range(LAYERS) for down in range(up + 1, LAYERS + 1)]
    assert sum(weights) > 4 * BUDGET
    caller = RawCaller(edge.address)
    for message in messages[::-1]:
        caller.call(m.PREPARE, message)
    assert until(lambda: isinstance(answered(edge.address, request_of(wide)), bytes))
    time.sleep(3.0)
    assert edge.most < BUDGET + BETWEEN_LOOKS
    assert until(lambda: isinstance(answered(edge.address, request_of(wide)), bytes))
    caller.close()


def test_messages_that_are_never_whole_stay_within_the_budget_and_are_given_up(edge, wide):
    callers = [RawCaller(edge.address, host) for host in hosts(6)]
    for caller in callers:
        for _ in range(16):
            with contextlib.suppress(OSError):  # 800 MB in all, if the edge did not hang up before
                caller.begin(m.MODEL_INFER, prefixed(bytes(8 * MEGABYTE), 16 * MEGABYTE))
    assert until(lambda: isinstance(answered(edge.address, request_of(wide)), bytes))
    assert edge.most < BUDGET + BETWEEN_LOOKS
    for caller in callers:
        caller.close()


def test_a_name_of_sixteen_megabytes_is_a_short_line_in_answer_and_log(edge):
    message = m.ModelInferRequest(model_name="\x1b[2J" + "n" * (16 * MEGABYTE)).SerializeToString()
    errors = [answered(edge.address, message) for _ in range(30)]
    assert all(len(error.details()) <= 1_000 and error.details().isprintable() for error in errors)
    assert any("a name of 16,777,220 characters" in error.details() for error in errors)
    assert edge.most < BUDGET + BETWEEN_LOOKS
    assert len(edge.close()) < 30_000


def test_a_picture_of_few_bytes_and_many_pixels_is_refused_without_its_pixels(tmp_path):
    edge = EdgeProcess("b-alexnet", tmp_path)
    picture = black_png(11_550)
    assert len(picture) < 500_000 and 11_550**2 * 3 > 400_000_000
    model = load("b-alexnet")
    parcel = Parcel(tensor=model.inputs[0], codec="source", shape=model.inputs[0].shape, data=picture)
    before = edge.most  # its start may have taken more than it has now
    error = answered(edge.address, write_request(model.name, "", [parcel], []))
    assert "11550 x 11550" in error.details()
    assert edge.most - before < 100_000_000
    edge.close()
