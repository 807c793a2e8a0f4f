"""Small videos, made by the decoder's own library."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def make_video(path: Path, *, frames=10, rate=10, size=(64, 48), codec="mpeg4", title="") -> Path:
    """Writes a video whose Nth frame is a grey of 20 N, so that a frame can be told from the others."""
    with av.open(str(path), "w") as container:
        container.metadata["title"] = title
        stream = container.add_stream(codec, rate=Fraction(rate))
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number in range(frames):
            pixels = np.full((size[1], size[0], 3), 20 * number % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path
