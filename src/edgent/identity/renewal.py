"""A device's certificate is renewed while it runs, for years, whether or not its connection is ever made anew."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from edgent.errors import EdgentError
from edgent.identity.joined import Joined

_AGAIN = 3600.0  # seconds after an attempt that failed: an edge may be away for days, and a month is left
_LONGEST = 86_400.0  # seconds between looks at the time: a board's clock may be set meanwhile
_log = logging.getLogger("edgent.device")

Renew = Callable[[Path, datetime], Joined]


class CertificateRenewal:
    """Renews the certificate in a device's folder of one edge, in a thread of its own.

    Args:
        folder: what `join` wrote.
    """

    def __init__(self, folder: Path) -> None:
        self._closed = threading.Event()
        keep = (folder, _renew, lambda: datetime.now(UTC), self._closed.wait)
        threading.Thread(target=keep_renewed, args=keep, name="edgent-renewal", daemon=True).start()

    def close(self) -> None:
        """Ends it."""
        self._closed.set()


def keep_renewed(folder: Path, renew: Renew, now: Callable[[], datetime], wait: Callable[[float], bool]) -> None:
    """Renews a certificate whenever it is time for that.

    Args:
        folder: what `join` wrote.
        renew: `join.renew`.
        now: tells the time.
        wait: waits so many seconds; True: it is time to end.
    """
    seconds = 0.0
    while not wait(seconds):
        try:
            joined = renew(folder, now())
        except EdgentError as error:
            # Said and tried again, whatever it was: the owner may yet mend it, and until the end nothing is lost.
            _log.warning("the certificate in %s was not renewed: %s", folder, error)
            seconds = _AGAIN
        else:
            seconds = min(max(joined.renew_at - now().timestamp(), _AGAIN), _LONGEST)


def _renew(folder: Path, now: datetime) -> Joined:
    """Most looks find that it is not time yet: only those that do not need what makes keys and certificates."""
    joined = Joined.read(folder)
    if now.timestamp() < joined.renew_at:
        return joined
    from edgent.identity.join import renew

    return renew(folder, now)
