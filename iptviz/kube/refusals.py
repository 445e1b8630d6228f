"""Rules that end connections: whether kube-proxy or kubelet writes such a one into its chain."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from iptviz.grammar.reader import take_apart
from iptviz.kube.comments import read_comment
from iptviz.kube.families import KUBE_PROXY, KUBELET, NODE_PORTS, PROXY_TABLES, family_of
from iptviz.xtables.address import full_mask, parse_network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from iptviz.grammar.parts import RuleParts

_FIREWALL = "KUBE-FIREWALL"
_SOURCES = {"-s", "-i", "-o"}
"""What kube-proxy's own refusals never ask: they refuse whoever comes to a service."""


def is_own_refusal(table: str, chain: str, text: str) -> bool:
    """Whether kube-proxy or kubelet, of any release, writes a rule like `text` that ends connections there.

    In chains of nat and of single services every rule is taken for theirs, and in kube-proxy's tables of nft.
    """
    if table in PROXY_TABLES:
        return True
    family = family_of(chain, table)
    if family is None or family.writer not in {KUBE_PROXY, KUBELET}:
        return False
    if table != "filter" or family.ends_in:
        return True
    return _asks_like_own(chain, text)


@lru_cache(1024)
def _asks_like_own(chain: str, text: str) -> bool:
    return _OWN.get(chain, _names_service)(take_apart(text))


def _none(_: RuleParts) -> bool:
    return False


def _names_service(parts: RuleParts) -> bool:
    """Whether a rule is about one address, or this node's own, or its comment names a service."""
    basics = {option.name: option for option in parts.basics}
    if _SOURCES & basics.keys():
        return False
    values = {value for match in parts.matches if match.name == "addrtype" for option in match.options
              if option.name == "--dst-type" and not option.negated for value in option.values}  # fmt: skip
    comments = (
        option.values for match in parts.matches if match.name == "comment" for option in match.options
    )
    named = any(read_comment(" ".join(values)) is not None for values in comments)
    to = basics.get("-d")
    network = parse_network(to.values[0]) if to and to.values and not to.negated else None
    return (
        named or values == {"LOCAL"} or (network is not None and network.mask == full_mask(network.version))
    )


def _is_kubelets(parts: RuleParts) -> bool:
    """Whether a rule asks for a mark, or is about loopback addresses."""
    to = [option for option in parts.basics if option.name == "-d" and not option.negated]
    loopback = any(option.values and option.values[0].startswith("127.") for option in to)
    return loopback or any(match.name == "mark" for match in parts.matches)


_OWN: Mapping[str, Callable[[RuleParts], bool]] = {
    _FIREWALL: _is_kubelets,
    NODE_PORTS: _none,
    "KUBE-FORWARD": _none,
}
"""What their rules ask that end connections and are not about services; some chains end no valid ones at all."""
