"""Client addresses that are lost: rules of others masquerade what kube-proxy would have left alone."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from iptviz.checks.finding import Evidence, diagnosis, found
from iptviz.checks.wording import listed, named_ports
from iptviz.engine.condition import clauses
from iptviz.kube.marks import Marks, asks_for_mark, bits_set, marking_rules
from iptviz.paths.deciders import dump_of, is_in
from iptviz.paths.fares import is_own_masquerade
from iptviz.paths.model import is_exempting, is_flannels
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.rule import Rule
    from iptviz.engine.condition import Assumption, When
    from iptviz.kube.frontend_answer import FrontendAnswer
    from iptviz.paths.fares import Fare, Rewrite
    from iptviz.paths.model import Decider
    from iptviz.paths.usual import UsualClients

_NAMED = 3
_WHOSE = {"outside": "outside clients", "pod": "pods"}
_OUT = "out-interface"
_API = ("default", "kubernetes")


class Rewritten(NamedTuple):
    """Whose addresses are lost, in words: the rule, the kinds of clients, when, and at which services.

    `marked_by` are rules of others that set the mark by which it rewrites.
    """

    by: str
    clients: tuple[str, ...]
    when: str
    services: tuple[str, ...]
    outside_pods: bool = False
    marked_by: tuple[str, ...] = ()


class _Case(NamedTuple):
    """One rule that rewrites the source of clients at a service port: `state` is that of the finding."""

    state: str
    client: str
    when: When
    port: int
    by: Decider


def check(node: Examined) -> Iterator[Finding]:
    """Yield each rule that rewrites sources which kube-proxy keeps; what is certain is said alone."""
    if not any(fare.rewrites for port in node.reached for at in port for fare in at.fares):
        return
    by_rule: dict[object, list[_Case]] = {}
    for case in _cases(node):
        by_rule.setdefault(case.by[:4], []).append(case)
    for cases in by_rule.values():
        yield _found(cases, node)


def _cases(node: Examined) -> Iterator[_Case]:
    from iptviz.paths.likely import usual_clients

    usual = usual_clients(node.dump, node.evidence.host)
    is_meant = cache(lambda by: _is_meant(by, node))
    for number, (port, reached) in enumerate(zip(node.ports, node.reached, strict=True)):
        is_api = (port.service.namespace, port.service.name) == _API
        for answer, at in zip(port.answers, reached, strict=True):
            for fare in at.fares if _is_kept(answer) else ():
                for rewrite in _either_way([one for one in fare.rewrites if not is_meant(one.by)]):
                    for client in _clients(fare, answer):
                        if state := _state(rewrite, client, usual, is_api=is_api):
                            when = _worth_saying(rewrite.when, usual)
                            yield _Case(state, client, when, number, rewrite.by)


def _is_meant(by: Decider, node: Examined) -> bool:
    """Whether a rule is kube-proxy's own, asked of what kube-proxy itself marked, be it for another service."""
    if not is_own_masquerade(by) or not is_in(node.dump, by):
        return False
    (rule,) = node.dump.tables[by.table].rules_of(by.chain)[(by.number or 1) - 1 : by.number]
    return asks_for_mark(rule) and not _marking(by, node)


def _either_way(rewrites: Sequence[Rewrite]) -> Iterator[Rewrite]:
    """Yield rewritings without one thing that is asked, where they come to the same whatever the answer is."""
    known = {(one.by[:4], one.when) for one in rewrites}
    for one in rewrites:
        idle = next((each for each in one.when if (one.by[:4], _turned(one.when, each)) in known), None)
        yield one._replace(when=tuple(each for each in one.when if each != idle))


def _turned(when: When, turned: Assumption) -> When:
    return tuple(each.opposite() if each == turned else each for each in when)


def _is_kept(answer: FrontendAnswer) -> bool:
    """Whether kube-proxy leaves the sources of some clients as they are."""
    return () not in answer.masquerade


def _clients(fare: Fare, answer: FrontendAnswer) -> list[str]:
    """Return the clients whose sources kube-proxy leaves: outside ones where a policy is Local."""
    kept = {"pod", "outside"} if answer.local_only and answer.frontend.kind != "cluster-ip" else {"pod"}
    return [client for client in fare.clients if client in kept]


