"""An edge's certificate is exchanged while it serves: before it ends, or when there is another one.

An edge runs for years. Its own certificate is good for 397 days, and one that somebody else's authority gave it is
replaced by whoever looks after that. Either way there are new files, which are shown from then on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from edgent.errors import EdgentError
from edgent.identity.certificates import check_pair
from edgent.identity.credentials import Credentials

_LOOKS_EVERY = 60.0  # seconds
_log = logging.getLogger("edgent.edge")


class CertificateWatch:
    """Looks at an edge's certificate in a thread of its own.

    Args:
        current: the credentials as they are now; makes new ones where it is time for that.
        show: shows others from then on.
    """

    def __init__(self, current: Callable[[], Credentials], show: Callable[[Credentials], None]) -> None:
        self._closed = threading.Event()
        keep = (current, show, self._closed.wait)
        threading.Thread(target=keep_shown, args=keep, name="edgent-certificate", daemon=True).start()

    def close(self) -> None:
        """Looks no more."""
        self._closed.set()


def keep_shown(
    current: Callable[[], Credentials], show: Callable[[Credentials], None], wait: Callable[[float], bool]
) -> None:
    """Shows a certificate whenever there is another one than before.

    Args:
        current: see `CertificateWatch`.
        show: likewise.
        wait: waits so many seconds; True: it is time to end.
    """
    shown, said = current().read(), ""
    while not wait(_LOOKS_EVERY):
        try:
            credentials = current()
            authority, certificate, key = found = credentials.read()
            if found != shown:
                # Two files are never replaced at once: between the one and the other they do not belong together.
                check_pair(certificate, key)
                show(credentials)
                shown = authority, certificate, key
        except EdgentError as error:
            if str(error) != said:
                _log.warning("the edge goes on with its old certificate: %s", error)
            said = str(error)
