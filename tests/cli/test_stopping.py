"""`edgent serve` and the signals that end it, as processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from edgent.edge.edge import Edge
from edgent.wire import messages as m
from edgent.wire.serving.grpc_server import GrpcServer
from edgent.wire.transport import Streaming
from real_time import until

WITHIN = 60.0  # seconds: only ever waited for when something is broken
STOPPED_IN_A_START = """
import os, signal, sys
from edgent.cli.terminal.signals import StopSignals
signals = StopSignals()
try:
    os.kill(os.getpid(), {number})
except BaseException:  # as libraries do it
    pass
signals.serving = True
signals.wait()
print("stopped")
{more}
"""

# As the system does it with a process that was stopped: any thread of it may take what came meanwhile.
TAKEN_BY_ANOTHER_THREAD = """
import os, signal, threading
from edgent.cli.terminal.signals import StopSignals
signals = StopSignals()
signals.serving = True

def tell():
    for _ in range(1000):  # by then the main thread waits
        os.sched_yield()
    os.kill(os.getpid(), {number})

threading.Thread(target=tell, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, [{number}])
signals.wait()
print("stopped")
"""


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=WITHIN, check=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_serving_edge_ends_in_order(number):
    command = [sys.executable, "-m", "edgent", "serve", "b-alexnet", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as edge:
        said = ""
        while not said.endswith("\n}\n") and (line := edge.stdout.readline()):
            said += line
        edge.send_signal(number)
        assert edge.wait(WITHIN) == 0
        assert not edge.stderr.read().strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_a_library_swallows_during_a_start_is_not_lost(number):
    ended = run(STOPPED_IN_A_START.format(number=int(number), more=""))
    assert (ended.returncode, ended.stdout) == (0, "stopped\n")


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_a_process_that_hangs(first, second):
    more = f"sys.stdout.flush(); os.kill(os.getpid(), {int(second)}); signal.pause()"
    ended = run(STOPPED_IN_A_START.format(number=int(first), more=more))
    assert (ended.returncode, ended.stdout) == (-second, "stopped\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_another_thread_takes_wakes_the_main_one(number):
    ended = run(TAKEN_BY_ANOTHER_THREAD.format(number=int(number)))
    assert (ended.returncode, ended.stdout) == (0, "stopped\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_a_start_ends_it_with_the_code_of_shells(number):
    start = "import os\nfrom edgent.cli.terminal.signals import StopSignals\nStopSignals()\n"
    assert run(f"{start}os.kill(os.getpid(), {int(number)})").returncode == 128 + number


def test_other_commands_clean_up_when_they_are_told_to_end(tmp_path):
    code = (
        "import os, signal, tempfile\nfrom edgent.cli.terminal.signals import end_in_order\nend_in_order()\n"
        f"with tempfile.TemporaryDirectory(dir={os.fspath(tmp_path)!r}):\n    os.kill(os.getpid(), signal.SIGTERM)"
    )
    assert run(code).returncode == 143
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_fetch_that_is_half_written_is_cleaned_up(model, tmp_path, number, code):
    goes_on = threading.Event()

    def half(message, call):
        yield m.Chunk(file="b-alexnet.onnx", size=1000).SerializeToString()
        yield m.Chunk(file="b-alexnet.onnx", data=bytes(500)).SerializeToString()
        goes_on.wait(WITHIN)

    methods = {**Edge(model).service.methods(), m.FETCH: Streaming(answer=half)}
    served = m.DescribeResponse.FromString(methods[m.DESCRIBE].answer(b"", None))
    served.models[0].name = "somebodys-net"
    methods[m.DESCRIBE] = type(methods[m.DESCRIBE])(answer=lambda body, call: served.SerializeToString())
    server = GrpcServer(methods, host="127.0.0.1", port=0, max_message=1 << 24)
    server.start()
    (picture := tmp_path / "picture.png").touch()
    run = ["run", "somebodys-net", str(picture), "--edge", server.address, "--deadline", "1s"]
    cache = tmp_path / "cache"
    own = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    with subprocess.Popen([sys.executable, "-m", "edgent", *run], env=own, stderr=subprocess.PIPE, text=True) as device:
        written = lambda: [file for file in cache.rglob("*.onnx") if ".draft-" in str(file)]  # noqa: E731
        assert until(written)
        device.send_signal(number)
        said = device.communicate(timeout=WITHIN)[1]
    goes_on.set()
    server.stop()
    assert device.returncode == code
    assert "Traceback" not in said
    assert not [path for path in cache.rglob("*") if ".draft-" in path.name]
