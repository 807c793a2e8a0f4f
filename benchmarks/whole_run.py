"""The whole run, left alone for a minute: camera, emulated board, moving link, edge, broker and page.

    python benchmarks/whole_run.py [--json] [--seconds S] [--folder DIR]

`benchmarks/live.py` runs: a video at 10 frames a second through an emulated board; a link that is quick, slow, cut and
quick again, a quarter of the time each; an edge; and the live page, in a Chromium at two widths (--folder keeps what it
showed, and all events). Events go to a file and to mosquitto, which is killed on the way and comes back. Then all are
counted: *lost* are events that the file has and a subscriber to the broker never had; *page* is what the page's metrics
said last. It passes where every frame was answered in time or replaced, and none was lost. Takes Debian's mosquitto and
chromium, and Playwright (the dependency group `browser`).
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import command
from edgent.errors import EdgentError, InputError
from edgent.files import make_folder
from programs import running
from tables import aligned

HERE = Path(__file__).resolve().parent
PHASES = 4  # of the link, in the run
KILLED, BACK, LOOKED_AT = 0.4, 0.52, 0.7  # shares of the run: the broker is killed, is back; the page is looked at
SIZES = {"desk.png": (1200, 1600), "phone.png": (390, 2400)}
_STARTING, _ENDING, _SCRAPED_EVERY = 6, 60, 0.3  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of all frames."""

    frames: int
    in_time: int
    late: int
    replaced: int
    failed: int
    refined: int
    by_edge: int
    lost: int
    twice: int
    page_in_time: int
    page_late: int
    page_replaced: int


def program(name: str) -> str:
    """Where a program is.

    Raises:
        InputError: it is not installed.
    """
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        raise InputError(f"{name} is not installed; install Debian's package {name}")
    return found


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Broker:
    """A mosquitto that keeps what it has on disk, and can be killed; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.port, self._settings = free_port(), folder / "mosquitto.conf"
        self._settings.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {folder}/\n"
        )
        self.start()

    def start(self) -> None:
        """Starts it, or starts it again."""
        line = [program("mosquitto"), "-c", str(self._settings)]
        self._process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        """Ends it at once."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


@contextmanager
def subscribed(port: int) -> Iterator[Counter[str]]:
    """How often each event came, by its id, to somebody who comes back when the broker does."""
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    came: Counter[str] = Counter()

    def take(client: mqtt.Client, data: object, message: mqtt.MQTTMessage) -> None:
        if message.topic.endswith("/events"):
            came[json.loads(message.payload)["id"]] += 1

    def subscribe(client: mqtt.Client, *_: Any) -> None:
        client.subscribe("edgent/#", qos=1)

    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="count", protocol=mqtt.MQTTv5)
    client.on_message = take
    client.on_connect = subscribe
    session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # of a library that types only in part
    session.SessionExpiryInterval = 600
    client.connect("127.0.0.1", port, clean_start=False, properties=session)
    client.loop_start()
    try:
        yield came
    finally:
        client.loop_stop()


def look(url: str, folder: Path) -> None:
    """Has a Chromium show the page, and keeps what it showed.

    Raises:
        EdgentError: Playwright is not installed, or the page shows no answers.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise EdgentError("Playwright is not installed: pip install --group browser") from None
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program("chromium"), args=["--no-sandbox"])
        for name, (width, height) in SIZES.items():
            page = browser.new_page(viewport={"width": width, "height": height})
            page.goto(url)
            page.wait_for_selector("#frames tbody tr")
            page.screenshot(path=folder / name)
        browser.close()


def outcomes_in(metrics: str) -> Counter[str]:
    """Frames by outcome, of a single source."""
    lines = (line for line in metrics.splitlines() if line.startswith("edgent_frames_total{"))
    outcomes = (line.partition('outcome="')[2].partition('"') for line in lines)
    return Counter({name: int(float(rest.split()[-1])) for name, _, rest in outcomes})


class PageSays:
    """What the page's metrics said last: frames by outcome."""

    def __init__(self, url: str) -> None:
        self._url, self.outcomes = f"{url}metrics", Counter[str]()

    def ask(self) -> None:
        """Once more, if it is there."""
        with suppress(OSError), urllib.request.urlopen(self._url, timeout=3) as answer:
            self.outcomes = outcomes_in(answer.read().decode())


def run(seconds: int, folder: Path) -> Row:
    """One run."""
    with Broker(folder) as broker:
        return run_beside(broker, seconds, folder)


def run_beside(broker: Broker, seconds: int, folder: Path) -> Row:
    """One run, with its broker."""
    began = time.monotonic()

    def wait(share: float) -> None:
        time.sleep(max(0.0, began + _STARTING + share * seconds - time.monotonic()))

    def fail_on_the_way() -> None:
        wait(KILLED)
        broker.kill()
        wait(BACK)
        broker.start()
        wait(LOOKED_AT)
        look(url, folder)

    time.sleep(1.0)  # the broker's start
    page, file = free_port(), folder / "events.jsonl"
    url = f"http://127.0.0.1:{page}/"
    sinks = ("--sink", f"mqtt://127.0.0.1:{broker.port}/edgent", "--sink", f"jsonl:{file}")
    phase = ("--phase", seconds // PHASES, "--seconds", seconds + _STARTING // 2)
    typed = (sys.executable, HERE / "live.py", "--page", f":{page}", "--folder", folder, *phase, *sinks)
    says = PageSays(url)
    with (
        subscribed(broker.port) as came,
        (folder / "said").open("w") as said,
        ThreadPoolExecutor(1) as pool,
        running(typed, stdout=said, stderr=said) as live,
    ):
        failing = pool.submit(fail_on_the_way)
        while live.poll() is None and time.monotonic() < began + seconds + _ENDING:
            says.ask()
            time.sleep(_SCRAPED_EVERY)
        time.sleep(3.0)  # the last events are on their way
    if live.returncode:
        last = (folder / "said").read_text().splitlines()[-1:]
        raise EdgentError(f"the device ended with {live.returncode}: {last}")
    if (problem := failing.exception()) is not None:
        raise EdgentError(f"the page could not be looked at: {problem}") from None
    return counted([json.loads(line) for line in file.read_text().splitlines()], came, says.outcomes)


def counted(events: Sequence[dict[str, Any]], came: Counter[str], page: Counter[str]) -> Row:
    """What became of all frames, by the file of events, the broker's subscriber and the page."""
    kinds = Counter(event["kind"] for event in events)
    answers = [event["record"] for event in events if event["kind"] == "answer"]
    in_time = sum(record["deadline_met"] for record in answers)
    return Row(
        frames=len(events) - kinds["refined"],
        in_time=in_time,
        late=len(answers) - in_time,
        replaced=kinds["replaced"],
        failed=kinds["failed"],
        refined=kinds["refined"],
        by_edge=sum(record["by"] == "edge" for record in answers),
        lost=len({event["id"] for event in events} - came.keys()),
        twice=sum(times > 1 for times in came.values()),
        page_in_time=page["in_time"],
        page_late=page["late"],
        page_replaced=page["replaced"],
    )


def main() -> int:
    """Runs and counts; fails where a frame was late, failed or lost."""
    parser = command.options(__doc__)
    parser.add_argument("--seconds", type=command.at_least(20), default=64, help="of the run")
    parser.add_argument("--folder", type=Path, help="a new one for all that is made; else a temporary one")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgent-whole-")))
        make_folder(folder)
        row = run(options.seconds, folder)
    command.show(options, [asdict(row)], lambda: print(aligned([asdict(row)])))
    return 1 if row.late or row.failed or row.lost else 0


if __name__ == "__main__":
    command.run(main)
