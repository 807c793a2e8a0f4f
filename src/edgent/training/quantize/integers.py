"""ONNX Runtime's static quantisation, in steps that can be interrupted: the only file here that knows it.

Weights become int8 with a scale for each output channel; activations become uint8, whose ranges are those of the
tensors on some pictures (the smallest and the largest value). The file holds pairs of QuantizeLinear and
DequantizeLinear around standard operators (QDQ): what an engine computes in whole numbers is for the engine to say.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx

from edgent.engine.engine import one_line
from edgent.engine.feeds import Feeds
from edgent.errors import EdgentError, InputError, ModelError
from edgent.files import is_file, read_text, write_whole
from edgent.model.files.bundle import opset_of
from edgent.profiling.timing import Progress

Ranges = dict[str, tuple[float, float]]
"""The smallest and the largest value of each tensor."""

_FIRST_OPSET = 13  # in which a tensor may have a scale for each channel
_KEPT_EVERY = 16  # pictures


def prepared(path: Path, target: Path) -> None:
    """Writes a model's file as the quantiser wants it: shapes inferred, constants folded, batch normalisation joined.

    Raises:
        ModelError: ONNX Runtime does not take it.
    """
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with _explained(path):
        proto = onnx.load(path)
        if opset_of(proto) < _FIRST_OPSET:
            proto = onnx.version_converter.convert_version(proto, _FIRST_OPSET)
        converted = target.with_name("converted.onnx")
        onnx.save(proto, converted)
        # Symbolic shapes would need another package, and help networks of text.
        quant_pre_process(str(converted), str(target), skip_symbolic_shape=True)
        converted.unlink()


def ranges_of(
    path: Path, inputs: Sequence[Feeds] | Iterator[Feeds], count: int, kept: Path, progress: Progress
) -> Ranges:
    """The ranges of a prepared file's tensors; goes on where an earlier run had come to.

    Args:
        path: of the prepared file.
        inputs: as many as `count`, each made when it is needed.
        count: how many.
        kept: the file in which ranges are kept with the number of inputs that they are of.
        progress: called with the inputs done and their number.

    Raises:
        ModelError: ONNX Runtime does not take the file, or fails.
    """
    from onnxruntime.quantization import CalibrationMethod, create_calibrator

    done, ranges = _kept(kept)
    if done >= count:
        return ranges
    with _explained(path):
        calibrator = create_calibrator(
            path,
            _operators(),
            augmented_model_path=str(kept.with_name("augmented.onnx")),
            calibrate_method=CalibrationMethod.MinMax,
        )
        waiting: list[Feeds] = []
        for number, feeds in enumerate(inputs, start=1):
            if number <= done:
                continue
            waiting.append(feeds)
            if len(waiting) == _KEPT_EVERY or number == count:
                calibrator.collect_data(_Reader(waiting))
                for name, data in calibrator.compute_data().items():
                    low, high = (float(np.squeeze(value)) for value in data.range_value)
                    before = ranges.get(name, (low, high))
                    ranges[name] = min(low, before[0]), max(high, before[1])
                waiting = []
                write_whole(kept, json.dumps({"done": number, "ranges": ranges}))
            progress(number, count)
    return ranges


def quantised(path: Path, ranges: Ranges, target: Path) -> None:
    """Writes a prepared file in whole numbers.

    Raises:
        ModelError: ONNX Runtime cannot quantise it.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.quant_utils import load_model_with_shape_infer

    with _explained(path):
        data = {
            name: (np.array([low], np.float32), np.array([high], np.float32)) for name, (low, high) in ranges.items()
        }
        quantiser = QDQQuantizer(
            load_model_with_shape_infer(path),
            per_channel=True,
            reduce_range=False,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=TensorsData(CalibrationMethod.MinMax, data),
            nodes_to_quantize=[],
            nodes_to_exclude=[],
            op_types_to_quantize=_operators(),
            extra_options={},
        )
        quantiser.quantize_model()
        quantiser.model.save_model_to_file(str(target))


class _Reader:
    """Inputs as the calibrator asks for them: one at each call, then None."""

    def __init__(self, inputs: Sequence[Feeds]) -> None:
        self._inputs = iter(inputs)

    def get_next(self) -> Feeds | None:
        return next(self._inputs, None)


def _operators() -> list[str]:
    """All that ONNX Runtime can quantise."""
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    return sorted({*QDQRegistry, *QLinearOpsRegistry})


def _kept(path: Path) -> tuple[int, Ranges]:
    if not is_file(path):
        return 0, {}
    try:
        kept = json.loads(read_text(path))
        return int(kept["done"]), {name: (float(low), float(high)) for name, (low, high) in kept["ranges"].items()}
    except (InputError, ValueError, LookupError, TypeError, AttributeError):
        raise InputError(f"{path}: holds no ranges; remove {path.parent} to begin anew") from None


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Without the tools' own words on stderr, and with one line where they fail."""
    level = logging.root.level
    logging.root.setLevel(logging.CRITICAL)
    try:
        yield
    except EdgentError:
        raise
    except Exception as error:  # they raise whatever they meet
        raise ModelError(f"{path.name}: ONNX Runtime cannot quantise it: {one_line(error)}") from error
    finally:
        logging.root.setLevel(level)
