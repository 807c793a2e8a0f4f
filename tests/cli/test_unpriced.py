"""A codec that nobody has priced is in no plan; whoever allows it is told, by every verb alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from edgent.engine.loading import load
from graphs import residual, saved
from shared_fixtures import make_profile

BOTH = ("--device", "p.json", "--edge", "p.json", "--deadline", "1s")
VERBS = {
    "plan": ("plan", "net.onnx", *BOTH, "--bandwidth", "5Mbps"),
    "map": ("map", "net.onnx", *BOTH, "--grid", "1Mbps,2Mbps,2", "-o", "map.json"),
    "replay": ("replay", "trace.csv", "--model", "net.onnx", *BOTH, "--interval", "1s"),
}


@pytest.fixture(autouse=True)
def _files(empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of pictures that nobody has evaluated, a profile of it, a trace and a picture."""
    monkeypatch.chdir(tmp_path)
    model = saved(residual(), tmp_path / "net.onnx")
    model.with_name("net.edgent.toml").write_text('task = "raw"\n[preprocessing]\nresize = "stretch"\n')
    make_profile(load(model), layer=1e-3).save(tmp_path / "p.json")
    Path("trace.csv").write_text("s,Mbit/s\n0,1\n9,2\n")
    Image.new("RGB", (9, 9)).save("picture.png")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("codecs", "known", "told"),
    [
        (("webp-50",), (), "webp-50"),
        (("webp-50", "uint8", "float32"), (), "webp-50, uint8"),
        (("source",), (), "source"),
        (("source",), ("--source", "picture.png"), ""),
        (("float32",), (), ""),
        ((), (), ""),
    ],
)
def test_codecs_without_a_price_are_named(
    verb: str, codecs: tuple[str, ...], known: tuple[str, ...], told: str, edgent: Callable
) -> None:
    ended = edgent(*VERBS[verb], *known, *(word for name in codecs for word in ("--codec", name)))
    assert ended.code == 0, ended.err
    assert len(ended.complaints) == bool(told)
    assert all(f"warning: nobody knows what {told} would bring" in line for line in ended.complaints)
