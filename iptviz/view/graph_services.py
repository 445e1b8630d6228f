"""Which chains of a jump graph belong to service ports, and how these are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from iptviz.dump.model import Dump
from iptviz.kube.families import CLUSTER_CHAIN, ENDPOINT_CHAIN, PROXY_TABLES
from iptviz.kube.names import NAMELESS, suffix_of
from iptviz.kube.naming import Naming
from iptviz.kube.nftables.names import is_of_service, read_chain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.node.listing import RuleSource
    from iptviz.questions.drawn import ChainNode, Jump, Place


class Services(Protocol):
    """The service ports of a graph; each has a key of its own."""

    kinds: str
    """How the chains of service ports begin, in words."""

    def of(self, jumps: Iterable[Jump], chains: Iterable[ChainNode]) -> dict[Place, str]:
        """Return the key of the service port that each chain belongs to."""

    def name(self, key: str) -> str:
        """Return the name of a service port; empty where nothing tells it."""


def services_of(source: RuleSource) -> Services:
    """Return what tells of the service ports of a dump, or of a listing of nft."""
    return _OfDump(source) if isinstance(source, Dump) else _OfListing()


class _OfDump:
    """Those of iptables mode, whose chains bear a hash of the name; endpoints belong to who leads there."""

    kinds = f"{CLUSTER_CHAIN}, {ENDPOINT_CHAIN}"

    def __init__(self, dump: Dump) -> None:
        self._naming = Naming(dump)

    def of(self, jumps: Iterable[Jump], chains: Iterable[ChainNode]) -> dict[Place, str]:
        found = {
            chain.place: suffix
            for chain in chains
            if chain.table == "nat" and (suffix := suffix_of(chain.chain))
        }
        for jump in jumps:
            if jump.head[1].startswith(ENDPOINT_CHAIN) and jump.tail in found:
                found[jump.head] = found[jump.tail]
        return found

    def name(self, key: str) -> str:
        return self._naming.name_of(CLUSTER_CHAIN + key).text


class _OfListing:
    """Those of nftables mode, whose chains bear the name itself, unless it was cut."""

    kinds = "service-, endpoint-"

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def of(self, jumps: Iterable[Jump], chains: Iterable[ChainNode]) -> dict[Place, str]:  # noqa: ARG002
        found = {}
        for chain in chains:
            own = read_chain(chain.chain) if is_of_service(chain.chain) else None
            if chain.table in PROXY_TABLES and own is not None:
                named = own.service is not NAMELESS
                key = f"{own.service.text}/{own.protocol}" if named else own.suffix
                self._names[key] = own.service.text if named else ""
                found[chain.place] = key
        return found

    def name(self, key: str) -> str:
        return self._names[key]
