"""Solvers: a ``Problem`` in, a ``Solution`` out; one per file."""

from wm_planner.planning.kinds import kinds_in
from wm_planner.planning.solvers.base import Solver

SOLVERS = {kind.name: kind for kind in sorted(kinds_in(__name__, __path__, Solver), key=lambda kind: kind.place)}
