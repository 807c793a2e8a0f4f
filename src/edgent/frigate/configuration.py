"""What to write into Frigate's configuration for a model: its size, its labels, and where it is asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edgent.frigate.detector import check_detector
from edgent.text import one_line

if TYPE_CHECKING:
    from edgent.model import Model


def frigate_configuration(model: Model, endpoint: str) -> str:
    """Two sections of Frigate's YAML.

    Args:
        model: a detector.
        endpoint: where Frigate reaches it, as ZeroMQ writes it.

    Raises:
        InputError: the model is no detector.
    """
    check_detector(model)
    form = model.metadata.preprocessing
    assert form is not None, "a detector takes pictures"
    height, width = form.size
    # A text of JSON is one of YAML too, whatever is in it.
    name = json.dumps(one_line(f"/config/{model.name}.onnx"))
    labels = [f"    {number}: {json.dumps(one_line(label))}" for number, label in enumerate(model.metadata.labels)]
    lines = (
        "detectors:",
        "  edgent:",
        "    type: zmq",
        f"    endpoint: {endpoint}",
        "model:",
        f"  path: {name}  # Frigate asks for a name, and no file is read",
        f"  width: {width}",
        f"  height: {height}",
        "  input_tensor: nhwc",
        "  input_dtype: int",
        "  input_pixel_format: rgb",
        *(["  labelmap:", *labels] if labels else []),
    )
    return "\n".join(lines)
