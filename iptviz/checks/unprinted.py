"""Dumps that lie: an older iptables printed what a newer one wrote, and left out what it did not know.

What a table does not show of its rules is found in `iptviz.rules.unprinted`, which the engine asks, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.checks.wording import listed
from iptviz.intake.remark import remark
from iptviz.kube.families import ENDPOINT_CHAIN
from iptviz.rules.form import is_unreadable
from iptviz.rules.iptables import compiled, rule_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding, Item
    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table

_MOST_CHAINS = 3
_DROPS_MARKED = "KUBE-FIREWALL"


def check(node: Examined) -> Iterator[Finding]:
    """Yield what was not printed, and that the program which printed it is known for that."""
    yield from lost(node.dump)
    for table in node.dump.tables.values():
        yield from unreadable(rule_table(table).unprinted.addresses())
    yield from _corrupt(node.dump.tables.values())
    yield from narrower(node.dump)
    yield from _old_program(node.dump)


def notes(dump: Dump, dnats: Iterable[Rule] = ()) -> Iterator[Item]:
    """Yield what an answer cannot tell since it was not printed, and how to get it.

    `dnats` are the rules that the answer met of which no address can be read.
    """
    dnats = list(dnats)
    said = [*lost(dump), *unreadable(dnats)]
    yield from said
    yield from narrower(dump)
    if any(is_told(rule) for rule in dnats):
        yield remark("addresses-by-others")
    if said:
        yield remark("save-again")


def lost(dump: Dump) -> Iterator[Finding]:
    """Yield what of kube-proxy's and kubelet's rules was not printed: few rules of each table are looked at."""
    tables = dump.tables.values()
    rules = [rule for table in tables for rule in rule_table(table).unprinted.ports]
    if rules:
        yield found(ports_not_printed, rules, line=min(rule.line for rule in rules), count=len(rules))
    for table in tables:
        yield from _marks(table)
        yield from _chances(table)


def _marks(table: Table) -> Iterator[Finding]:
    """Yield the rules that are asked of marked packets alone, and here of all."""
    for rule in rule_table(table).unprinted.marks():
        if rule.chain == _DROPS_MARKED:
            yield found(rule_corrupt, [rule], line=rule.line, chain=rule.chain, count=1, drops=True)
        else:
            target = rule.target.name if rule.target else ""
            yield found(marks_not_printed, [rule], line=rule.line, chain=rule.chain, target=target)


def _chances(table: Table) -> Iterator[Finding]:
    """Yield that no service chain has a probability, although several lead to more than one endpoint."""
    chances = rule_table(table).unprinted.chances if table.name == "nat" else {}
    evidence = [rule for rules in chances.values() for rule in rules]
    if evidence:
        yield found(chances_not_printed, evidence, line=evidence[0].line, chains=tuple(chances))


# --- what was printed wrongly ----------------------------------------------------------------------------------

_UNSUPPORTED = "[unsupported revision]"


def unreadable(rules: Iterable[Rule]) -> Iterator[Finding]:
    """Yield that no address can be read of some DNAT rules."""
    unique = sorted(dict.fromkeys(rules), key=lambda rule: rule.line)
    if unique:
        chains = tuple(dict.fromkeys(rule.chain for rule in unique))
        state = "services" if any(chain.startswith(ENDPOINT_CHAIN) for chain in chains) else "others"
        yield found(
            dnat_unreadable, unique, line=unique[0].line, state=state, chains=chains, count=len(unique)
        )


def is_told(rule: Rule) -> bool:
    """Whether the address of a DNAT rule is known, be it not printed there."""
    return not is_unreadable(compiled(rule).action.operand.addresses)


def _corrupt(tables: Iterable[Table]) -> Iterator[Finding]:
    """Yield rules of which iptables says that it could not print them; DNAT rules are told apart."""
    rules = [
        rule
        for table in tables
        for rule in table.rules_with(_UNSUPPORTED)
        if compiled(rule).action.name != "DNAT"
    ]
    if rules:
        yield found(
            rule_corrupt, rules, line=rules[0].line, chain=rules[0].chain, count=len(rules), drops=False
        )


def narrower(dump: Dump) -> Iterator[Finding]:
    """Yield the rules that may be what is left of native ones."""
    for table in dump.tables.values():
        rules = rule_table(table).unprinted.narrower
        if rules:
            chains = tuple(dict.fromkeys(rule.chain for rule in rules))
            yield found(
                native_rule_cut, rules, line=rules[0].line, table=table.name, chains=chains, count=len(rules)
            )


_OLD = re.compile(r"v1\.8\.[0-4](?![\d])")


def _old_program(dump: Dump) -> Iterator[Finding]:
    """Yield that the program which saved the dump, for nf_tables, is one that is known for its errors."""
    tool = dump.tool or ""
    if dump.header.backend == "nf_tables" and _OLD.search(tool):
        yield found(iptables_version, tool=tool)


# --- the words -------------------------------------------------------------------------------------------------

_TAKE_IT_NEWER = (
    "Save the dump with the iptables that writes the rules, kube-proxy's by kubectl exec -n kube-system "
    "KUBE-PROXY-POD -- iptables-save, or look at `nft list ruleset`. Then use that dump."
)
_FOLLOWING = (
    "vip-collision",
    "uneven-shares",
    "endpoint-shadowed",
    "duplicate-rules",
    "unreachable-rule",
    "shadowed-rule",
    "hash-mismatch",
    "no-endpoints",
    "connections-lost",
    "reject-and-route",
)
"""What seems to be so where conditions are not printed, and need not be."""

_DROPPING = (
    "input-drop", "output-drop", "forward-drop", "replies-dropped", "rule-drops-services", "marked-drop-passes",
    "blocked-endpoint-hidden",
)  # fmt: skip


@diagnosis(
    "critical", reference="openshift/assisted-test-infra#1962", advice=_TAKE_IT_NEWER, explains=_FOLLOWING
)
def ports_not_printed(*, count: int) -> str:
    """The dump does not show the ports of services, as an older iptables than kube-proxy's saved it.

    Rules that kube-proxy always writes with a port have a protocol and no port. iptables 1.8.4 to 1.8.7 (Ubuntu
    22.04, RHEL 8) prints rules of 1.8.8 and later so.

    Why: The dump is wrong, the node works: the ports are unknown, not absent. Several services at one address
    look as if the first got all connections. Restoring this dump would make it real.
    """
    rules = "1 rule of a service" if count == 1 else f"{count:,} rules of services"
    return f"the dump does not print the port of {rules}: unknown, not absent on the node"


@diagnosis("critical", advice=_TAKE_IT_NEWER, explains=(*_FOLLOWING, "no-masquerade", "hairpin-missing"))
def marks_not_printed(*, chain: str, target: str) -> str:
    """The dump does not show marks, as an older iptables than kube-proxy's saved it.

    The first rule of KUBE-POSTROUTING returns packets without a mark; in this dump it has no condition. The first
    ACCEPT of KUBE-FORWARD is only for packets with that mark.

    Why: The dump is wrong, the node works: as printed, nothing would be masqueraded. What is masqueraded is
    unknown.
    """
    return (
        f"{target} of {chain} applies to everything in this dump: its mark is not printed, but exists on the "
        "node"
    )


@diagnosis("critical", advice=_TAKE_IT_NEWER, explains=_FOLLOWING)
def chances_not_printed(*, chains: tuple[str, ...]) -> str:
    """The dump does not show probabilities: no rule of a service chain has one, where all but the last should.

    Matches were lost: an iptables older than the one that wrote the rules saved it, nft printed them as JSON, or
    the text was shortened.

    Why: As the text stands the first endpoint of each service would get every connection. kube-proxy never writes
    that; the share of each endpoint is unknown.
    """
    return f"the probabilities of {listed(chains, _MOST_CHAINS)} are not printed: shares are unknown"


@diagnosis(
    {"services": "critical", "others": "medium"},
    reference="k/k#95409, #114537",
    advice=_TAKE_IT_NEWER,
    explains=("endpoint-without-dnat",),
)
def dnat_unreadable(*, chains: tuple[str, ...], count: int) -> str:
    """The dump does not show where DNAT rules send connections: it was printed by nft, or by another iptables.

    That printed `xt target DNAT`, `[unsupported revision]`, `--to-destination :0 --persistent` or `--random` in
    place of the address.

    Why: The dump is wrong, the node works: shares hold, the addresses of endpoints are unknown. Restoring this
    dump would make it real.
    """
    rules = "1 DNAT rule" if count == 1 else f"{count:,} DNAT rules"
    return f"the address of {rules} is not readable ({listed(chains, _MOST_CHAINS)})"


@diagnosis("critical", reference="k/k#112477", advice=_TAKE_IT_NEWER, explains=(*_FOLLOWING, *_DROPPING))
def rule_corrupt(*, chain: str, count: int, drops: bool) -> str:
    """A rule lost a condition between two versions of iptables, or could not be printed.

    KUBE-FIREWALL drops packets with kubelet's mark; in this dump it drops all. Elsewhere iptables itself says
    `[unsupported revision]`. DNAT rules of this kind are a finding of their own.

    Why: In most cases the dump is wrong, as an older iptables saved it. But where that one, or a restore of such
    a dump, wrote the rule back, it is real: then everything that this node sends and receives is dropped.
    """
    if drops:
        return f"{chain} drops everything: the mark of its DROP rule is not printed, or is lost"
    rules = "1 rule" if count == 1 else f"{count:,} rules"
    return f"{rules} could not be printed, the first in {chain}: their effect is unknown"


@diagnosis("low")
def native_rule_cut(*, table: str, chains: tuple[str, ...], count: int) -> str:
    """A rule of a built-in chain matches everything, or only a protocol: perhaps a native rule cut short.

    iptables-nft-save prints native rules of nft without what it does not know, with exit status 0: from `ip saddr
    @allowed accept` comes `-j ACCEPT`, and of a set of ports `-p tcp -j ACCEPT` is left.

    Why: As printed, the rule decides about everything, including kube-proxy's traffic; the real one may match
    little. Answers use it as printed, and say so.

    Do: Look at the rules of the chain with `nft list ruleset` on the node.
    """
    rules = "1 rule" if count == 1 else f"{count:,} rules"
    return f"{rules} of {table} {listed(chains, _MOST_CHAINS)} may be narrower than printed: see nft list ruleset"


REMARKS = {
    "save-again": (
        "to see what is not printed, save it with kubectl exec -n kube-system KUBE-PROXY-POD -- iptables-save, "
        "or look at nft list ruleset"
    ),
    "addresses-by-others": (
        "where DNAT shows no address, the endpoint is that of the comment `-> address:port` on the way to its "
        "chain, or else the address that its chain masquerades"
    ),
    "may-be-any-port": (
        "port {port} may be that of any service shown, or of none: their ports are not printed"
    ),
}


@diagnosis("medium", reference="k3s-io/docs#14, k/k#82361")
def iptables_version(*, tool: str) -> str:
    """The dump was saved by iptables 1.8.0 to 1.8.4 with nf_tables, releases that are known for their errors.

    Why: They do not recognise their own rules and add them again and again, and do not print what later releases
    wrote.

    Do: Update iptables on the node, or use the legacy backend there (update-alternatives --set iptables
    /usr/sbin/iptables-legacy) if everything on the node does.
    """
    return f"{tool}: a release that adds its rules again and again, and prints newer ones without conditions"
