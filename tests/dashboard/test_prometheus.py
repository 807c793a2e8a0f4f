"""Prometheus itself: it scrapes the page, and takes the rules that ship; what rules and dashboard name is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dashboard.playing import PlayedDevice, event
from edgent.address import Address
from edgent.dashboard.access import access_to
from edgent.dashboard.device_view import DeviceView
from edgent.dashboard.edge_view import EdgeView
from edgent.dashboard.metrics import device_families, edge_families, scraped
from edgent.dashboard.opened import DevicePage
from edgent.edge.callers import CallerCounter, CallerCounts
from edgent.edge.edge import Edge
from ports import reserved_port
from real_time import until

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "edgent.rules.yml"
DASHBOARD = DEPLOY / "grafana" / "edgent.json"
needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="Prometheus is not installed: Debian's package is prometheus",
)


def promtool(*arguments: str) -> str:
    checked = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    return "" if checked.returncode == 0 else checked.stdout + checked.stderr


@needs_prometheus
def test_the_rules_and_the_configuration_that_ship_are_good():
    assert promtool("check", "rules", str(RULES)) == ""
    assert promtool("check", "config", str(RULES.with_name("prometheus.yml"))) == ""


@needs_prometheus
def test_the_alerts_are_raised_when_they_should_and_not_else():
    assert promtool("test", "rules", str(RULES.with_name("edgent.rules.test.yml"))) == ""


def test_rules_and_dashboard_name_only_what_is_there(model, fast, clock):
    device = DeviceView(PlayedDevice(), lambda: 0.0)
    device.tell(event(0))
    callers = CallerCounter(clock)
    callers._counts["board-7"] = CallerCounts()
    edge = EdgeView(Edge(model, profiles=[fast], clock=clock), callers, lambda: 0.0)
    texts = (scraped(lambda: device_families(device))()[0], scraped(lambda: edge_families(edge))()[0])
    there = {
        sample.name
        for text in texts
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    } | {"edgent_missed_deadlines_total", "edgent_detours_total"}
    named = set(re.findall(r"\bedgent_\w+", RULES.read_text()))
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        named |= {name for target in panel["targets"] for name in re.findall(r"\bedgent_\w+", target["expr"])}
    assert named - there == set()
    assert len(named) > 15


@contextmanager
def scraping(target: str, folder: Path, port: int) -> Iterator[str]:
    """A Prometheus that scrapes one target every second; gives where it answers."""
    config, address = folder / "prometheus.yml", f"127.0.0.1:{port}"
    config.write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        f"scrape_configs: [{{job_name: edgent, static_configs: [{{targets: ['{target}']}}]}}]\n"
    )
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*command, f"--web.listen-address={address}"], **quiet) as running:
        try:
            yield address
        finally:
            running.terminate()


def queried(address: str, query: str) -> list[dict]:
    url = f"http://{address}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)["data"]["result"]
    except OSError:  # it is not up yet
        return []


@needs_prometheus
def test_a_real_prometheus_scrapes_what_the_page_has(tmp_path):
    here = Address(host="127.0.0.1", port=0)
    with DevicePage(PlayedDevice(), here, access_to(here, None)) as page:
        for number in range(7):
            page.tell(event(number))
        page.tell(event(7, "replaced"))
        target = page.url.removeprefix("http://").rstrip("/")
        seen: list[list[dict]] = []  # what was scraped too slowly is gone at the next look
        with reserved_port() as port, scraping(target, tmp_path, port) as address:
            assert until(lambda: seen.append(queried(address, "edgent_frames_total")) or seen[-1])
            frames = seen[-1]
            assert {one["metric"]["outcome"]: float(one["value"][1]) for one in frames} == {
                "in_time": 7,
                "late": 0,
                "replaced": 1,
                "failed": 0,
            }
            assert {one["metric"]["job"] for one in frames} == {"edgent"}
