"""The five shapes of the table, by the release that first wrote each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIRST = (
    ("filter-input", "filter", "input", "-101"),
    ("filter-forward", "filter", "forward", "-101"),
    ("filter-output", "filter", "output", "-101"),
)
_SECOND = (
    ("filter-prerouting", "filter", "prerouting", "-110"),
    ("filter-input", "filter", "input", "-110"),
    ("filter-forward", "filter", "forward", "-110"),
    ("filter-output", "filter", "output", "-110"),
    ("filter-output-post-dnat", "filter", "output", "-90"),
)
_THIRD = (
    ("filter-prerouting-pre-dnat", "filter", "prerouting", "-110"),
    ("filter-output-pre-dnat", "filter", "output", "-110"),
    ("filter-input", "filter", "input", "0"),
    ("filter-forward", "filter", "forward", "0"),
    ("filter-output", "filter", "output", "0"),
)
NAT = (
    ("nat-prerouting", "nat", "prerouting", "-100"),
    ("nat-output", "nat", "output", "-100"),
    ("nat-postrouting", "nat", "postrouting", "100"),
)


@dataclass(frozen=True)
class Shape:
    """How a release writes: its base chains, and what it has.

    `checked` names what each base chain asks of new connections. `inline`: marks are set in the rule, hairpins are
    in a set, and balancing without affinity is a map of addresses. `single`: one endpoint alone needs no map.
    """

    name: str
    bases: tuple[tuple[str, str, str, str], ...]
    checked: Mapping[str, tuple[str, ...]]
    comments: bool = True
    inline: bool = False
    single: bool = False
    dispatch_port: bool = False


_FIREWALL, _ENDPOINTS, _NODE_PORTS, _VIRTUAL = (
    "firewall-check",
    "service-endpoints-check",
    "nodeport-endpoints-check",
    "cluster-ips-check",
)
_OF_THIRD = {
    "filter-prerouting-pre-dnat": (_FIREWALL,),
    "filter-output-pre-dnat": (_FIREWALL,),
    "filter-input": (_NODE_PORTS, _ENDPOINTS),
    "filter-forward": (_ENDPOINTS, _VIRTUAL),
    "filter-output": (_ENDPOINTS, _VIRTUAL),
}
_OF_SECOND = {
    "filter-prerouting": (_FIREWALL,),
    "filter-input": (_NODE_PORTS, _ENDPOINTS),
    "filter-forward": (_ENDPOINTS, _VIRTUAL),
    "filter-output": (_ENDPOINTS, _FIREWALL),
    "filter-output-post-dnat": (_VIRTUAL,),
}
_OF_FIRST = {
    "filter-input": ("endpoints-check", _FIREWALL),
    "filter-forward": ("endpoints-check", _FIREWALL),
    "filter-output": ("endpoints-check", _FIREWALL),
}

SHAPES = {
    made.name: made
    for made in (
        Shape("1.29", _FIRST, _OF_FIRST, comments=False, dispatch_port=True),
        Shape("1.30", _SECOND, _OF_SECOND, dispatch_port=True),
        Shape("1.34", _THIRD, _OF_THIRD),
        Shape("1.36", _THIRD, _OF_THIRD, inline=True),
        Shape("1.37", _THIRD, _OF_THIRD, inline=True, single=True),
    )
}


def shape(name: str) -> Shape:
    """Return a shape by the release that first wrote it."""
    return SHAPES[name]
