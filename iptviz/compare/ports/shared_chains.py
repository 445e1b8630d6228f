"""Chains of endpoints that two dumps have alike, rule by rule: they are read once, and kept once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.compare.chains.unlike import unlike_chains
from iptviz.dump.model import Dump
from iptviz.kube.naming import Naming
from iptviz.kube.plain_chains import PlainChains
from iptviz.kube.service_ports import service_ports

if TYPE_CHECKING:
    from iptviz.kube.dispatching import DispatchingRules
    from iptviz.kube.plain_chains import KnownChains
    from iptviz.kube.service_ports import ServicePort
    from iptviz.node.listing import NftListing


class SharedChains:
    """Finds the service ports of one of two dumps, then those of the other with what both have alike."""

    def __init__(self, old: Dump | NftListing, new: Dump | NftListing) -> None:
        self._unlike = _unlike(old, new) if isinstance(old, Dump) and isinstance(new, Dump) else None
        self._known: KnownChains = {}

    def service_ports(self, rules: DispatchingRules) -> list[ServicePort]:
        """Return every service port of one of the dumps, as `iptviz.kube.service_ports` does."""
        naming, nat = Naming(rules.dump, ()), rules.dump.tables.get("nat")
        if nat is None or self._unlike is None:
            return service_ports(rules, naming)
        plain = PlainChains(nat, self._known)
        found = service_ports(rules, naming, plain)
        if not self._known:
            self._known = plain.same_in(self._unlike)
        return found


def _unlike(old: Dump, new: Dump) -> frozenset[bytes] | None:
    """Return the chains of nat of which a rule may differ; None where most may."""
    tables = old.tables.get("nat"), new.tables.get("nat")
    if tables[0] is None or tables[1] is None:
        return None
    return unlike_chains(
        (tables[0].data, tables[0].blocks()),
        (tables[1].data, tables[1].blocks()),
    )
