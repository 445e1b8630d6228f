"""Pseudonyms of what Kubernetes, CNI plug-ins and people name: services, chains, interfaces, sets, comments.

Hashes in the names of kube-proxy's chains are computed anew from the pseudonyms, with the spelling that the
original's hash confirms; a hash that nothing confirms becomes another one, the same everywhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.intake.index import TABLE_NAMES
from iptviz.kube.comments import GENERAL, NOT_ADMITTED, WAY, read_comment, service_of_comment
from iptviz.kube.families import ENDPOINT_CHAIN, beginning_of, family_of
from iptviz.kube.names import NAMELESS, SERVICE_PROTOCOLS, ServiceName, suffix_of, suffixes
from iptviz.kube.naming import Naming
from iptviz.kube.public_names import (
    PUBLIC_INTERFACES,
    PUBLIC_NAMESPACES,
    PUBLIC_NFT_TABLES,
    PUBLIC_SERVICES,
    PUBLIC_SETS,
)
from iptviz.redact.mentions import mentions
from iptviz.redact.remembered import Remembered
from iptviz.rules.reading.lists import OWN_COUNTERS
from iptviz.xtables.address import join_endpoint, parse_network, split_endpoint

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table
    from iptviz.kube.comments import Comment
    from iptviz.redact.secrets import Secrets
    from iptviz.supplied.service_names import Candidate

REDACTED = "redacted"
_FEW_DIGITS = re.compile(r"\d{0,3}")
"""What follows a program's own words in the names of interfaces that are numbered: eth0, docker0."""
_NODE_PORTS = (30000, 32767)


