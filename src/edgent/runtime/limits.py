"""How large a message may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edgent.model import Model

_ROOM = 1 << 20  # for names, shapes and the like
_LEAST = 16 << 20  # an image travels as it comes, and a camera's is larger than any boundary of a small model


def message_limit(models: Sequence[Model]) -> int:
    """Bytes of the largest message that any plan for these models needs.

    The largest boundary of any pair of cuts, raw, or all answers together; a size that is unknown does not count.
    """
    return max(_LEAST, *(int(_largest(model)) for model in models)) + _ROOM


def _largest(model: Model) -> float:
    answers = {tensor.name: tensor.nbytes or 0 for branch in model.branches for tensor in branch.outputs}
    lines = [line for branch in model.branches for line in branch.cut_bytes()]
    return max(float(sum(answers.values())), *(float(np.nan_to_num(line, nan=0.0).max()) for line in lines))
