"""By what the spans of two machines find each other: W3C Trace Context, https://www.w3.org/TR/trace-context/."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

_VERSION, _SAMPLED = "00", 0x01

# Section 3.2: lower-case hexadecimal digits. What follows the flags is of a later version, which is read as this one.
_FORM = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?")

Bits = Callable[[int], int]
"""So many random bits, as a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceContext:
    """The span under which others are to stand.

    Attributes:
        trace: of which it is a part; 128 bits, not all of them 0.
        span: itself; 64 bits, likewise.
        sampled: whether its spans are kept by who began the trace.
    """

    trace: int
    span: int
    sampled: bool = True

    @classmethod
    def new(cls, bits: Bits) -> Self:
        """The first span of a trace."""
        return cls(trace=some_bits(bits, 128), span=some_bits(bits, 64))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Reads a `traceparent`; None where it is none, for then a trace begins anew (section 4.3)."""
        fields = _FORM.fullmatch(text)
        if fields is None or (fields[1] == _VERSION and fields[5]):
            return None
        trace, span, flags = (int(field, 16) for field in fields.group(2, 3, 4))
        return cls(trace=trace, span=span, sampled=bool(flags & _SAMPLED)) if trace and span else None

    def __str__(self) -> str:
        """As a `traceparent`."""
        return f"{_VERSION}-{self.trace:032x}-{self.span:016x}-{_SAMPLED if self.sampled else 0:02x}"


def some_bits(bits: Bits, count: int) -> int:
    """A number that is not 0, which would stand for none."""
    return bits(count) or 1
