"""The recorded tests of the onnx wheel: the recorded output, whole and at every cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from edgent.runtime.engine import Engine
from edgent.runtime.loading import load
from edgent.runtime.original import relative_difference
from edgent.runtime.verify import run_pieces

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
CASES = sorted(
    folder for kind in ("pytorch-converted", "pytorch-operator", "simple") for folder in (DATA / kind).glob("test_*")
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("folder", CASES, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_a_recorded_case_at_every_cut(folder: Path) -> None:
    proto = onnx.load(folder / "model.onnx")
    if reason := _not_ours(folder, proto):
        pytest.skip(reason)
    model = load(folder / "model.onnx", dims=_dims(proto, folder))
    engine = Engine()
    for inputs, outputs in _recorded(folder):
        feeds = dict(zip([tensor.name for tensor in model.inputs], inputs, strict=True))
        branch = model.branches[0]
        for cut in range(len(branch.layers) + 1):
            for upload, download in ((cut, len(branch.layers)), (0, cut)):
                found = run_pieces(model, branch, engine, feeds, upload, download)
                for tensor, expected in zip(branch.outputs, outputs, strict=True):
                    assert relative_difference(found[tensor.name], expected) <= 1e-3


def _not_ours(folder: Path, proto: onnx.ModelProto) -> str:
    """Why onnxruntime's own run of the undivided file, or tensors alone, do not cover this case."""
    values = (*proto.graph.input, *proto.graph.output)
    if not all(value.type.HasField("tensor_type") for value in values):
        return "its inputs or outputs are not all tensors"
    if any(value.type.tensor_type.elem_type == onnx.TensorProto.STRING for value in values):
        return "its tensors are strings"
    try:
        session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
        names = [value.name for value in session.get_inputs()]
        for inputs, _ in _recorded(folder):
            session.run(None, dict(zip(names, inputs, strict=True)))
    except Exception as error:
        return f"onnxruntime does not run it undivided: {str(error).splitlines()[0][:120]}"
    return ""


def _recorded(folder: Path) -> list[tuple[list[Any], list[Any]]]:
    sets = sorted(folder.glob("test_data_set_*"))
    return [(_arrays(one, "input"), _arrays(one, "output")) for one in sets]


def _arrays(folder: Path, kind: str) -> list[Any]:
    files = sorted(folder.glob(f"{kind}_*.pb"), key=lambda file: int(file.stem.split("_")[1]))
    return [np.asarray(numpy_helper.to_array(onnx.TensorProto.FromString(file.read_bytes()))) for file in files]


def _dims(proto: onnx.ModelProto, folder: Path) -> dict[str, int]:
    """Numbers of the free dimensions, from the recorded inputs."""
    constant = {tensor.name for tensor in proto.graph.initializer}
    given = [value for value in proto.graph.input if value.name not in constant]
    inputs, _ = _recorded(folder)[0]
    return {
        dim.dim_param: size
        for value, array in zip(given, inputs, strict=True)
        for dim, size in zip(value.type.tensor_type.shape.dim, array.shape, strict=False)
        if dim.dim_param
    }
