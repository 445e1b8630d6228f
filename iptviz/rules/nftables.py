"""Rule sets of nft in the neutral form: each chain and rule made once, when it is asked for."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.rules.form import BaseChain, CompiledRule
from iptviz.rules.lazily import LazyRules
from iptviz.rules.native.making import compiled
from iptviz.rules.native.place import table_name
from iptviz.rules.native.scope import Scope
from iptviz.xtables.address import full_mask
from iptviz.xtables.values.addresses import show_host

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from iptviz.nft.model import Chain, Rule, Ruleset, Table
    from iptviz.rules.form import RuleTable
    from iptviz.xtables.address import Network

_FAMILIES = {"ipv4": ("ip", "inet"), "ipv6": ("ip6", "inet")}
"""The families of tables whose rules the packets of a family meet."""
_HOOKS = {"prerouting", "input", "forward", "output", "postrouting"}
_LONG = 64
"""A chain of so many rules is walked rule by rule."""


class NftTable:
    """A table of nft as the engine walks it, for packets of one family: a `RuleTable`."""

    granted: tuple[str, ...] = ()

    def __init__(self, table: Table, family: str, counts: Callable[[], int]) -> None:
        self.table = table
        self.name = table_name(table)
        self.family = family
        self._scope = Scope(table, family, counts)
        self._chains: dict[str, LazyRules[Rule]] = {}
        self._by_destination: dict[str, _ByDestination] = {}

    def has_chain(self, chain: str) -> bool:
        """Whether the table has a chain of this name."""
        return chain in self.table.chains

    def decides_unseen(self, chain: str) -> bool | None:  # noqa: ARG002
        """Whether a chain that is not there decides: what a verdict names is a chain, and lines are lacking."""
        return True

    def is_empty(self, chain: str) -> bool:
        """Whether a chain holds no rule."""
        return not self.rules_of(chain)

    def policy(self, chain: str) -> str | None:
        """Return ACCEPT or DROP for a chain that a hook leads to; None: its caller goes on."""
        found = self.table.chains.get(chain)
        return found.base.policy.upper() if found is not None and found.base else None

    def line_of(self, chain: str) -> int | None:
        """Return the line where a chain begins; None in JSON."""
        found = self.table.chains.get(chain)
        return found.line or None if found is not None else None

    def is_cut(self, chain: str) -> bool:
        """Whether the end of a chain is not shown."""
        return chain in self._open

    def lacks_end(self, chain: str) -> bool:
        """Whether rules may be missing at the end of a chain, or of one to which it may lead."""
        found = self.table.chains.get(chain)
        if found is None or not self._open:
            return False
        return chain in self._open or any(_LEADING.search(rule.text) for rule in found.rules)

    @cached_property
    def _open(self) -> frozenset[str]:
        """The chains whose end is not shown."""
        return self.table.open_chains

    def rules_of(self, chain: str) -> Sequence[CompiledRule]:
        """Return the rules of a chain in order; a chain that is not there has none."""
        if chain not in self._chains:
            found = self.table.chains.get(chain)
            self._chains[chain] = LazyRules(found.rules if found else (), self._compiled)
        return self._chains[chain]

    def _compiled(self, rule: Rule) -> CompiledRule:
        return compiled(rule, self._scope)

    def towards(
        self,
        chain: str,
        destination: Network | None,
        port: int | None = None,  # noqa: ARG002 - lists of ports stand in maps
    ) -> Sequence[CompiledRule]:
        """Return the rules of a chain that may match a packet to `destination` and `port`, in order."""
        rules = self.rules_of(chain)
        if len(rules) <= _LONG or destination is None or destination.mask != full_mask(destination.version):
            return rules
        if chain not in self._by_destination:
            self._by_destination[chain] = _ByDestination(self.table.chains[chain])
        places = self._by_destination[chain].places(show_host(destination))
        return [rules[place] for place in places]


_LEADING = re.compile(r"\b(?:jump|goto|vmap)\b")

_SINGLE = re.compile(r"\bip6? daddr ([0-9a-fA-F:]*[.:][0-9a-fA-F.:]*)(?= [^-.]|$)")


class _ByDestination:
    """The rules of a long chain, by the single address for which their texts ask."""

    def __init__(self, chain: Chain) -> None:
        self._at: dict[str, list[int]] = {}
        self._others: list[int] = []
        for place, rule in enumerate(chain.rules):
            found = _SINGLE.search(rule.text)
            (self._at.setdefault(found[1], []) if found else self._others).append(place)

    def places(self, address: str) -> list[int]:
        return sorted((*self._at.get(address, ()), *self._others))


# --- rule sets -------------------------------------------------------------------------------------------------

_TRACKING = re.compile(r'\bct \w|\b(?:dnat|snat|masquerade|redirect|synproxy)\b|"ct"')
"""What makes the kernel track connections (nf_ct_netns_get in net/netfilter/nft_*.c)."""
_ABOUT_TTL = re.compile(r"\b(?:ttl|hoplimit)\b")
_COUNTING = re.compile(r'\bnumgen inc\b|"mode":\s*"inc"')


class NftRules:
    """The tables of nft that packets of a family meet, as the engine walks them: a `RuleSet`.

    `elsewhere` are chains, by family, table and name, that another rule set has: they are not asked here.
    """

    backend: str | None = "nf_tables"

    def __init__(
        self, ruleset: Ruleset, family: str, elsewhere: Collection[tuple[str, str, str]] = ()
    ) -> None:
        self.ruleset = ruleset
        self._elsewhere = elsewhere
        self._own = [
            table
            for table in ruleset.tables.values()
            if table.family in _FAMILIES[family] and "dormant" not in table.flags
        ]
        self.tables: Mapping[str, RuleTable] = {
            table_name(table): NftTable(table, family, self._count) for table in self._own
        }

    @cached_property
    def bases(self) -> tuple[BaseChain, ...]:
        """The chains that hooks lead to, in the order of the listing; those of devices are not among them."""
        found = [
            (table_name(table), chain.name, base)
            for table in self._own
            for chain, base in table.bases
            if base.hook in _HOOKS and (table.family, table.name, chain.name) not in self._elsewhere
        ]
        return tuple(
            BaseChain(table, name, base.type, base.hook.upper(), base.priority or 0, place)
            for place, (table, name, base) in enumerate(found)
        )

    def _count(self) -> int:
        return self._counts

    @cached_property
    def _counts(self) -> int:
        return sum(len(_COUNTING.findall(text)) for text in self._texts("inc"))

    @cached_property
    def wants_tracking(self) -> bool:
        """Whether some rule makes the kernel track connections."""
        return any(_TRACKING.search(text) for text in self._texts())

    @cached_property
    def asks_ttl(self) -> bool:
        """Whether some rule asks for the time to live, or changes it."""
        return any(_ABOUT_TTL.search(text) for text in self._texts("ttl", "hoplimit"))

    def _texts(self, *words: str) -> Iterator[str]:
        """Yield the rules of chains in which one of some words stands, or all."""
        tables = (table for table in self._own if not words or any(map(table.may_say, words)))
        chains = (chain for table in tables for chain in table.chains.values())
        named = (chain for chain in chains if not words or any(map(chain.may_say, words)))
        return (rule.text for chain in named for rule in chain.rules)
