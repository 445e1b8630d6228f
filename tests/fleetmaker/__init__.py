"""A generator of whole clusters: what kube-proxy writes on each of many nodes, with troubles planted, and the truth.

What each node writes is composed of `tests.kubeproxy` and `tests.nftproxy`; the truth follows from what was planted.
None of the program's code is used.
"""

from tests.fleetmaker.fleets import Fleet, fleet_with, healthy
from tests.fleetmaker.troubles import TROUBLES
from tests.fleetmaker.truth import Odd, Truth
from tests.fleetmaker.world import World, world
from tests.fleetmaker.writing import Setup

__all__ = ["TROUBLES", "Fleet", "Odd", "Setup", "Truth", "World", "fleet_with", "healthy", "world"]
