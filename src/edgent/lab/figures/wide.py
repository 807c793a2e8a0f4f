"""The wide AlexNet trunk: 22 layers as the shipped network's, but as wide as AlexNet itself; for timing only."""

from __future__ import annotations

from pathlib import Path

from edgent.model.builder import Builder

NAME = "alexnet-wide"

_FILTERS = ((64, 5), (192, 5), (384, 3), (256, 3), (256, 3))  # maps and side of each convolution
_NORMALISED = 2  # so many of the first are followed by pooling and normalisation
_WIDTHS = (4096, 4096)
_CLASSES = 10


def wide_trunk(folder: Path) -> Path:
    """Writes it for 32 x 32 pictures, its weights seeded random numbers; 145 MB.

    Returns:
        The ONNX file.
    """
    builder = Builder()
    x = builder.input((1, 3, 32, 32))
    for number, (maps, side) in enumerate(_FILTERS):
        x = builder.activation(builder.conv(x, maps, side), "Relu")
        if number < _NORMALISED:
            x = builder.like("LRN", builder.pool("MaxPool", x, 3, 2), size=3, alpha=5e-5, beta=0.75)
    x = builder.pool("MaxPool", x, 3, 2)
    batch, *shape = builder.shapes[x]
    x = builder.reshape(x, batch, shape[0] * shape[1] * shape[2])
    for width in _WIDTHS:
        x = builder.like("Dropout", builder.activation(builder.gemm(x, width), "Relu"))
    path = folder / f"{NAME}.onnx"
    path.write_bytes(builder.segment([builder.gemm(x, _CLASSES)]).proto)
    return path