class Names:
    """The pseudonyms of the names in one dump; `ports` says whether ports get some, too."""

    def __init__(
        self,
        dump: Dump | None,
        secrets: Secrets,
        *,
        ports: bool = False,
        candidates: Sequence[Candidate] = (),
        wildcards: Iterable[str] = (),
    ) -> None:
        """Take a dump, None where there is none, and what stands before the `*` of interfaces beside it."""
        self._dump = dump
        self._secrets = secrets
        self._ports = ports
        self._naming = Naming(dump, candidates) if dump else None
        self.chains: dict[str, str] = Remembered(self._chain)
        """The pseudonyms of chains."""
        self._services: dict[ServiceName, tuple[str, str, str]] = {}
        self._prefixes = tuple(sorted({*wildcards, *(_wildcards(dump) if dump else ())} - {""}, key=len))
        self._enter_services()

    # --- services and their chains ---------------------------------------------------------------------------

    def service(self, text: str) -> str | None:
        """Return `namespace/name:port` in pseudonyms, with the colon of an unnamed port; None for other text."""
        found = service_of_comment(text)
        if found is None or found.text != text.removesuffix(":"):
            return None
        return self._spelled(found, text)

    def _spelled(self, name: ServiceName, text: str) -> str:
        parts = self.namespace(name.namespace), self.object(name.name)
        port = f":{self.port_name(name.port_name)}" if name.port_name else ":" if text.endswith(":") else ""
        return f"{parts[0]}/{parts[1]}{port}"

    def namespace(self, name: str) -> str:
        """Return the pseudonym of a namespace."""
        return name if name in PUBLIC_NAMESPACES else f"ns-{self._secrets.word('namespace', name)}"

    def object(self, name: str) -> str:
        """Return the pseudonym of a service's own name."""
        return name if name in PUBLIC_SERVICES else f"svc-{self._secrets.word('service', name)}"

    def pod(self, name: str) -> str:
        """Return the pseudonym of a pod's own name."""
        return f"pod-{self._secrets.word('pod', name)}"

    def port_name(self, name: str) -> str:
        """Return the pseudonym of the name of a port."""
        return f"p-{self._secrets.word('port name', name)}" if name else ""

    def _enter_services(self) -> None:
        """Compute the hashes of all chains whose services are known anew."""
        nat = self._dump.tables.get("nat") if self._dump else None
        if nat is None or self._naming is None:
            return
        chains = list(filter(suffix_of, nat.chain_names()))
        for chain in chains:
            if not chain.startswith(ENDPOINT_CHAIN):
                self.chains[chain] = self._renamed(chain, self._naming.name_of(chain), "")
        for chain, owner, end in self._endpoints(nat, chains, self._naming):
            self.chains[chain] = self._renamed(chain, owner, end)

    def _endpoints(
        self, nat: Table, chains: Collection[str], naming: Naming
    ) -> Iterator[tuple[str, ServiceName, str]]:
        """Return endpoints' chains, their service ports and addresses: own comments count before jumps."""
        ends = dict.fromkeys((chain for chain in chains if chain.startswith(ENDPOINT_CHAIN)), "")
        owners: dict[str, ServiceName] = {}
        commented: dict[str, ServiceName] = {}
        for chain, target, end, comment in mentions(nat, chains):
            if chain not in ends:
                if target in ends and target not in owners:
                    owners[target] = naming.name_of(chain)
                continue
            if end and not ends[chain]:
                ends[chain] = end
            if comment and chain not in commented and (named := service_of_comment(comment)):
                commented[chain] = named
        owners |= commented
        return ((chain, owners.get(chain, NAMELESS), end) for chain, end in ends.items())

    def _renamed(self, chain: str, name: ServiceName, endpoint: str) -> str:
        """Return the chain's new name: its hash anew where that of the original is what it should be."""
        prefix, _, suffix = chain.rpartition("-")
        fresh = self._namesake(suffix, name, endpoint) if name is not NAMELESS else None
        return f"{prefix}-{fresh or self._secrets.word('hash', suffix, length=16, upper=True)}"

    def _namesake(self, suffix: str, name: ServiceName, endpoint: str) -> str | None:
        """Return what the hash of a chain of a service becomes; None where it is not that of the service."""
        for protocol in SERVICE_PROTOCOLS:
            own = suffixes(*name[:3], protocol, endpoint)
            if suffix in own:
                fresh = suffixes(*self._hidden(name), protocol, self.endpoint(endpoint))
                return fresh[own.index(suffix)]
        return None

    def _hidden(self, name: ServiceName) -> tuple[str, str, str]:
        """Return namespace, name and port name of a service port in pseudonyms."""
        if name not in self._services:
            self._services[name] = (
                self.namespace(name.namespace), self.object(name.name), self.port_name(name.port_name),
            )  # fmt: skip
        return self._services[name]

    def endpoint(self, text: str) -> str:
        """Return `address:port` with the address' pseudonym."""
        address, port = split_endpoint(text)
        if not address:
            return text
        mapped = port if port is None or not self._ports else int(self.port(str(port)))
        return join_endpoint(self._secrets.addresses.of(address), mapped)

    def port(self, text: str) -> str:
        """Return the pseudonym of a port; a node port stays one."""
        number = int(text)
        if not self._ports or number == 0:
            return text
        is_node_port = _NODE_PORTS[0] <= number <= _NODE_PORTS[1]
        least, most = _NODE_PORTS if is_node_port else (1024, 29999)
        return str(self._secrets.number("node port" if is_node_port else "port", number, least, most))

    # --- everything else that has a name -----------------------------------------------------------------------

    def chain(self, name: str) -> str:
        """Return the pseudonym of a chain; of those that everybody has, the name.

        One of a program's, of which it chooses the rest of the name, is the program's still.
        """
        return self.chains[name]

    def _chain(self, name: str) -> str:
        family = family_of(name)
        if family is not None and not family.ends_in:
            return name
        if suffix_of(name):
            return self._renamed(name, self._naming.name_of(name) if self._naming else NAMELESS, "")
        begin = beginning_of(name)
        if begin and begin == name:
            return name
        if family is not None and family.ends_in == "interface":
            return begin + self.interface(name[len(begin) :])
        between = name[len(begin)] if begin and name[len(begin)] in "-_" else ""
        prefix = begin + between if begin else "CHAIN-"
        return prefix + self._secrets.word("chain", name)

    def interface(self, name: str) -> str:
        """Return the pseudonym of an interface; what begins alike in a wildcard begins alike still.

        What programs call interfaces stays, be it the beginning of a name or a part of that.
        """
        stem, wild = name.removesuffix("+"), "+" if name.endswith("+") else ""
        if any(public.startswith(stem) for public in (*PUBLIC_INTERFACES.whole, *PUBLIC_INTERFACES.begin)):
            return name
        parent = max(
            (prefix for prefix in self._prefixes if stem.startswith(prefix) and prefix != stem),
            key=len,
            default="",
        )
        public = PUBLIC_INTERFACES.beginning(stem)
        if len(public) >= len(parent) and public:
            if _FEW_DIGITS.fullmatch(stem, len(public)):
                return name
            before = parent = public
        else:
            before = self.interface(parent) if parent else "i"
        return before + self._secrets.word(f"interface {parent}", stem[len(parent) :], length=4) + wild

    def set(self, name: str) -> str:
        """Return the pseudonym of an ipset; those of programs stay, or begin as they did."""
        if name in PUBLIC_SETS.whole:
            return name
        return f"{PUBLIC_SETS.beginning(name) or 'set-'}{self._secrets.word('set', name)}"

    def table(self, name: str) -> str:
        """Return the name of a table of the kernel's: those of iptables stay, and those of programs."""
        if name in TABLE_NAMES or name in PUBLIC_NFT_TABLES:
            return name
        return f"table-{self._secrets.word('table', name)}"

    def text(self, text: str) -> str:
        """Return the pseudonym of a text that has no form of its own."""
        return f"text-{self._secrets.word('text', text)}" if text else text

    def list_name(self, name: str) -> str:
        """Return the pseudonym of a list or a counter: one of kube-proxy's is called like its chain, or stays."""
        if name in OWN_COUNTERS:
            return name
        return self.chain(name) if name.startswith("KUBE-") else self.text(name)

    def mac(self, text: str) -> str:
        """Return the pseudonym of a hardware address: one that no maker assigns."""
        digits = [f"{ord(letter) & 0xF:x}" for letter in self._secrets.word("mac", text.lower(), length=10)]
        return ":".join(["02", *("".join(digits[at : at + 2]) for at in range(0, 10, 2))])

    def comment(self, text: str) -> str:
        """Return the recognised parts of a comment, in pseudonyms; of any other comment nothing is left."""
        if text in GENERAL:
            return text
        found = read_comment(text)
        name = self.service(found.name) if found else None
        if found is None or name is None:
            return REDACTED
        rest = self._rest(found) if found.form.open else ""
        return REDACTED if rest is None else f"{found.before}{name}{found.form.after}{rest}"

    def _rest(self, comment: Comment) -> str | None:
        """Return what a comment ends in, in pseudonyms: an endpoint or a chain; None where it is neither."""
        rest = comment.rest
        if comment.form is WAY:
            return self.endpoint(rest) if parse_network(split_endpoint(rest)[0]) is not None else None
        return self.chain(rest) if comment.form is NOT_ADMITTED and rest and " " not in rest else None


def _wildcards(dump: Dump) -> set[str]:
    """Return what stands before the `+` of the interfaces that a dump names."""
    return {
        option.values[0].removesuffix("+")
        for table in dump.tables.values()
        for rule in table.rules_with("+ ")
        for options in (rule.parts.basics, *(match.options for match in rule.matches))
        for option in options
        if option.values and option.values[0].endswith("+")
    }
