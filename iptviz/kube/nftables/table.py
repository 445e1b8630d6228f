"""kube-proxy's own table in a listing of nft: its maps and sets by what they mean, and the rules that ask them.

Source: pkg/proxy/nftables/proxier.go, release by release.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from iptviz.kube.nftables.names import is_of_service
from iptviz.kube.nftables.own import has_services, own_table
from iptviz.nft.expressions import Concatenation, Meta, Value
from iptviz.nft.marks import arithmetic
from iptviz.nft.statements import Assign, Match, Nat, Verdict
from iptviz.records import NamedTuple
from iptviz.rules.native.named import addresses_in
from iptviz.rules.native.place import NftPlace, TableName, table_name
from iptviz.rules.nftables import NftTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.nft.expressions import Element
    from iptviz.nft.model import Chain, Rule, Ruleset, SetOrMap, Table
    from iptviz.node.listing import NftListing
    from iptviz.rules.form import CompiledRule

SERVICE_IPS, NODE_PORTS = "service-ips", "service-nodeports"
NO_ENDPOINTS, NO_ENDPOINTS_AT_PORTS = "no-endpoint-services", "no-endpoint-nodeports"
SOURCE_RANGES = "firewall-ips"
CLUSTER_IPS, NODE_PORT_IPS = "cluster-ips", "nodeport-ips"
HAIRPINS = "hairpin-connections"
"""Its maps and sets."""

AFFINITY = "affinity-"
"""With this begin the names of sets of clients that stay with an endpoint."""

_OF_SERVICES = (
    SERVICE_IPS, NODE_PORTS, NO_ENDPOINTS, NO_ENDPOINTS_AT_PORTS, SOURCE_RANGES, CLUSTER_IPS, HAIRPINS,
)  # fmt: skip
"""Those that have what is one service's own."""

ASKED_IN_SET, ADMITTED = "firewall", "firewall-allow"
"""Sets of 1.29: the addresses of load balancers with source ranges, and who may come there."""

ASKED_FOR_RANGES = (SOURCE_RANGES, ASKED_IN_SET)
"""What has the addresses of load balancers with source ranges."""


class AskedMap(NamedTuple):
    """A map, and the rule that looks packets up in it."""

    map: SetOrMap
    rule: Rule


