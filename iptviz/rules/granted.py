"""What kube-proxy and kubelet write on every node, taken for granted where an excerpt does not show it.

An excerpt of a dump seldom holds the built-in chains, or the chain that marks what is to be masqueraded: their
rules are the same everywhere. Who asks about an excerpt asks about a node that has them, so an answer takes them
for granted, and says so. Nothing is taken for granted of a table that shows all of its lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.grammar.reader import take_apart
from iptviz.records import NamedTuple
from iptviz.rules.form import GrantedPlace
from iptviz.rules.thorough import rule_of
from iptviz.xtables.values.numbers import read_mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.rules.form import CompiledRule


class GrantedRow(NamedTuple):
    """A rule as iptables-save prints it.

    It is taken for granted where its chain may lack rules and shows none that leads where this one does; with
    `beside` only where the chain that it leads to is shown, since not all releases have that. `first` is the
    release of Kubernetes 1.x that began to write it. BITS stands for those that other rules of the dump show.
    """

    table: str
    text: str
    first: int
    beside: bool = False


MARK_BITS = {"KUBE-MARK-MASQ": 0x4000, "KUBE-MARK-DROP": 0x8000}
"""The marking chains, and the bits that they set by default (--iptables-masquerade-bit, --iptables-drop-bit)."""

_NEW = "-m conntrack --ctstate NEW -m comment --comment"
_EXTERNAL = f'{_NEW} "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES'
_RANGES = f'{_NEW} "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL'
_PORTALS = f'{_NEW} "kubernetes service portals" -j KUBE-SERVICES'

GRANTED = (
    GrantedRow("nat", '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES', 1),
    GrantedRow("nat", '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES', 1),
    GrantedRow("nat", '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" '
               "-j KUBE-POSTROUTING", 2),
    GrantedRow("nat", '-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be '
               'the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS', 1, beside=True),
    GrantedRow("nat", "-A KUBE-MARK-MASQ -j MARK --set-xmark BITS/BITS", 2),
    GrantedRow("nat", "-A KUBE-MARK-DROP -j MARK --set-xmark BITS/BITS", 4),
    GrantedRow("nat", '-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" '
               "-m mark --mark BITS/BITS -j MASQUERADE", 2),
    GrantedRow("filter", f"-A INPUT {_RANGES}", 25, beside=True),
    GrantedRow("filter", f'-A INPUT {_NEW} "kubernetes health check service ports" -j KUBE-NODEPORTS', 21,
               beside=True),
    GrantedRow("filter", f"-A INPUT {_EXTERNAL}", 10, beside=True),
    GrantedRow("filter", "-A INPUT -j KUBE-FIREWALL", 4, beside=True),
    GrantedRow("filter", f"-A FORWARD {_RANGES}", 25, beside=True),
    GrantedRow("filter", '-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD', 8,
               beside=True),
    GrantedRow("filter", f"-A FORWARD {_PORTALS}", 12, beside=True),
    GrantedRow("filter", f"-A FORWARD {_EXTERNAL}", 20, beside=True),
    GrantedRow("filter", f"-A OUTPUT {_RANGES}", 25, beside=True),
    GrantedRow("filter", f"-A OUTPUT {_PORTALS}", 2, beside=True),
    GrantedRow("filter", "-A OUTPUT -j KUBE-FIREWALL", 4, beside=True),
)  # fmt: skip
"""Source: pkg/proxy/iptables/proxier.go and pkg/kubelet/kubelet_network_linux.go, release by release."""

_BASE = frozenset({"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"})
DECIDING = ("KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-", "KUBE-XLB-", "KUBE-FW-", "KUBE-SEP-")
"""Beginnings of the chains that choose where connections go: one that is not shown leaves that open."""

_OWN = (
    *DECIDING, "KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES", "KUBE-FORWARD", "KUBE-PROXY-FIREWALL",
)  # fmt: skip
"""Beginnings of chains of kube-proxy's iptables mode: without any, nothing of it is to be expected."""

_ELSEWHERE = ("KUBE-NODE-PORT", "KUBE-LOAD-BALANCER")
"""Chains of the IPVS mode, of which nothing is taken for granted."""


