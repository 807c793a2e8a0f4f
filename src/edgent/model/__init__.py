"""WHAT is computed: models, layers, exits, cuts, segments and their costs.

A model has a *branch* for each exit: the graph from the input to that exit's answer, as layers in one fixed topological
order. A *cut* k lies behind the first k layers. A plan has two cuts, which divide the branch in three::

    layers     |  0   1   2  |  3   4   5   6  |  7   8  |  answer             n = 9
               |    head     |     middle      |  suffix |
    runs on    |   device    |      edge       |  device |
               0          upload 3        download 7     9

    upload 9, download 9    the device alone          0, 9    the edge alone
    upload u, download 9    device first              0, d    edge first, as the Edgent paper divides

What crosses is the *boundary*, and it depends on both cuts. In a graph that is no chain a tensor may skip layers::

          +------------------ skip ------------------+
          |                                          v
    layer 1 --> layer 2 --> | --> layer 5 --> | --> layer 8        layer 8 is in the suffix: the skip never crosses
                          upload          download

Up go the tensors that the middle reads and that exist before it; down go those that the middle makes and the suffix
reads, or the answer (`Branch.boundary`). Constants belong to both sides and never cross.

A *segment* is a part of the graph as a small model of its own: made by slicing nodes between named tensors, with its
weights left in one file that all segments share (`Model.segment`). An engine runs segments and knows nothing of cuts.

From file to model: `files` read it, check it, and collect its constants; `fold` computes what needs no input; `values`
divide it into layers and branches. `costs`, `flops` and `kernels` say what layers and kernels are worth in work.
"""

from edgent.model.files.named import SHIPPED, find, models_folder
from edgent.model.metadata import ExitInfo, InputInfo, Metadata, Preprocessing, Task
from edgent.model.model import Model, Segment, check_model, free_dimensions, load
from edgent.model.shapes import Interpreter
from edgent.model.values import Boundary, Branch, Layer, SegmentName, Tensor, parse_segment_name, segment_name

__all__ = [
    "SHIPPED",
    "Boundary",
    "Branch",
    "ExitInfo",
    "InputInfo",
    "Interpreter",
    "Layer",
    "Metadata",
    "Model",
    "Preprocessing",
    "Segment",
    "SegmentName",
    "Task",
    "Tensor",
    "check_model",
    "find",
    "free_dimensions",
    "load",
    "models_folder",
    "parse_segment_name",
    "segment_name",
]
