"""Dumps in the neutral form: each rule, table and dump made once, when it is asked for."""

from __future__ import annotations

from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, cast

from iptviz.dump.rule import Rule
from iptviz.rules.lazily import LazyRules
from iptviz.rules.thorough import rule_of
from iptviz.rules.unprinted import DISPATCHING, Unprinted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table
    from iptviz.rules.by_destination import RulesByDestination
    from iptviz.rules.form import BaseChain, CompiledRule, Place, RuleTable
    from iptviz.rules.shapes import Shapes
    from iptviz.xtables.address import Network


_SHORT = 64
"""A chain of so many rules is walked rule by rule."""

_REMEMBERED = 1024
"""For so many destinations the rules towards them are remembered, each as long as what is left of a chain."""

_FEW = 256
"""So many rules of a table are made the thorough way: to have shapes does not pay for fewer."""


def compiled(rule: Rule) -> CompiledRule:
    """Return a rule of a dump in the neutral form, made once."""
    return rule_table(cast("Table", rule.table)).compiled(rule)


def rule_table(table: Table) -> DumpTable:
    """Return a table of a dump in the neutral form, made once."""
    if table.compiled is None:
        table.compiled = DumpTable(table)
    made: DumpTable = table.compiled
    return made


def dump_rule(place: Place) -> Rule:
    """Return the rule of a dump that an answer names.

    Raises:
        TypeError: it is of something else.
    """
    if not isinstance(place, Rule):
        raise TypeError(place)
    return place


def unprinted_beside(place: Place) -> Unprinted | None:
    """Return what the table of a rule does not show; None of a rule that is none of a dump."""
    return rule_table(cast("Table", place.table)).unprinted if isinstance(place, Rule) else None


def may_lack_beside(place: Place) -> bool:
    """Whether a dump may lack rules of the chain in which a rule stands."""
    return isinstance(place, Rule) and cast("Table", place.table).shown.may_lack(place.chain)