def _state(rewrite: Rewrite, client: str, usual: UsualClients, *, is_api: bool) -> str:
    """Return which state of the finding a rewriting is; empty: it is none."""
    meant = usual.are_meant(_of_clients(rewrite.when), client)
    if not usual.networks:
        return "" if meant is None or is_api else "unknown"
    if not any(map(usual.are_pods, rewrite.endpoints)):
        return "leaving" if meant is not None and is_flannels(rewrite.by) else ""
    if meant is None or (not meant and is_exempting(rewrite.by)):
        return ""
    return "known" if meant and not _ways_out(rewrite.when, usual) else "unknown"


def _of_clients(when: When) -> When:
    """Return conditions without those about the way out, which is known where routes are."""
    return tuple(one for one in when if one.condition.kind != _OUT)


def _ways_out(when: When, usual: UsualClients) -> When:
    """Return the conditions about the way out of which nobody knows whether they are so."""
    return tuple(
        one for one in when if one.condition.kind == _OUT and (one.holds or not usual.is_no_way_out(one))
    )


def _worth_saying(when: When, usual: UsualClients) -> When:
    """Return conditions without what is so as a rule, and without the endpoint that they were asked of."""
    open_ones = (*_of_clients(when), *_ways_out(when, usual))
    return tuple(one._replace(condition=one.condition._replace(rewritten="")) for one in open_ones)


def _found(cases: list[_Case], node: Examined) -> Finding:
    state = next(state for state in _STATES if any(case.state == state for case in cases))
    meant = [case for case in cases if case.state == state]
    when = min((case.when for case in meant), key=len)
    meant = [case for case in meant if case.when == when]
    by = meant[0].by
    ports = dict.fromkeys(case.port for case in meant)
    rewritten = Rewritten(
        f"{by.table} {by.chain} rule {by.number}{_of_backend(by, node)}",
        tuple(client for client in _WHOSE if any(case.client == client for case in meant)),
        clauses(when) if when else "",
        tuple(dict.fromkeys(node.ports[number].name for number in ports)),
        outside_pods=state == "leaving",
    )
    marking = _marking(by, node)
    places = tuple(_place(rule) for rule in marking)
    made = found(foreign_masquerade, state=state, rewritten=rewritten._replace(marked_by=places))
    lines = [Evidence(by.line or 0, by.text)] if is_in(node.dump, by) else []
    lines += [Evidence(rule.line, rule.text) for rule in marking]
    return made._replace(evidence=tuple(lines), times=len(ports))


def _marking(by: Decider, node: Examined) -> list[Rule]:
    """Return the rules of others that set the mark by which kube-proxy's own rule masquerades."""
    if not is_own_masquerade(by):
        return []
    bits = Marks(node.dump.tables.get("nat")).masquerade_bits
    return [rule for rule in marking_rules(node.dump) if bits_set(rule) & bits]


def _place(rule: Rule) -> str:
    return f"{rule.table.name} {rule.chain} rule {rule.number}"


def _of_backend(by: Decider, node: Examined) -> str:
    """Return of which backend a rule is that stands in another dump; nothing for one of this dump."""
    elsewhere = None if is_in(node.dump, by) else dump_of(node.evidence.dumps, by)
    return "" if elsewhere is None else f" ({elsewhere.backend or 'other'} rules, line {by.line})"


# --- the words -------------------------------------------------------------------------------------------------

_STATES = {"known": "high", "unknown": "info", "leaving": "info"}


@diagnosis(_STATES, reference="projectcalico/calico#6235, kubernetes-sigs/ip-masq-agent#65")
def foreign_masquerade(*, rewritten: Rewritten) -> str:
    """A rule of another program rewrites the source of service traffic that kube-proxy does not masquerade.

    It is a MASQUERADE or SNAT of others; or that of KUBE-POSTROUTING, to which packets come that kube-proxy has
    not marked, since its RETURN is gone or others set its mark.

    Why: Endpoints see the node's address instead of the client's: network policies and access logs that go by
    the client's address fail.

    Do: Find out which program wrote the rule, and make it leave out the networks of pods and services: with
    ip-masq-agent by nonMasqueradeCIDRs, with kubelet's old --non-masquerade-cidr by setting it right.
    """
    whose = " and ".join(_WHOSE[client] for client in rewritten.clients)
    where = ", whose endpoints are outside the pod network" if rewritten.outside_pods else ""
    when = f", when {rewritten.when}" if rewritten.when else ""
    count = len(rewritten.services)
    ports = f"{count:,} service port{'s' * (count != 1)} ({named_ports(rewritten.services)})"
    marked = f", by the mark that {listed(rewritten.marked_by, _NAMED)} sets," if rewritten.marked_by else ""
    return f"{rewritten.by}{marked} rewrites the source of {whose} on the path to {ports}{where}{when}"
