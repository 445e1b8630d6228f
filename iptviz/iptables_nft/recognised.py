"""Which tables of a listing of nft iptables-nft made: their chains have its names, hooks and priorities.

Source: iptables/nft.c (xtables_ipv4).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.xtables.targets import target_spec

if TYPE_CHECKING:
    from iptviz.nft.model import Chain, Ruleset, Table

FAMILIES = {"ip": "ipv4", "ip6": "ipv6"}
"""The families of tables that iptables-nft makes, as dumps call them."""

_FILTERING = ("INPUT", "FORWARD", "OUTPUT")
_MANGLING = ("PREROUTING", "INPUT", "FORWARD", "POSTROUTING")

_BASES: dict[str, dict[str, tuple[str, int]]] = {
    "filter": dict.fromkeys(_FILTERING, ("filter", 0)),
    "security": dict.fromkeys(_FILTERING, ("filter", 150)),
    "raw": dict.fromkeys(("PREROUTING", "OUTPUT"), ("filter", -300)),
    "mangle": {**dict.fromkeys(_MANGLING, ("filter", -150)), "OUTPUT": ("route", -150)},
    "nat": {
        **dict.fromkeys(("PREROUTING", "OUTPUT"), ("nat", -100)),
        **dict.fromkeys(("INPUT", "POSTROUTING"), ("nat", 100)),
    },
}
"""By table the chains that hooks lead to: type and priority; the hook has the chain's name."""

_CHAIN_NAME = re.compile(r"[^\s\"'\\!:#-][^\s\"'\\]{0,127}")


def tables_of_iptables(ruleset: Ruleset) -> list[Table]:
    """Return the tables that iptables-nft made, in the order of the listing.

    One without any chain that a hook leads to is told by nft's warning, or by others of its family.
    """
    fitting = [table for table in ruleset.tables.values() if _fits(table)]
    sure = [table for table in fitting if table.managed or any(map(_is_base, table.chains.values()))]
    families = {table.family for table in sure}
    bare = [table for table in fitting if table.family in families and not _has_hooks(table)]
    return [table for table in fitting if table in sure or table in bare]


def _fits(table: Table) -> bool:
    return (
        table.family in FAMILIES
        and table.name in _BASES
        and "dormant" not in table.flags
        and all(may_name(name) for name in table.chains)
    )


def may_name(chain: str) -> bool:
    """Whether iptables takes a name for a chain: that of a target it does not take."""
    return _CHAIN_NAME.fullmatch(chain) is not None and target_spec(chain) is None


def _has_hooks(table: Table) -> bool:
    return any(chain.base for chain in table.chains.values())


def _is_base(chain: Chain) -> bool:
    """Whether a chain is one that a hook leads to, as iptables makes it."""
    base, made = chain.base, _BASES[chain.table.name].get(chain.name)
    return base is not None and made == (base.type, base.priority) and base.hook == chain.name.lower()


def chains_of_iptables(table: Table) -> list[Chain]:
    """Return the chains that iptables shows: not those that hooks lead to and nft made for itself."""
    return [chain for chain in table.chains.values() if chain.base is None or _is_base(chain)]


def native_chains(table: Table) -> list[Chain]:
    """Return the chains that hooks lead to and iptables does not show."""
    return [chain for chain in table.chains.values() if chain.base is not None and not _is_base(chain)]