def granted_rules(table: Table) -> dict[str, tuple[CompiledRule, ...]]:
    """Return the rules, by chain, that a table does not show and every node has: they stand behind those shown.

    A table of which nothing is missing, or that holds no chain of kube-proxy's, has none.
    """
    rows = [row for row in GRANTED if row.table == table.name]
    if not rows or table.shown.is_whole or not _is_kube_proxys(table):
        return {}
    found: dict[str, list[str]] = {}
    for row in rows:
        parts = take_apart(row.text)
        target = parts.target.name if parts.target else ""
        if table.shown.may_lack(parts.chain) and _is_wanted(table, row, parts.chain, target, found):
            found.setdefault(parts.chain, []).append(row.text)
    return {chain: tuple(_compiled(table, chain, texts)) for chain, texts in found.items()}


def _is_kube_proxys(table: Table) -> bool:
    return bool(table.chain_names(*_OWN)) and not any(map(table.has_chain, _ELSEWHERE))


def _is_wanted(table: Table, row: GrantedRow, chain: str, target: str, found: Iterable[str]) -> bool:
    """Whether a chain lacks the rule; of kube-proxy's own chains those are wanted that another leads to."""
    if chain in _BASE or chain == "KUBE-SERVICES":
        leads = any(rule.jump == target for rule in table.rules_of(chain))
        known = not row.beside or table.has_chain(target)
        return known and not leads and (chain in _BASE or table.has_chain(chain))
    led_to = chain == "KUBE-POSTROUTING" and "POSTROUTING" in found
    return not table.runs_of(chain) and (led_to or next(table.rules_to(chain), None) is not None)


def _compiled(table: Table, chain: str, texts: list[str]) -> Iterator[CompiledRule]:
    """Make the rules, whose numbers go on from those of the rules that are shown."""
    shown = len(table.rules_of(chain))
    for number, text in enumerate(texts, shown + 1):
        bits = f"{marking_bits(table, chain if chain in MARK_BITS else 'KUBE-MARK-MASQ'):#x}"
        place = GrantedPlace(table, chain, number, text.replace("BITS", bits))
        yield rule_of(place, take_apart(place.text), _is_own, table.saving.family)


def _is_own(name: str) -> bool:
    """Whether a word behind -j names a chain of kube-proxy's, and no target."""
    return name.startswith("KUBE-")


# --- bits of the mark ------------------------------------------------------------------------------------------


def marking_bits(nat: Table | None, chain: str) -> int:
    """Return the bits that a marking chain sets: as it, or who asks for the mark, says, else the default."""
    if nat is None:
        return MARK_BITS[chain]
    said = (bits for read, table, where in _SAYING[chain] for bits in _said(nat, read, table, where))
    return next(said, MARK_BITS[chain])


def _said(nat: Table, read: Callable[[Rule], int], table: str, chain: str) -> Iterator[int]:
    other = nat if table == nat.name else nat.beside.get(table)
    return filter(None, map(read, other.rules_of(chain) if other is not None else ()))


def _set_by(rule: Rule) -> int:
    """Return the bits that a MARK rule surely sets; 0 for any other rule."""
    value = rule.target.value("--set-xmark") if rule.target and rule.target.name == "MARK" else None
    mark = read_mark(value or "")
    return mark.value & mark.mask if mark else 0


def _asked_by(rule: Rule) -> int:
    """Return the bits that a rule asks for, set or not; 0 where it asks for no mark."""
    options = (match.option("--mark") for match in rule.matches if match.name == "mark")
    option = next(filter(None, options), None)
    mark = read_mark(option.values[0]) if option and option.values else None
    return mark.value & mark.mask if mark else 0


_SAYING: dict[str, tuple[tuple[Callable[[Rule], int], str, str], ...]] = {
    "KUBE-MARK-MASQ": (
        (_set_by, "nat", "KUBE-MARK-MASQ"),
        (_asked_by, "nat", "KUBE-POSTROUTING"),
        (_asked_by, "filter", "KUBE-FORWARD"),
    ),
    "KUBE-MARK-DROP": ((_set_by, "nat", "KUBE-MARK-DROP"), (_asked_by, "filter", "KUBE-FIREWALL")),
}
"""For each marking chain how its bits are read, in which table and chain, the surest first."""
