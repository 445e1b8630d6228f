"""Which releases of kube-proxy can have written a table of nft, with the evidence.

A row says what is seen and which minor releases of Kubernetes 1.x write it. Later patch releases of 1.33 write
what 1.34 does, so ranges that end or begin there have both. What an update left without rules dates nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.cues import Cue
from iptviz.kube.era import Era
from iptviz.kube.families import KUBE_PROXY
from iptviz.kube.releases import Releases, releases, since
from iptviz.nft.counting import Verdict
from iptviz.nft.expressions import Binary, MapLookup, Meta, Numgen, SetReference, Value
from iptviz.nft.statements import Assign, Match, Nat, VerdictMap
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.nft.model import Rule, Table

ALL = since(29)
"""The releases that have this mode."""

NEWEST_KNOWN = 37
"""The newest release of which something is known of this mode."""

_LOOKED_AT = 200
"""So many chains of services are looked at for each form: a full sync writes all of them anew, and alike."""

_CHAINS = (
    ("endpoints-check", releases((29, 29))), ("firewall-allow-check", releases((29, 29))),
    ("service-endpoints-check", since(30)), ("cluster-ips-check", since(30)),
    ("filter-prerouting", releases((30, 33))), ("filter-output-post-dnat", releases((30, 33))),
    ("filter-prerouting-pre-dnat", since(33)), ("filter-output-pre-dnat", since(33)),
)  # fmt: skip
"""Chains that date a table by having rules."""

_SETS = (
    ("firewall", releases((29, 29))), ("firewall-allow", releases((29, 29))),
    ("firewall-ips", since(30)), ("cluster-ips", since(30)), ("hairpin-connections", since(36)),
)  # fmt: skip
"""Sets and maps that date a table by being there."""


class _RuleForm(NamedTuple):
    """A form of rules, in chains of names that begin so, and the releases that write it."""

    text: str
    releases: Releases
    chains: tuple[str, ...]
    is_there: Callable[[Rule], bool]

    def may_be_in(self, chain: str) -> bool:
        """Whether a chain of a name may have it."""
        return chain in self.chains or ("/" in chain and chain.startswith(self.chains))


def _marks_by_chain(rule: Rule) -> bool:
    return any(isinstance(one, Verdict) and one.chain == "mark-for-masquerade" for one in rule.statements)


def _marks(rule: Rule) -> bool:
    return any(
        isinstance(one, Assign) and one.target == Meta("mark") and isinstance(one.value, Binary)
        for one in rule.statements
    )


def _draws_address(rule: Rule) -> bool:
    return any(True for _ in _draws(rule))


def _draws_of_one(rule: Rule) -> bool:
    return any(drawn.modulus == 1 for drawn in _draws(rule))


def _draws(rule: Rule) -> Iterator[Numgen]:
    """Yield what draws from maps of addresses."""
    for one in rule.statements:
        if (
            isinstance(one, Nat)
            and isinstance(one.address, MapLookup)
            and isinstance(one.address.key, Numgen)
        ):
            yield one.address.key


def _names_address(rule: Rule) -> bool:
    return any(isinstance(one, Nat) and isinstance(one.address, Value) for one in rule.statements)


def _balances_chains(rule: Rule) -> bool:
    """Whether a rule draws an endpoint's chain; of services with affinity, later releases write that, too."""
    draws = any(isinstance(one, VerdictMap) and isinstance(one.key, Numgen) for one in rule.statements)
    return draws and not any(map(_asks_affinity, rule.table.chains[rule.chain].rules))


def _asks_affinity(rule: Rule) -> bool:
    return any(
        isinstance(one, Match)
        and isinstance(one.right, SetReference)
        and one.right.name.startswith("affinity-")
        for one in rule.statements
    )


_BALANCING = ("service-", "local-")
_FORMS = (
    _RuleForm("marks by mark-for-masquerade", releases((29, 35)), (*_BALANCING, "external-", "endpoint-"),
        _marks_by_chain),
    _RuleForm("marks by the rule itself", since(36), ("services", "external-"), _marks),
    _RuleForm("chains of endpoints drawn without affinity", releases((29, 35)), _BALANCING, _balances_chains),
    _RuleForm("addresses of endpoints drawn", since(36), _BALANCING, _draws_address),
    _RuleForm("a single endpoint drawn", releases((36, 36)), _BALANCING, _draws_of_one),
    _RuleForm("a single endpoint without a map", since(37), _BALANCING, _names_address),
)  # fmt: skip


def table_era(table: Table) -> Era:
    """Return when kube-proxy wrote its table of nft."""
    cues = tuple(sorted(_cues(table), key=lambda cue: cue.line))
    common = ALL
    for cue in cues:
        common &= cue.releases
    return Era("nftables", common, cues, ALL)


def _cues(table: Table) -> Iterator[Cue]:
    for name, written in _CHAINS:
        if (chain := table.chains.get(name)) is not None and chain.has_rules:
            yield _cue(f"chain {name}", written, chain.line)
    for name, written in _SETS:
        if (found := table.sets.get(name)) is not None:
            yield _cue(f"{'map' if found.is_map else 'set'} {name}", written, found.line)
    firsts = _first_rules(table)
    for form in _FORMS:
        if form in firsts:
            yield _cue(form.text, form.releases, firsts[form].line)


def _first_rules(table: Table) -> dict[_RuleForm, Rule]:
    """Return the first rule of each form that is there; a chain is read once for all forms, and let go."""
    found: dict[_RuleForm, Rule] = {}
    left = dict.fromkeys(_FORMS, _LOOKED_AT)
    for chain in table.chains.values():
        for form in [form for form in left if form.may_be_in(chain.name)]:
            left[form] -= 1
            rule = next(filter(form.is_there, chain.rules), None)
            if rule is not None:
                found[form] = rule
            if rule is not None or not left[form]:
                del left[form]
        if not left:
            break
    return found


def _cue(text: str, written: Releases, line: int) -> Cue:
    return Cue(text, written, line, KUBE_PROXY.name)