class ProxyTable:
    """kube-proxy's table for packets of one family; `nft` is its table as nft has it."""

    def __init__(self, nft: Table, family: str) -> None:
        self.nft = nft
        self.family = family
        self.compiled = NftTable(nft, family, lambda: 0)
        self._name = TableName(table_name(nft))

    def asked(self, name: str) -> AskedMap | None:
        """Return a map with the rule that asks it; None where there is none, or nobody asks."""
        if name not in self._asked:
            self._asked[name] = self._found(name)
        return self._asked[name]

    @cached_property
    def _asked(self) -> dict[str, AskedMap | None]:
        return {}

    def _found(self, name: str) -> AskedMap | None:
        found = self.nft.sets.get(name)
        if found is None:
            return None
        rules = (rule for rule in self.dispatching if f"@{name}" in rule.text)
        rule = next(rules, None)
        return None if rule is None else AskedMap(found, rule)

    @cached_property
    def dispatching(self) -> tuple[Rule, ...]:
        """The rules of chains that belong to no service."""
        return tuple(rule for chain in self.own_chains for rule in chain.rules)

    @cached_property
    def own_chains(self) -> tuple[Chain, ...]:
        """The chains that belong to no service."""
        return tuple(chain for name, chain in self.nft.chains.items() if not is_of_service(name))

    # --- what is named in it ----------------------------------------------------------------------------------

    @property
    def is_text(self) -> bool:
        """Whether its source is a text, where everything stands as nft prints it."""
        return self.nft.line > 0

    @cached_property
    def texts_beside_services(self) -> tuple[tuple[str, str], ...]:
        """The names and texts of all that belongs to no service: chains, and sets other than those of addresses.

        Those of services are its maps, and the sets of cluster IPs, of hairpins and of clients.
        """
        chains = ((chain.name, chain.source_text) for chain in self.own_chains)
        sets = ((name, found.source_text) for name, found in self.nft.sets.items()
                if name not in _OF_SERVICES and not name.startswith(AFFINITY))  # fmt: skip
        return (*chains, *sets)

    @cached_property
    def named_after_nat(self) -> frozenset[int]:
        """Where addresses begin that are named by what may be asked of an endpoint's, and where they have ended.

        Hairpins are left out, but for those that are not of one address.
        """
        maps = (self.nft.sets[name] for name in _OF_SERVICES if name in self.nft.sets and name != HAIRPINS)
        texts = (text for _, text in self.texts_beside_services)
        return addresses_in((*texts, *(found.source_text for found in maps))) | self._odd_hairpins

    @cached_property
    def hairpin_keys(self) -> tuple[tuple[int, int, int, int], ...]:
        """Address, version of IP, protocol and port of the endpoints that have a hairpin of their own."""
        return tuple(key for key in self._hairpins if key is not None)

    @cached_property
    def _hairpins(self) -> list[tuple[int, int, int, int] | None]:
        return [_hairpin_key(element) for _, element in self.elements(HAIRPINS)]

    @cached_property
    def _odd_hairpins(self) -> frozenset[int]:
        """Where addresses of other hairpins begin, and where they have ended."""
        if None not in self._hairpins:
            return frozenset()
        return addresses_in([self.nft.sets[HAIRPINS].source_text])

    def place(self, rule: Rule, element: Element | None = None, line: int = 0) -> NftPlace:
        """Return the place of a rule, or of an element that it finds: equal to that where a walk comes."""
        return NftPlace(rule, self._name, element, line)

    def elements(self, name: str, word: str = "") -> Iterator[tuple[int, Element]]:
        """Yield the elements of a set or map with their lines, those with a word, or all."""
        found = self.nft.sets.get(name)
        if found is not None:
            yield from found.elements_with(word) if word else found.lines

    # --- the way of a packet ---------------------------------------------------------------------------------

    def entered(self, *, here: bool) -> list[CompiledRule]:
        """Return the rules that meet what arrives, in order: before routing, and then as it is for this node.

        Source of the order: hooks run by priority, and those of INPUT and FORWARD after all of PREROUTING.
        """
        last = "input" if here else "forward"
        return [
            rule
            for hook in ("prerouting", last)
            for chain in self._bases(hook)
            for rule in self.compiled.rules_of(chain)
        ]

    def _bases(self, hook: str) -> list[str]:
        bases = [(base.priority or 0, chain.name) for chain, base in self.nft.bases if base.hook == hook]
        return [name for _, name in sorted(bases, key=lambda found: found[0])]

    def marks(self, rule: Rule) -> bool:
        """Whether a rule marks packets to be masqueraded, be it by a jump to a chain that does nothing else."""
        for statement in rule.statements:
            if isinstance(statement, Assign) and bits_set(statement) & self.masquerade_bits:
                return True
            if isinstance(statement, Verdict) and statement.kind == "jump":
                found = self.nft.chains.get(statement.chain)
                if found is not None and not is_of_service(found.name) and len(found.rules) == 1:
                    return self.marks(found.rules[0])
        return False

    @property
    def keeps_services(self) -> bool:
        """Whether kube-proxy has written services."""
        return has_services(self.nft)

    @cached_property
    def masquerade_bits(self) -> int:
        """The bits of the mark by which packets are masqueraded; 0 where no rule asks for any."""
        bits = 0
        for chain in self.own_chains:
            statements = [one for rule in chain.rules for one in rule.statements]
            if any(isinstance(one, Nat) and one.kind in {"masquerade", "snat"} for one in statements):
                for match in statements:
                    found = arithmetic(match.left) if isinstance(match, Match) else None
                    bits |= found.keep if found is not None and found.of == "mark" else 0
        return bits


def _hairpin_key(element: Element) -> tuple[int, int, int, int] | None:
    """Return the address of an endpoint, its version of IP, protocol and port; None for what is none."""
    parts = element.key.parts if isinstance(element.key, Concatenation) else ()
    values = [part.data for part in parts if isinstance(part, Value) and isinstance(part.data, int)]
    if len(values) != len(_HAIRPIN) or values[0] != values[1] or not isinstance(parts[0], Value):
        return None
    return values[0], 4 if parts[0].type == "ipv4_addr" else 6, values[2], values[3]


_HAIRPIN = ("source", "destination", "protocol", "port")
"""The parts of the key of a hairpin."""


def bits_set(statement: Assign) -> int:
    """Return the bits that a statement surely sets in the mark; 0 for one that sets something else."""
    found = arithmetic(statement.value)
    return found.flip & ~found.keep if found is not None and statement.target == Meta("mark") else 0


_TABLES: WeakKeyDictionary[NftListing, ProxyTable] = WeakKeyDictionary()


def proxy_table(listing: NftListing) -> ProxyTable | None:
    """Return kube-proxy's table of a listing's family, made once; None where it has none."""
    if listing not in _TABLES:
        found = table_in(listing.ruleset, listing.family)
        if found is None:
            return None
        _TABLES[listing] = found
    return _TABLES[listing]


def table_in(ruleset: Ruleset, family: str) -> ProxyTable | None:
    """Return kube-proxy's table for packets of a family; None where there is none."""
    found = own_table(ruleset, family)
    return None if found is None else ProxyTable(found, family)
