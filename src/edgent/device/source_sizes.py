"""How large the files of pictures are that requests bring (pure)."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

ENOUGH = 8
"""Files before their mean is believed more than what was known: a camera's differ by some ten per cent."""

CHANGED = 0.25
"""Share by which the mean must differ from what plans were made with: pricing again takes tens of milliseconds."""


class SourceSizes:
    """The typical size of files as they come.

    Attributes:
        typical: bytes, as plans take it to be; None: nothing has come.
    """

    def __init__(self) -> None:
        self.typical: float | None = None

    def assume(self, size: float | None) -> None:
        """What was measured before any file came; the first file replaces nothing else."""
        if self.typical is None:
            self.typical = size

    def add(self, sizes: Sequence[int]) -> bool:
        """Files of these sizes have come, one at least, and none of them was told before.

        Returns:
            Whether the typical size is another one now.
        """
        mean = statistics.fmean(sizes)
        if self.typical is not None and abs(mean - self.typical) <= CHANGED * self.typical:
            return False
        self.typical = mean
        return True
