"""Pages that are open: a view, its application and its server, put together."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from edgent.dashboard.application import application
from edgent.dashboard.device_view import DeviceView
from edgent.dashboard.edge_view import EdgeView
from edgent.dashboard.metrics import device_families, edge_families, scraped
from edgent.dashboard.predict import SOURCE, Predict
from edgent.dashboard.server import PageServer
from edgent.events import Event, noted
from edgent.sources.crop import as_jpeg

if TYPE_CHECKING:
    from edgent.address import Address
    from edgent.dashboard.access import Access
    from edgent.device.answer import Answer
    from edgent.device.device import Device
    from edgent.device.versions.follower import Follower
    from edgent.edge.callers import CallerCounter
    from edgent.edge.edge import Edge

Posted = Callable[[Event, "Answer"], object]
"""Is told of a picture that was posted, and of what was answered."""


class DevicePage:
    """The page of a device; an `EventListener`, and a context manager that serves.

    Args:
        device: what is shown, and what answers `POST /predict`.
        address: where to listen.
        access: who may look.
        posted: is told of pictures that were posted, in place of this page alone.
        now: tells the time, in seconds since 1970.

    Raises:
        EdgeError: the port is taken, or the address is not this machine's.
    """

    def __init__(
        self,
        device: Device | Follower,
        address: Address,
        access: Access,
        posted: Posted | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.view, self._now = DeviceView(device, now), now
        self._posted: Posted = posted or (lambda event, _: self.tell(event))
        self._run, self._numbers = uuid4().hex, count()
        answers = application(
            self.view,
            access.guard,
            metrics=scraped(lambda: device_families(self.view)),
            predict=Predict(device, self.answered).answer,
        )
        self._server = PageServer(answers, address, access.tls)

    @property
    def url(self) -> str:
        """Where it is."""
        return self._server.url

    def tell(self, event: Event) -> None:
        """See `EventListener.tell`."""
        self.view.tell(event)

    def answered(self, answer: Answer, picture: bytes | None, source: str = SOURCE) -> None:
        """Tells of an answer that is no camera's: of a picture that was posted, or of a file."""
        number, captured_at = next(self._numbers), self._now() - answer.record.total
        event = Event(
            id=f"{self._run}-{number}",
            source=source,
            number=number,
            captured_at=captured_at,
            kind="answer",
            record=noted(answer.kept(), source=source, model=self.view.device.model.name, at=captured_at),
            picture=as_jpeg(picture),
        )
        self._posted(event, answer)

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.__exit__(*error)

    def __repr__(self) -> str:
        return f"<DevicePage on {self.url}: {self.view!r}>"


def edge_page(
    edge: Edge, callers: CallerCounter, address: Address, access: Access, now: Callable[[], float] = time.time
) -> PageServer:
    """The page of an edge that has started; a context manager that serves.

    Raises:
        EdgeError: the port is taken, or the address is not this machine's.
    """
    view = EdgeView(edge, callers, now)
    answers = application(view, access.guard, metrics=scraped(lambda: edge_families(view)))
    return PageServer(answers, address, access.tls)
