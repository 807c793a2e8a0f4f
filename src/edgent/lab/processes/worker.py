"""An object of ours in a process of its own: its owner orders by method and arguments, and gets the result.

Both ends of the pipe are this program, so values cross as they are: pickled, and packed as JSON can carry them.
"""

from __future__ import annotations

import base64
import contextlib
import pickle
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from edgent.lab.processes.child_process import PATIENCE, ChildProcess
from edgent.lab.processes.orders import Orders, answer


class Worker(Protocol):
    """Does what it is ordered to, by methods of its own."""

    def close(self) -> None:
        """Ends everything."""


class WorkerProcess:
    """A worker in a process of its own; a context manager.

    Args:
        module: whose `main` calls `work`.
        settings: of the worker.
    """

    def __init__(self, module: str, settings: object) -> None:
        self._settings = settings
        self._child = ChildProcess("-m", module)

    def __enter__(self) -> Self:
        """Starts it.

        Raises:
            EdgentError: The settings are for no model that is there.
        """
        with contextlib.ExitStack() as undo:
            undo.enter_context(self._child)
            self._ask("begin", self._settings)
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.stop()

    def _ask(self, what: str, *arguments: object, within: float = PATIENCE) -> Any:
        return unpacked(self._child.ask(what, within=within, arguments=packed(arguments))["result"])

    def _order(self, what: str, *arguments: object) -> None:
        """Gives an order without waiting; its result is to be fetched by `_result`, before the next order."""
        self._child.order(what, arguments=packed(arguments))

    def _result(self) -> Any:
        return unpacked(self._child.answer()["result"])


def work(make: Callable[[Any], Worker], orders: Sequence[str]) -> None:
    """The other side: takes orders until there are no more; first the one to begin, with the settings.

    Args:
        make: the worker, from its settings.
        orders: names of its methods that may be ordered.
    """
    does: dict[str, Callable[..., dict[str, object]]] = {}
    with contextlib.ExitStack() as stack:

        def begin(settings: object) -> None:
            worker = stack.enter_context(contextlib.closing(make(settings)))
            does.update({name: _packing(getattr(worker, name)) for name in orders})

        does["begin"] = _packing(begin)
        answer({})
        Orders(does).obey_all()


def packed(value: object) -> str:
    """A value as JSON can carry it."""
    return base64.b64encode(pickle.dumps(value)).decode()


def unpacked(text: str) -> Any:
    """The value that was packed."""
    return pickle.loads(base64.b64decode(text))


def _packing(does: Callable[..., object]) -> Callable[..., dict[str, object]]:
    """The same, called with packed arguments, and its result packed."""
    return lambda arguments: {"result": packed(does(*unpacked(arguments)))}
