"""Devices and edges whose engine is slower than this machine's: `pytest --engine-delay 20ms`."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

_sleep = time.sleep  # the real one: no test may


class Slowed:
    """Whatever the object is, but that each run of a session takes longer."""

    def __init__(self, inner: Any, seconds: float, sleep: Callable[[float], None] = _sleep) -> None:
        self._inner, self._seconds, self._sleep = inner, seconds, sleep

    def session(self, *arguments: Any) -> Slowed:
        """An engine's: a session that is slow as well."""
        return Slowed(self._inner.session(*arguments), self._seconds, self._sleep)

    def run(self, feeds: Any) -> Any:
        """A session's."""
        self._sleep(self._seconds)
        return self._inner.run(feeds)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def slowed(make: Callable[..., None], seconds: float) -> Callable[..., None]:
    """The constructor of a Device or an Edge, which then gets a slow engine in place of its own."""
    from edgent.engine.onnxruntime import Engine

    @functools.wraps(make)
    def made(self: Any, *arguments: Any, engine: Any = None, **named: Any) -> None:
        make(self, *arguments, engine=Slowed(engine or Engine(), seconds), **named)

    return made
