"""WHAT is computed: models, layers, exits, cuts, segments and their costs."""

from edgent.model.metadata import ExitInfo, Metadata, Preprocessing, Sizing, Task
from edgent.model.model import SHIPPED, Model, Segment, check_model, find, free_dimensions, load
from edgent.model.shapes import Interpreter
from edgent.model.values import Boundary, Branch, Layer, SegmentName, Tensor, parse_segment_name, segment_name

__all__ = [
    "SHIPPED",
    "Boundary",
    "Branch",
    "ExitInfo",
    "Interpreter",
    "Layer",
    "Metadata",
    "Model",
    "Preprocessing",
    "Segment",
    "SegmentName",
    "Sizing",
    "Task",
    "Tensor",
    "check_model",
    "find",
    "free_dimensions",
    "load",
    "parse_segment_name",
    "segment_name",
]
