"""Names of service ports whose comments are lost: recomputed hashes confirm a candidate.

kube-proxy 1.12 to 1.17 left out the comments of endpoints, large clusters still do, and people strip them.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from iptviz.kube.comments import services_named_in
from iptviz.kube.names import NAMELESS, SERVICE_PROTOCOLS, ServiceName, suffix_of, suffixes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.dump.model import Dump
    from iptviz.supplied.service_names import Candidate

COMMON_PORTS = (
    "http",
    "https",
    "grpc",
    "metrics",
    "web",
    "dns",
    "dns-tcp",
    "tcp",
    "api",
    "health",
    "webhook",
)
"""Port names to try where a list of services names none."""


class Naming:
    """Finds names for chains of one dump; nothing is computed before somebody asks."""

    def __init__(self, dump: Dump, candidates: Iterable[Candidate] = ()) -> None:
        """Take candidates from the dump's own comments, and from a supplied list."""
        self._dump = dump
        self._candidates = tuple(candidates)

    def name_of(self, chain: str) -> ServiceName:
        """Return the service port whose hash `chain` bears; without a name where no candidate fits."""
        suffix = suffix_of(chain)
        return NAMELESS if suffix is None else self._names.get(suffix, NAMELESS)

    @cached_property
    def _names(self) -> dict[str, ServiceName]:
        names: dict[str, ServiceName] = {}
        for name in dict.fromkeys([*self._commented, *self._supplied()]):
            for protocol in SERVICE_PROTOCOLS:
                for suffix in suffixes(name.namespace, name.name, name.port_name, protocol):
                    names.setdefault(suffix, name)
        return names

    @cached_property
    def _commented(self) -> list[ServiceName]:
        """The service ports that the dump's comments name."""
        named = services_named_in(self._dump.tables.values())
        return [name._replace(named_by="hash") for name in named]

    def _supplied(self) -> Iterator[ServiceName]:
        """Yield the service ports of the list; those without port names with every name that a port may have."""
        commented = dict.fromkeys(name.port_name for name in self._commented)
        for candidate in self._candidates:
            port_name = candidate.port_name
            ports = (port_name,) if port_name is not None else ("", *commented, *COMMON_PORTS)
            yield from (ServiceName(candidate.namespace, candidate.name, port, "hash") for port in ports)


@lru_cache(maxsize=8_192)
def fits(chain: str, name: ServiceName, protocol: str) -> bool:
    """Whether the hash in a chain's name is that of the service port; a chain without hash fits any.

    An empty `protocol` may be any.
    """
    suffix, protocols = suffix_of(chain), [protocol] if protocol else SERVICE_PROTOCOLS
    named = name.namespace, name.name, name.port_name
    return suffix is None or any(suffix in suffixes(*named, each) for each in protocols)
