"""What is told of a fleet: groups of nodes that say the same, and what the others say otherwise, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iptviz.fleets.summary import count_of
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.compare.ports.form import FrontendForm
    from iptviz.fleets.summary import Nodes
    from iptviz.intake.remark import Remark, Values
    from iptviz.kube.names import ServiceName

FleetId = Literal[
    "endpoint-extra", "endpoint-missing", "service-missing", "service-extra", "share-differs", "property-differs",
    "hostport-gone", "mode-differs", "era-differs", "stale-node", "hook-missing", "no-majority",
]  # fmt: skip


class Group(NamedTuple):
    """Nodes that say the same of everything that is compared; numbered from 1, the largest first."""

    number: int
    nodes: Nodes


class OddFinding(NamedTuple):
    """What some nodes say otherwise than the truth, which is what most nodes say, or the API.

    `severity` is one of `iptviz.checks.finding.SEVERITIES`. `family` is `ipv4` or `ipv6`; it is empty, and
    `service` None, for what concerns whole nodes. `frontend` is None where all frontends are concerned.
    `endpoints` are `address:port`, sorted. `nodes` have it, of `of` that could: those whose rules show the
    service at all. The sentence is made from `values`. `at` is where a service without a name is reached.
    """

    id: FleetId
    severity: str
    family: str
    service: ServiceName | None
    protocol: str
    frontend: FrontendForm | None
    endpoints: tuple[str, ...]
    nodes: Nodes
    of: int
    values: Values
    at: str = ""


class Rightly(NamedTuple):
    """What is different between nodes and shall be, and of how many service ports.

    `why` is `local policy`, `topology`, or `mode`: what kube-proxy's modes mean to do otherwise.
    """

    why: str
    ports: int


class Comparison(NamedTuple):
    """What is told of the nodes of a summary.

    `groups` are of nodes that say the same, the largest first, `odd` what nodes say otherwise than the truth,
    the most harmful first, `rightly` what is different and shall be. `notes` are remarks on the comparison;
    `compared` is how many service ports were compared.
    """

    groups: tuple[Group, ...]
    odd: tuple[OddFinding, ...]
    rightly: tuple[Rightly, ...]
    notes: tuple[Remark, ...]
    compared: int


def grouped(nodes: Nodes, odd: Iterable[OddFinding]) -> tuple[Group, ...]:
    """Return nodes in groups with the same findings, the largest first; of equal ones that with fewest."""
    groups: list[tuple[Nodes, int]] = [(nodes, 0)] if nodes else []
    for having in dict.fromkeys(one.nodes for one in odd):
        apart: list[tuple[Nodes, int]] = []
        for group, findings in groups:
            with_it, without = group & having, group & ~having
            apart += [(with_it, findings + 1)] if with_it else []
            apart += [(without, findings)] if without else []
        groups = apart
    ordered = sorted(groups, key=lambda group: (-count_of(group[0]), group[1], group[0] & -group[0]))
    return tuple(Group(number, group) for number, (group, _) in enumerate(ordered, 1))
