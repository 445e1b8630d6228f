"""Connections that are not tracked, so that nat is not asked: to services, and those of DNS beside policies."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.checks.wording import listed
from iptviz.engine.matching import rule_truth
from iptviz.engine.packet import Packet
from iptviz.engine.survey import survey
from iptviz.kube.frontends import SERVICE_KINDS, value_of
from iptviz.kube.marks import hooks_leading_to
from iptviz.kube.preempt import HOOKS
from iptviz.kube.service import first_packet
from iptviz.rules.iptables import compiled, dump_rule, rule_table
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.engine.host import Host
    from iptviz.paths.fares import Reached

_MOST_NAMED = 3
_DNS = "53"
_PORTS = ("--dport", "--dports", "--sport", "--sports")
_TO_POD = "cali-tw-"
_MOST_PODS = 20
"""Of so many pods one at least, most likely, is under policies where any is."""


def check(node: Examined) -> Iterator[Finding]:
    """Yield what rules of the table raw keep from being tracked."""
    raw = node.dump.tables.get("raw")
    rules = [] if raw is None else _untracking(raw)
    if raw is not None and rules:
        hooks = {rule: hooks_leading_to(raw, rule.chain, HOOKS) for rule in rules}
        yield from _services(node, hooks)
        yield from _dns(node, [rule for rule in rules if hooks[rule] and not _is_of_calico(rule)])


def _untracking(raw: Table) -> list[Rule]:
    found = {rule.line: rule for words in ("-j NOTRACK", "--notrack") for rule in raw.rules_with(words)}
    return [found[line] for line in sorted(found)]


def _is_of_calico(rule: Rule) -> bool:
    """Whether Calico wrote a rule, which knows of what it does not track itself."""
    return rule.chain.startswith("cali-")


def _services(node: Examined, hooks: dict[Rule, set[str]]) -> Iterator[Finding]:
    """Yield the services whose connections are not tracked: those that nobody here answers, and the others."""
    taken: dict[str, dict[str, None]] = {}
    deciding: dict[str, dict[Rule, None]] = {}
    for port, each in zip(node.ports, node.reached, strict=True):
        for reached in each:
            if rules := _rules_for(reached, hooks):
                state = "elsewhere" if _goes_on(reached, node.evidence.host) else "here"
                deciding.setdefault(state, {}).update(dict.fromkeys(rules))
                taken.setdefault(state, {})[f"{reached.frontend.text} ({port.name})"] = None
    for state, names in taken.items():
        rules = sorted(deciding[state], key=lambda rule: rule.line)
        yield found(untracked_service, rules, line=rules[0].line, state=state, taken=tuple(names),
            elsewhere=state == "elsewhere",
        )  # fmt: skip


def _goes_on(reached: Reached, host: Host) -> bool:
    """Whether clients fail for sure, since the address is known to be none of this node's."""
    address = parse_network(reached.frontend.address or "")
    failing = (fare for fare in reached.fares if fare.fails)
    untold = any(one.cause.why == "not DNATed" for fare in failing for one in fare.failures)
    return untold and host.is_local(address) is False


def _rules_for(reached: Reached, hooks: dict[Rule, set[str]]) -> list[Rule]:
    """Return the rules for which connections to a frontend are not tracked, where clients notice."""
    if reached.frontend.kind not in SERVICE_KINDS or reached.frontend.address is None:
        return []
    asking = {
        HOOKS[client == "node"]
        for fare in reached.fares
        if fare.word == "this node" or any(one.cause.why == "not DNATed" for one in fare.failures)
        for client in fare.clients
    }
    packet = first_packet(reached.frontend) if asking else None
    return [
        rule for rule, own in hooks.items() if packet is not None and own & asking and _holds(rule, packet)
    ]


def _holds(rule: Rule, packet: Packet) -> bool:
    truth = rule_truth(compiled(rule), packet)
    return bool(truth.chance) and not truth.needs


def _dns(node: Examined, rules: Sequence[Rule]) -> Iterator[Finding]:
    """Yield that answers of DNS are not tracked, and that policies of Calico drop them on their way to a pod."""
    about = [rule for rule in rules if _names_dns(rule)]
    table = node.dump.tables.get("filter")
    if not about or table is None or not table.rules_of("OUTPUT"):
        return
    answers = dict.fromkeys(map(_answer, about))
    for interface in islice(_guarded(table), _MOST_PODS):
        for answer in answers:
            dropping = _dropping(table, answer._replace(out_interface=interface))
            if dropping is not None:
                yield found(notrack_dns, [*about, dropping], line=about[0].line,
                    chain=dropping.chain, at=dropping.line,
                )  # fmt: skip
                return


def _names_dns(rule: Rule) -> bool:
    options = (match.option(name) for match in rule.matches for name in _PORTS)
    given = (option.values for option in options if option is not None and not option.negated)
    return any(_DNS in value.split(",") for values in given for value in values)


def _answer(rule: Rule) -> Packet:
    """Return an answer of the DNS server whose packets a rule keeps from being tracked."""
    return Packet(
        protocol=value_of(rule, "-p") or "udp",
        source=parse_network(value_of(rule, "-d") or value_of(rule, "-s") or ""),
        source_port=int(_DNS),
        state="UNTRACKED",
    )


def _guarded(table: Table) -> Iterator[str]:
    """Yield the interfaces of pods to which policies say what may come."""
    return (name.removeprefix(_TO_POD) for name in table.chain_names(_TO_POD))


def _dropping(table: Table, answer: Packet) -> Rule | None:
    """Return the rule of a policy that drops what this node sends, if there is one."""
    cases = survey(rule_table(table), answer, list(map(compiled, table.rules_of("OUTPUT")))).cases
    ends = (dump_rule(place) for case in cases for place, share in case.ends.items() if share)
    return next((rule for rule in ends if rule.chain.startswith("cali-") and _is_drop(rule)), None)


def _is_drop(rule: Rule) -> bool:
    return rule.target is not None and rule.target.name == "DROP"


# --- the words -------------------------------------------------------------------------------------------------


@diagnosis({"elsewhere": "high", "here": "info"}, reference="kubernetes/dns#319")
def untracked_service(*, taken: tuple[str, ...], elsewhere: bool) -> str:
    """Connections to a service's address are not tracked.

    A rule of the table raw says so: NOTRACK, or CT --notrack. It is of high severity where the node's addresses
    are known, and do not include the service's: nothing answers there.

    Why: What is not tracked does not meet the nat table: these connections go to this node itself, where it has
    the address, and to no endpoint of the service. NodeLocal DNSCache works like that.

    Do: Check that the program that should answer them runs on this node: for DNS the node-local-dns pod. If there
    is none, remove the rules.
    """
    nobody = "; this node has no such address, so nothing answers" if elsewhere else ""
    return f"not tracked, so nat does not apply: connections to {listed(taken, _MOST_NAMED)}{nobody}"


@diagnosis("medium", reference="k/k#98758, projectcalico/calico#3795")
def notrack_dns(*, chain: str, at: int) -> str:
    """Answers of DNS are not tracked, and a network policy of Calico drops them.

    Why: Calico's policies follow connections: what answers a tracked one passes. An answer that is not tracked
    belongs to none, and is dropped where no policy admits it for itself: DNS times out in pods that policies
    select.

    Do: Admit the answers by a policy: from port 53 of the address of NodeLocal DNSCache, UDP and TCP; or run the
    cache without NOTRACK rules.
    """
    return (
        f"DNS is not tracked: for Calico's policies its answers belong to no connection, and line {at} ({chain}) "
        "drops what they do not allow"
    )
