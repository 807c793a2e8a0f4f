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

    def __eq__(self, other: object) -> bool:
        """Two are the same that slow the same engine, so settings compare as they do without the option."""
        return isinstance(other, Slowed) and self._inner is other._inner

    def __hash__(self) -> int:
        return id(self._inner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def slowed(make: Callable[..., None], seconds: float) -> Callable[..., None]:
    """The constructor of a Device or an Edge, which then gets a slow engine in place of its own."""
    from edgent.device.settings import DeviceSettings
    from edgent.engine.onnxruntime import OnnxRuntimeEngine

    @functools.wraps(make)
    def made(self: Any, *arguments: Any, engine: Any = None, **named: Any) -> None:
        # A device's engine may stand in its settings as well; a keyword takes the place of what they say.
        values = [value for value in (*arguments, *named.values()) if isinstance(value, DeviceSettings)]
        own = engine or next((value.engine for value in values), None) or OnnxRuntimeEngine()
        make(self, *arguments, engine=Slowed(own, seconds), **named)

    return made
