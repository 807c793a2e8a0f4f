"""WHAT TO DO: from profiles and the state of the link to the plan of a request.

::

    model, two profiles, calibration
        |  pricing       what each codec costs and keeps, for every pair of cuts          -> costs
        |  candidates    exit x upload cut and codec x download cut and codec: one table, a column per property
        |  frontier      those that no other undercuts; only they can ever win
        v
    planner       the link is known for certain: the most accurate candidate in time, then the fastest
    controller    the link is uncertain: the candidate of the highest expected accuracy in time (`expectation`)
    configuration_map     a table of states and deadlines, computed offline

`conditions` is what is believed, and turns a candidate's demand into seconds; `expectation` turns a distribution of the
link into chances. `gates` are thresholds of confidence, and what two networks know together; `policy` puts them before
candidates, so that a plan may look at the picture. `oracles` and `knobs` judge plans: by the choice of somebody who
knows more, and by what a plan loses when one of its settings is fixed. A *knob* is one such setting: cut, exit, codec,
source, int8, the networks of a bundle, the race. `paper` has Algorithms 1 to 3.
"""

from edgent.planning.candidates import Candidates
from edgent.planning.conditions import Conditions
from edgent.planning.plan import Configuration, Plan, Stages
from edgent.planning.planner import TOLERANCE, Planner

__all__ = [
    "TOLERANCE",
    "Candidates",
    "Conditions",
    "Configuration",
    "Plan",
    "Planner",
    "Stages",
]
