"""WHAT TO DO: candidates and their frontier, the planner, the configuration map, the controllers, Algorithms 1 to 3."""

from edgent.planning.candidates import Candidates
from edgent.planning.conditions import Conditions
from edgent.planning.configuration_map import ConfigurationMap
from edgent.planning.controller import Controller, Goal
from edgent.planning.plan import Configuration, Plan, Stages
from edgent.planning.planner import TOLERANCE, Planner

__all__ = [
    "TOLERANCE",
    "Candidates",
    "Conditions",
    "Configuration",
    "ConfigurationMap",
    "Controller",
    "Goal",
    "Plan",
    "Planner",
    "Stages",
]
