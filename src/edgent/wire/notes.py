"""What an edge notes beside an answer: how long it took, what its TCP makes of the answer, and a newer version.

In an exchange the notes are fields of the reply (`edgent.wire.exchange.messages`). In a call they are headers, which
clients of other makers pass over (`edgent.wire.headers`).
"""

from __future__ import annotations

from dataclasses import dataclass

from edgent.link.slow_start import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """Beside one answer.

    Attributes:
        queue: seconds that the request waited, by the edge's clock.
        middle: seconds of decoding, computing and encoding, by the same.
        load: seconds that a request would wait which came as this one is answered.
        window: what the answer may have under way as it begins; None: not said.
        newest: the version that the model's name stands for, where the caller has another one; else empty.
    """

    queue: float = 0.0
    middle: float = 0.0
    load: float = 0.0
    window: Window | None = None
    newest: str = ""


NOTHING = Notes()
"""Of a server without our extension: its own time then counts as the link's."""
