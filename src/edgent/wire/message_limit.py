"""How large a message may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgent.model.coarse import coarse
from edgent.wire.errors import RejectedError

if TYPE_CHECKING:
    from edgent.model import Model

_ROOM = 1 << 20  # for names, shapes and the like
_LEAST = 16 << 20  # an image travels as it comes, and a camera's is larger than any boundary of a small model
_UNKNOWN = 64 << 20  # where the size of something depends on the data; what is larger is refused, and said to be


def message_limit(models: Sequence[Model]) -> int:
    """Bytes of the largest message that any plan for these models needs.

    The largest boundary of any pair of cuts, raw, or all answers together; at least 64 MiB where a size is unknown.
    """
    return max(_LEAST, *(int(_largest(model)) for model in models)) + _ROOM


def too_large(message: bytes, limit: int, what: str) -> RejectedError:
    """The error of a message that is larger than device and edge have agreed on."""
    return RejectedError(f"{what} takes {len(message):,} bytes, more than the {limit:,} of a message: cut elsewhere")


def _largest(model: Model) -> float:
    """Bytes; where a size is unknown, no less than `_UNKNOWN`."""
    branches = [*model.branches, *(coarse(branch, (0, len(branch.layers))) for branch in model.remote)]
    answers = {tensor.name: tensor.nbytes for branch in branches for tensor in branch.outputs}.values()
    lines = [line for branch in branches for line in branch.cut_bytes()]
    unknown = None in answers or any(np.isnan(line).any() for line in lines)
    # Unknown sizes are NaN in the lines: they are covered by `_UNKNOWN`, and must not hide the largest known one.
    known = max(float(np.nan_to_num(line, nan=0.0).max()) for line in lines)
    return max(float(sum(size or 0 for size in answers)), known, _UNKNOWN if unknown else 0.0)