class DumpTable:
    """A table of a dump as the engine walks it: a `RuleTable`."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.name = table.name
        self._chains: dict[str, Sequence[CompiledRule]] = {}
        self._by_destination: dict[str, RulesByDestination] = {}
        self._long: dict[str, bool] = {}
        self._chosen: dict[tuple[str, Network | int], Sequence[CompiledRule]] = {}
        self._compiled: dict[Rule, CompiledRule] = {}

    @cached_property
    def family(self) -> str:
        """Either `ipv4` or `ipv6`."""
        return self._table.saving.family

    @cached_property
    def _shapes(self) -> Shapes:
        from iptviz.rules.shapes import Shapes  # its expressions take as long as a hundred rules

        return Shapes(self.has_chain, self.family)

    @cached_property
    def _granted(self) -> dict[str, tuple[CompiledRule, ...]]:
        """The rules that are taken for granted, by chain: none of a table that shows all its lines."""
        if self._table.shown.is_whole:
            return {}
        from iptviz.rules.granted import granted_rules  # most dumps are whole

        return granted_rules(self._table)

    @property
    def granted(self) -> tuple[str, ...]:
        """The chains of which rules are taken for granted that the dump does not show."""
        return tuple(self._granted)

    def has_chain(self, chain: str) -> bool:
        """Whether the table has a chain of this name, be it one that is taken for granted."""
        return chain in self._table.chains or chain in self._granted

    def decides_unseen(self, chain: str) -> bool | None:
        """Whether a chain that is not shown decides about all that enters it; None where all chains are shown."""
        if self.has_chain(chain) or self._table.shown.is_whole:
            return None
        from iptviz.rules.granted import DECIDING

        return chain.startswith(DECIDING) or (self.name == "nat" and chain in DISPATCHING["nat"])

    def is_empty(self, chain: str) -> bool:
        """Whether a chain holds no rule."""
        return not self._table.runs_of(chain) and chain not in self._granted

    def policy(self, chain: str) -> str | None:
        """Return ACCEPT or DROP for a built-in chain, None for a user chain or where the dump has none."""
        return self._table.chains[chain].policy if chain in self._table.chains else None

    def line_of(self, chain: str) -> int | None:
        """Return the line where a chain is declared."""
        found = self._table.chains.get(chain)
        return found.line if found is not None else None

    def lacks_end(self, chain: str) -> bool:
        """Whether rules may be missing at the end of a chain whose policy is not ACCEPT: that decides nothing."""
        return self.policy(chain) not in {None, "ACCEPT"} and self._table.shown.may_lack(chain)

    def rules_of(self, chain: str) -> Sequence[CompiledRule]:
        """Return the rules of a chain in order; a chain that is not there has none."""
        if chain not in self._chains:
            shown = LazyRules(self._table.rules_of(chain), self.compiled)
            granted = self._granted.get(chain)
            self._chains[chain] = (*shown, *granted) if granted else shown
        return self._chains[chain]

    def towards(
        self, chain: str, destination: Network | None, port: int | None = None
    ) -> Sequence[CompiledRule]:
        """Return the rules of a chain that may match a packet to `destination` and `port`, in order.

        None is not known. The address decides where it is: nearly all rules name one.
        """
        towards = port if destination is None else destination
        if towards is None or not self._is_long(chain):
            return self.rules_of(chain)
        if (chain, towards) not in self._chosen:
            if len(self._chosen) >= _REMEMBERED:
                self._chosen.clear()
            rules = self._sorted(chain)
            chosen = rules.at_port(towards) if isinstance(towards, int) else rules.towards(towards)
            self._chosen[chain, towards] = (
                self.rules_of(chain)
                if chosen is None
                else (*LazyRules(chosen, self.compiled), *self._granted.get(chain, ()))
                if chain in self._granted
                else LazyRules(chosen, self.compiled)
            )
        return self._chosen[chain, towards]

    def _is_long(self, chain: str) -> bool:
        if chain not in self._long:
            self._long[chain] = any(islice(self._table.spans_of(chain), _SHORT, _SHORT + 1))
        return self._long[chain]

    def _sorted(self, chain: str) -> RulesByDestination:
        from iptviz.rules.by_destination import RulesByDestination  # where no chain is long, nobody needs it

        if chain not in self._by_destination:
            self._by_destination[chain] = RulesByDestination(self._table, chain)
        return self._by_destination[chain]

    def compiled(self, rule: Rule) -> CompiledRule:
        """Return a rule of the table, made once."""
        made = self._compiled.get(rule)
        if made is None:
            made = self._compiled[rule] = self.unprinted.completed(self._as_printed(rule))
        return made

    @cached_property
    def unprinted(self) -> Unprinted:
        """What the table does not show of its rules."""
        return Unprinted(self._table, self._as_printed)

    def _as_printed(self, rule: Rule) -> CompiledRule:
        made = self._quickly(rule) if len(self._compiled) >= _FEW else None
        made = made or self.thoroughly(rule)
        if self._joins_ports and made.tests:
            from iptviz.rules.both_ports import with_both_ports  # few dumps have such rules

            return with_both_ports(made)
        return made

    @cached_property
    def _joins_ports(self) -> bool:
        """Whether some rule may ask for both ports to differ, and nf_tables asks that: a search of bytes."""
        words = ("sport ", "source-port ") if self._table.saving.backend == "nf_tables" else ()
        return any("!" in rule.text for word in words for rule in self._table.rules_with(word))

    def _quickly(self, rule: Rule) -> CompiledRule | None:
        return self._shapes.compiled(rule, rule.text)

    def thoroughly(self, rule: Rule) -> CompiledRule:
        """Return a rule of the table, made the thorough way."""
        return rule_of(rule, rule.parts, self.has_chain, self.family)


# --- dumps -----------------------------------------------------------------------------------------------------

_WANTING = (
    "-j DNAT", "-m conntrack", "-j MASQUERADE", "-j SNAT", "-j REDIRECT", "-j NETMAP", "-m state", "-m connmark",
    "-j CONNMARK", "-m connbytes", "-m connlimit", "-m connlabel", "-m helper", "-m cluster", "-j CONNSECMARK",
    "-j SYNPROXY", "-j CT --helper", "-j CT --zone", "-j CT --timeout", "-j CT --ctevents",
)  # fmt: skip
"""What makes the kernel track connections, the most frequent first (nf_ct_netns_get)."""
_ABOUT_TTL = ("-m ttl", "-m hl", "-j TTL", "-j HL")


class DumpRules:
    """A dump as the engine walks it: a `RuleSet`."""

    bases: tuple[BaseChain, ...] = ()

    def __init__(self, dump: Dump) -> None:
        self.dump = dump
        self.backend = dump.backend
        self.tables: Mapping[str, RuleTable] = {
            name: rule_table(table) for name, table in dump.tables.items()
        }

    @cached_property
    def narrower(self) -> list[Rule]:
        """The rules that may be all that is left of native ones: see `Unprinted.narrower`."""
        return [rule for table in self.dump.tables.values() for rule in rule_table(table).unprinted.narrower]

    @cached_property
    def wants_tracking(self) -> bool:
        """Whether some rule makes the kernel track connections: a search of bytes."""
        return self._has(_WANTING)

    @cached_property
    def asks_ttl(self) -> bool:
        """Whether some rule asks for the time to live, or changes it: a search of bytes."""
        return self._has(_ABOUT_TTL)

    def _has(self, texts: Iterable[str]) -> bool:
        tables = self.dump.tables.values()
        return any(next(table.rules_with(text), None) for text in texts for table in tables)
