"""The recorded tests of the onnx wheel: the recorded output, whole and at every cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.evaluation.original import difference
from edgent.evaluation.verify import run_pieces

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
CASES = sorted(
    folder for kind in ("pytorch-converted", "pytorch-operator", "simple") for folder in (DATA / kind).glob("test_*")
)


OLD = """
    AvgPool1d AvgPool1d_stride AvgPool2d AvgPool2d_stride AvgPool3d AvgPool3d_stride AvgPool3d_stride1_pad0_gpu_input
    BatchNorm1d_3d_input_eval BatchNorm2d_eval BatchNorm2d_momentum_eval BatchNorm3d_eval BatchNorm3d_momentum_eval
    GLU GLU_dim Linear PReLU_1d PReLU_1d_multiparam PReLU_2d PReLU_2d_multiparam PReLU_3d PReLU_3d_multiparam
    PoissonNLLLLoss_no_reduce Softsign operator_add_broadcast operator_add_size1_broadcast
    operator_add_size1_right_broadcast operator_add_size1_singleton_broadcast operator_addconstant operator_addmm
    operator_basic operator_mm operator_non_float_params operator_params operator_pow
"""
TRAINING = "gradient_of_add gradient_of_add_and_mul"
LOCALE = """
    strnorm_model_monday_casesensintive_lower strnorm_model_monday_casesensintive_upper
    strnorm_model_monday_empty_output strnorm_model_monday_insensintive_upper_twodim
"""
REFUSED = {
    **dict.fromkeys(OLD.split(), "Could not find an implementation for"),  # operators as before opset 7
    **dict.fromkeys(TRAINING.split(), "ai.onnx.preview.training"),
}
"""What ONNX Runtime does not run undivided, and what it says."""

NOT_RUN = REFUSED.keys() | set(LOCALE.split())  # changing the case of text needs a locale that not every machine has


def _name(folder: Path) -> str:
    return folder.name.removeprefix("test_")


def _cases(*, run: bool) -> list[Any]:
    return [pytest.param(folder, id=_name(folder)) for folder in CASES if (_name(folder) not in NOT_RUN) == run]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("folder", _cases(run=True))
def test_a_recorded_case_at_every_cut(folder: Path) -> None:
    proto = onnx.load(folder / "model.onnx")
    model = load(folder / "model.onnx", dims=_dims(proto, folder))
    engine = Engine()
    recorded = _recorded(folder)
    assert recorded
    for inputs, outputs in recorded:
        feeds = dict(zip([tensor.name for tensor in model.inputs], inputs, strict=True))
        branch = model.branches[0]
        for cut in range(len(branch.layers) + 1):
            for upload, download in ((cut, len(branch.layers)), (0, cut)):
                found = run_pieces(model, branch, engine, feeds, upload, download)
                for tensor, expected in zip(branch.outputs, outputs, strict=True):
                    assert _alike(found[tensor.name], expected)


def test_all_cases_are_run_but_those_that_the_engine_itself_refuses() -> None:
    names = [_name(folder) for folder in CASES]
    assert len(names) == len(set(names))
    assert set(names) >= NOT_RUN
    assert len(NOT_RUN) == 40
    assert len(_cases(run=True)) == len(CASES) - 40 >= 100


@pytest.mark.parametrize("folder", [folder for folder in CASES if _name(folder) in REFUSED], ids=_name)
def test_what_is_not_run_is_refused_by_the_undivided_engine(folder: Path) -> None:
    """Who comes to run it is to be taken off the list."""
    with pytest.raises(Exception, match=REFUSED[_name(folder)]):  # ONNX Runtime's share no base class of their own
        onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])


def _alike(found: Any, expected: Any) -> bool:
    if expected.dtype.kind in "OUS":
        return found.shape == expected.shape and (found == expected).all()
    return found.shape == expected.shape and difference(found, expected).largest <= 1e-3


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
