"""Names of service ports whose comments are lost: recomputed hashes confirm a candidate.

kube-proxy 1.12 to 1.17 left out the comments of endpoints, large clusters still do, and people strip them.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.intake.text import to_text
from iptviz.kube.hashes import PROTOCOLS, suffix_of, suffixes
from iptviz.kube.names import NAMELESS, ServiceName, service_of_comment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.dump.model import Dump
    from iptviz.supplied.service_names import Candidate

_COMMENTED = re.compile(rb'--comment "?([^"\s/]++/[^"\s]++)')

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
        """Take candidates from the dump's own comments, and from a list handed in."""
        self._dump = dump
        self._candidates = tuple(candidates)

    def name_of(self, chain: str) -> ServiceName:
        """Return the service port whose hash `chain` bears; without a name where no candidate fits."""
        suffix = suffix_of(chain)
        return NAMELESS if suffix is None else self._names.get(suffix, NAMELESS)

    @cached_property
    def _names(self) -> dict[str, ServiceName]:
        names: dict[str, ServiceName] = {}
        for name in dict.fromkeys([*self._told(), *self._handed_in()]):
            for protocol in PROTOCOLS:
                for suffix in suffixes(name.namespace, name.name, name.port_name, protocol):
                    names.setdefault(suffix, name)
        return names

    def _told(self) -> Iterator[ServiceName]:
        """Yield the service ports that the dump's comments name."""
        for text in self._comments:
            name = service_of_comment(text)
            if name is not None:
                yield name._replace(named_by="hash")

    @cached_property
    def _comments(self) -> list[str]:
        found: dict[bytes, None] = {}
        for table in self._dump.tables.values():
            for block in table.blocks():
                found.update(dict.fromkeys(_COMMENTED.findall(table.data, *block)))
        return [to_text(text) for text in found]

    def _handed_in(self) -> Iterator[ServiceName]:
        """Yield the service ports of the list; those without port names with every name that a port may have."""
        known = dict.fromkeys(name.port_name for name in self._told())
        for candidate in self._candidates:
            told = candidate.port_name
            ports = (told,) if told is not None else ("", *known, *COMMON_PORTS)
            yield from (ServiceName(candidate.namespace, candidate.name, port, "hash") for port in ports)


def fits(chain: str, name: ServiceName, protocol: str) -> bool:
    """Whether the hash in a chain's name is that of the service port; a chain without hash fits any."""
    suffix = suffix_of(chain)
    return suffix is None or suffix in suffixes(name.namespace, name.name, name.port_name, protocol)
