"""WHAT TO DO: demand, candidates and their frontier, Algorithm 1, the planner."""

from edgent.planning.candidates import Candidates
from edgent.planning.conditions import Conditions
from edgent.planning.plan import Configuration, Plan, Stages
from edgent.planning.planner import TOLERANCE, Planner

__all__ = ["TOLERANCE", "Candidates", "Conditions", "Configuration", "Plan", "Planner", "Stages"]
