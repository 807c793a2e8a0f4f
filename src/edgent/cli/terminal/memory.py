"""How much memory a command may take while it opens and runs a model."""

from __future__ import annotations

import math
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

LEAST = 8 << 30
"""Bytes that every command may take; where half of the machine's memory is more, that."""


@contextmanager
def limited_memory(most: float = math.inf) -> Iterator[None]:
    """Asking for more fails inside, so that an input on which a model asks for everything costs one command only.

    Args:
        most: bytes, where that is less than what every command may take.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    lower = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (int(min([max(LEAST, machine // 2), most, *lower])), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
