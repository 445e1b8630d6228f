"""Dumps that lie: an older iptables printed what a newer one wrote, and left out what it did not know."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.checks.wording import listed
from iptviz.kube.families import DISPATCHERS, ENDPOINT_CHAIN, HASHED_CHAINS, POSTROUTING, SERVICE_CHAINS
from iptviz.rules.form import RETURN, TARGET, Rewriting
from iptviz.rules.iptables import compiled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table

_MOST_CHAINS = 3


def check(node: Examined) -> Iterator[Finding]:
    """Yield what was not printed, and that the program which printed it is known for that."""
    nat, filters = node.dump.tables.get("nat"), node.dump.tables.get("filter")
    if nat is not None:
        yield from _ports(nat)
        yield from _marks(nat)
        yield from _chances(nat, complete=node.dump.complete)
        yield from _addresses(nat)
    yield from _corrupt(node.dump.tables.values())
    if filters is not None:
        yield from _bare_drops(filters)
    yield from _old_program(node.dump)


# --- what kube-proxy always writes -----------------------------------------------------------------------------

_PORTS = {"destination-port", "source-port", "multiport", "match"}
"""Tests that may be about a port; what is not understood is one."""


def _ports(nat: Table) -> Iterator[Finding]:
    """Yield that no rule which leads to a service has a port, and each should."""
    rules = []
    for chain in DISPATCHERS["nat"]:
        for rule in nat.rules_of(chain):
            if (rule.jump or "").startswith(HASHED_CHAINS):
                tests = {test.kind for test in compiled(rule).tests}
                if "protocol" not in tests or not tests.isdisjoint(_PORTS):
                    return
                rules.append(rule)
    if rules:
        yield found(ports_not_printed, rules, line=rules[0].line, count=len(rules))


def _marks(nat: Table) -> Iterator[Finding]:
    """Yield that KUBE-POSTROUTING begins with a RETURN for everything, where kube-proxy asks for a mark.

    Where another of its rules shows a mark, marks are printed, and the RETURN is there.
    """
    rules = nat.rules_of(POSTROUTING)
    if (
        len(rules) > 1
        and compiled(rules[0]).action.kind == RETURN
        and not any(test.kind == "mark" for rule in rules for test in compiled(rule).tests)
        and not compiled(rules[0]).tests
    ):
        yield found(marks_not_printed, rules[:1], line=rules[0].line, chain=POSTROUTING)


def _chances(nat: Table, *, complete: bool) -> Iterator[Finding]:
    """Yield that no service chain has a probability, although several lead to more than one endpoint.

    Of one chain alone that may be an edit, unless the text is an excerpt.
    """
    if next(nat.rules_with("-m statistic"), None) is not None:
        return
    rules: dict[str, list[Rule]] = {}
    for chain, places in nat.calls.leads.items():
        if len(places) > 1 and chain.startswith(_BALANCING):
            leading = [rule for rule in nat.rules_of(chain.decode()) if _is_unconditional_share(rule)]
            if len(leading) > 1:
                rules[chain.decode()] = leading
    if len(rules) > 1 or (rules and not complete):
        evidence = [rule for some in rules.values() for rule in some]
        yield found(chances_not_printed, evidence, line=evidence[0].line, chains=tuple(rules))


_BALANCING = tuple(name.encode() for name in SERVICE_CHAINS)


def _is_unconditional_share(rule: Rule) -> bool:
    return (rule.jump or "").startswith(ENDPOINT_CHAIN) and not compiled(rule).tests


# --- what was printed wrongly ----------------------------------------------------------------------------------

_UNSUPPORTED = "[unsupported revision]"
_WRONG_ADDRESSES = (
    _UNSUPPORTED,
    "--to-destination :0",
    "--to-destination  ",
    "-j DNAT --random",
    "-j DNAT --persistent",
    "-j DNAT\n",
)


def _addresses(nat: Table) -> Iterator[Finding]:
    """Yield the DNAT rules of which no address can be read."""
    rules = [rule for text in _WRONG_ADDRESSES for rule in nat.rules_with(text) if _lacks_an_address(rule)]
    if rules:
        unique = sorted(dict.fromkeys(rules), key=lambda rule: rule.line)
        chains = tuple(dict.fromkeys(rule.chain for rule in unique))
        state = "services" if any(chain.startswith(ENDPOINT_CHAIN) for chain in chains) else "others"
        yield found(
            dnat_unreadable, unique, line=unique[0].line, state=state, chains=chains, count=len(unique)
        )


def _lacks_an_address(rule: Rule) -> bool:
    action = compiled(rule).action
    if action.kind != TARGET or action.name != "DNAT":
        return False
    sent = action.operand
    return not isinstance(sent, Rewriting) or sent.network is None or sent.network.value == 0


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


_DROPS_MARKED = "KUBE-FIREWALL"


def _bare_drops(filters: Table) -> Iterator[Finding]:
    """Yield the rule of kubelet's that drops marked packets and lacks the mark: real, it drops everything."""
    rules = [
        rule
        for rule in filters.rules_of(_DROPS_MARKED)
        if compiled(rule).action.name == "DROP" and not compiled(rule).tests
    ]
    if rules:
        yield found(
            rule_corrupt, rules, line=rules[0].line, chain=_DROPS_MARKED, count=len(rules), drops=True
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
    "KUBE-PROXY-POD -- iptables-save, or look at `nft list ruleset`. Then ask that dump."
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

    Why: The dump lies, the node works: the ports are unknown, not absent. Several services at one address look as
    if the first got all connections. To restore this dump would make it real.
    """
    if count == 1:
        return "the port of the rule that leads to a service is not printed: unknown here, not absent on the node"
    rules = f"{count:,} rules that lead to services"
    return f"the ports of {rules} are not printed: unknown here, not absent on the node"


@diagnosis("critical", advice=_TAKE_IT_NEWER, explains=(*_FOLLOWING, "no-masquerade", "hairpin-missing"))
def marks_not_printed(*, chain: str) -> str:
    """The dump does not show marks, as an older iptables than kube-proxy's saved it.

    The first rule of KUBE-POSTROUTING lets packets go that bear no mark; here it has no condition.

    Why: The dump lies, the node works: as it stands here nothing would be masqueraded. What is masqueraded cannot
    be told from this text.
    """
    return f"{chain} begins with a RETURN for everything: its mark is not printed, and is there on the node"


@diagnosis("critical", advice=_TAKE_IT_NEWER, explains=_FOLLOWING)
def chances_not_printed(*, chains: tuple[str, ...]) -> str:
    """The dump does not show probabilities: no rule of a service chain has one, where all but the last should.

    Matches were lost: an iptables older than the one that wrote the rules saved it, or the text was shortened.

    Why: As the text stands the first endpoint of each service would get every connection. kube-proxy never writes
    that; what share each endpoint gets cannot be told.
    """
    return f"the probabilities of {listed(chains, _MOST_CHAINS)} are not printed: shares are unknown here"


@diagnosis(
    {"services": "critical", "others": "medium"},
    reference="k/k#95409, #114537",
    advice=_TAKE_IT_NEWER,
    explains=("endpoint-without-dnat",),
)
def dnat_unreadable(*, chains: tuple[str, ...], count: int) -> str:
    """The dump does not show where DNAT rules send connections: an iptables of another version saved it.

    It printed `[unsupported revision]`, `--to-destination :0 --persistent` or `--random` in place of the address.

    Why: The dump lies, the node works: shares hold, the addresses of endpoints are unknown. To restore this dump
    would make it real.
    """
    rules = "1 DNAT rule" if count == 1 else f"{count:,} DNAT rules"
    return f"the address of {rules} is not readable ({listed(chains, _MOST_CHAINS)})"


@diagnosis("critical", reference="k/k#112477", advice=_TAKE_IT_NEWER, explains=(*_FOLLOWING, *_DROPPING))
def rule_corrupt(*, chain: str, count: int, drops: bool) -> str:
    """A rule lost a condition between two versions of iptables, or could not be printed.

    KUBE-FIREWALL drops packets that bear kubelet's mark; here it drops without a mark. Elsewhere iptables itself
    says `[unsupported revision]`. DNAT rules of this kind are a finding of their own.

    Why: In most cases the dump lies, as an older iptables saved it. But where that one, or a restore of such a
    dump, wrote the rule back, it is real: then everything that this node sends and gets is dropped.
    """
    if drops:
        return f"{chain} drops everything: the mark that its DROP asks for is not printed, or is lost"
    rules = "1 rule" if count == 1 else f"{count:,} rules"
    return f"{rules} could not be printed, the first in {chain}: what is asked there, or done, is unknown"


@diagnosis("medium", reference="k3s-io/docs#14, k/k#82361")
def iptables_version(*, tool: str) -> str:
    """The dump was saved by iptables 1.8.0 to 1.8.4 with nf_tables, releases that are known for their errors.

    Why: They do not recognise their own rules and add them again and again, and do not print what later releases
    wrote.

    Do: Update iptables on the node, or use the legacy backend there (update-alternatives --set iptables
    /usr/sbin/iptables-legacy) if everything on the node does.
    """
    return f"{tool}: a release that adds its rules again and again, and prints newer ones without conditions"
