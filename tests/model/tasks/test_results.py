"""What an answer's parts are called."""

from __future__ import annotations

import numpy as np

from edgent.model.tasks.results import Boxes


def test_a_class_without_a_name_has_an_empty_one_and_is_called_by_its_number() -> None:
    boxes = Boxes(data=np.array([[1, 2, 3, 4, 0.9, 7], [1, 2, 3, 4, 0.8, 0], [1, 2, 3, 4, 0.7, 7]], np.float32))
    assert boxes.names == ("", "", "") == tuple(box.name for box in boxes)
    assert repr(boxes) == "<Boxes 2 class 7, class 0>"
