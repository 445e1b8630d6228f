"""What rules of others end of what comes to services, and of what their endpoints answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import Evidence, Fitting, diagnosis, found
from iptviz.checks.wording import listed, named_ports
from iptviz.engine.condition import clauses
from iptviz.kube.pod_policies import is_of_policies, stale_policies
from iptviz.paths.blocked import Blocked, Group, blocked
from iptviz.paths.deciders import accepts_below, dump_of, hook_of, is_by_chance, is_in
from iptviz.paths.surroundings import pod_networks
from iptviz.records import NamedTuple
from iptviz.xtables.values.addresses import show_network

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Diagnosis, Finding
    from iptviz.paths.health import EndedCheck
    from iptviz.paths.model import Decider

_NAMED = 3
"""So many services are named, of more it is told how many there are."""

_WHOSE = {"outside": "outside clients", "pod": "pods", "node": "the node"}
_ENDS = {"DROP": "drops", "REJECT": "rejects", "QUEUE": "lets a program decide on"}


class Stopped(NamedTuple):
    """What is ended, in words: `by` whom, with which `outcome`, of which clients, each when something is so.

    `services` are names of the service ports that suffer, of `total` in the dump, `part` of how many only some
    endpoints do. `checks` are names of services whose health checks suffer, when `checks_when` is so.
    `accepts` counts the rules below that would accept. `by_chance`: which connections suffer is left to chance.
    `is_policy`: the policy of a chain ends it, no rule; `pods` are the networks of pods that the dump names.
    """

    by: str
    outcome: str
    groups: tuple[tuple[tuple[str, ...], str], ...]
    services: tuple[str, ...]
    total: int
    part: int = 0
    accepts: int = 0
    checks: tuple[str, ...] = ()
    checks_when: str = ""
    by_chance: bool = False
    is_policy: bool = False
    pods: tuple[str, ...] = ()

    @property
    def ends(self) -> str:
        """Who ends it, and how: `policy DROP of FORWARD drops`."""
        return f"{self.by} {_ENDS.get(self.outcome, 'ends')}"

    @property
    def to(self) -> str:
        """To how many services of how many, and their names; or to some of their endpoints."""
        count, total = len(self.services), self.total
        names = named_ports(self.services)
        many = f"{count:,} of {total:,} service ports ({names})" if total > 1 else names
        endpoints = "" if not self.part else "some endpoints of " if self.part == count else "endpoints of "
        return f"{'' if self.by_chance else endpoints}{many}"

    @property
    def what(self) -> str:
        """Which connections: to services, health checks, or both."""
        connections = f"{self.some}connections of {self.of_all(f' to {self.to}', 'of')}"
        checks = (
            f"load balancers' health checks of {listed(self.checks, _NAMED)}{_when(self.checks_when)}"
            if self.checks
            else ""
        )
        return ", and ".join(filter(None, (checks, connections if self.services else "")))

    @property
    def some(self) -> str:
        """What is said where not all suffer."""
        return "by chance some " if self.by_chance else ""

    def of_all(self, behind_first: str, word: str) -> str:
        """Return whose connections: `pods TO ALL THIS, and of the node, when ...`."""
        (first, when), *others = self.groups
        more = (f", and {word} {_whose(clients)}{_when(text)}" for clients, text in others)
        return f"{_whose(first)}{behind_first}{_when(when)}{''.join(more)}"


def _whose(clients: Sequence[str]) -> str:
    """Return whose connections: `pods and the node`."""
    words = [_WHOSE.get(client, client) for client in clients]
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _when(text: str) -> str:
    """Return when that is so, or nothing where it always is."""
    return f", when {text}" if text else ""


def check(node: Examined) -> Iterator[Finding]:
    """Yield what ends connections to services, one finding for each cause."""
    from iptviz.paths.health import ended_checks
    from iptviz.paths.likely import usual_clients

    usual = usual_clients(node.dump, node.evidence.host)
    stale = {chain for one in stale_policies(node.dump) for chain in one.chains}
    policies = []
    checks: dict[tuple[str, str, int | None], list[EndedCheck]] = {}
    for ended in ended_checks(node.dump, node.ports, node.evidence):
        if ended.when and ended.by.table != "filter":
            continue
        checks.setdefault(ended.by[:3], []).append(ended)
    for one in blocked(node.reached, usual):
        if one.by[:3] in checks and not one.is_answer:
            yield _of_checks(checks.pop(one.by[:3]), node, one if one.certain else None)
        elif is_of_policies(one.by.chain, one.by.table):
            policies += [one] if one.certain and one.by.chain not in stale else []
        else:
            yield from _found(one, node)
    for some in checks.values():
        yield _of_checks(some, node, None)
    if policies:
        yield _of_policies(policies, node)


def _found(one: Blocked, node: Examined) -> Iterator[Finding]:
    hook = hook_of(node.dump, one.by, one.clients)
    what = _what(one, hook, node)
    if not one.certain and isinstance(what.severity, str):
        return
    below = accepts_below(node.dump, one.by) if what is forward_reject_first else []
    stopped = _stopped(one, node)._replace(accepts=len(below))
    state = "known" if one.certain else "unknown"
    made = found(what, state=state, stopped=stopped)
    lines = (*_evidence(one, node), *(Evidence(rule.line, rule.text) for rule in below))
    yield made._replace(evidence=lines, times=len(one.ports))


def _of_checks(checks: Sequence[EndedCheck], node: Examined, also: Blocked | None) -> Finding:
    """Return that health checks are ended, and by the same rule what comes to endpoints of this node."""
    first = checks[0]
    names = tuple(f"{one.service} (:{one.port})" if one.port else one.service for one in checks)
    one = also or Blocked((first.by,), first.outcome, is_answer=False, ports=(), whole=frozenset(),
                          groups=(Group(("outside",), ()),), certain=True)  # fmt: skip
    what = input_drop if first.by.table == "filter" else rule_drops_services
    state = "unknown" if first.when and also is None else "known"
    when = clauses(first.when) if first.when else ""
    made = found(what, state=state, stopped=_stopped(one, node)._replace(checks=names, checks_when=when))
    return made._replace(evidence=_evidence(one, node), times=len(checks) + len(one.ports))


def _what(one: Blocked, hook: str, node: Examined) -> Diagnosis:
    """Return which diagnosis a cause is."""
    if one.is_answer:
        return replies_dropped
    hidden = one.is_partial and not is_by_chance(node.dump, one.by)
    if hidden and hook in {"FORWARD", "OUTPUT"} and one.outcome == "DROP":
        return blocked_endpoint_hidden
    if one.by.table != "filter":
        return rule_drops_services
    if hook == "FORWARD" and one.outcome == "REJECT" and accepts_below(node.dump, one.by):
        return forward_reject_first
    return _BY_HOOK.get(hook, rule_drops_services)


def _stopped(one: Blocked, node: Examined) -> Stopped:
    by = one.by
    place = by.chain if by.table == "filter" else f"{by.table} {by.chain}"
    what = f"rule {by.number} of {place}" if by.number else f"{by.text} of {place}"
    elsewhere = None if is_in(node.dump, by) else dump_of(node.evidence.dumps, by)
    if elsewhere is not None:
        what += f" ({elsewhere.backend or 'other'} rules, line {by.line})"
    groups = tuple((group.clients, clauses(group.when) if group.when else "") for group in one.groups)
    names, whole = _names(one.ports, node), _names(tuple(one.whole), node)
    return Stopped(what, one.outcome, groups, names, _total(node),
        part=len(names) - len(whole), by_chance=is_by_chance(node.dump, one.by), is_policy=not by.number,
        pods=tuple(map(show_network, pod_networks(node.dump, ()))),
    )  # fmt: skip


def _names(ports: Sequence[int], node: Examined) -> tuple[str, ...]:
    """Return the names of service ports, each once: those that share one are not told apart by it."""
    return tuple(dict.fromkeys(node.ports[number].name for number in ports))


def _total(node: Examined) -> int:
    return len({port.name for port in node.ports})


def _evidence(one: Blocked, node: Examined) -> tuple[Evidence, ...]:
    """Return the rules of this dump; lines of another are told in words."""
    lines = {by.line or 0: Evidence(by.line or 0, _line_text(by)) for by in one.rules if is_in(node.dump, by)}
    return tuple(lines[line] for line in sorted(lines))


def _line_text(by: Decider) -> str:
    return by.text if by.number else f":{by.chain} {by.text.removeprefix('policy ')}"


def _of_policies(policies: Sequence[Blocked], node: Examined) -> Finding:
    ports = dict.fromkeys(number for one in policies for number in one.ports)
    chains = tuple(dict.fromkeys(one.by.chain for one in policies))
    services = _names(list(ports), node)
    made = found(policy_drops_services, chains=chains, services=services)
    lines = tuple(dict.fromkeys(piece for one in policies for piece in _evidence(one, node)))
    return made._replace(evidence=lines, times=len(ports))


# --- the words -------------------------------------------------------------------------------------------------


def _of_decider(*, stopped: Stopped) -> Fitting:
    """Return whether a policy ends it or a rule, and the network of pods where there is one."""
    known = (("POD-NETWORK", stopped.pods[0]),) if len(stopped.pods) == 1 else ()
    return Fitting(frozenset({"policy" if stopped.is_policy else "rule"}), known)


@diagnosis(
    {"known": "high", "unknown": "info"},
    fitting=_of_decider,
    reference="k/k#39823, #40182, canonical/microk8s#4310",
)
def forward_drop(*, stopped: Stopped) -> str:
    """Filter FORWARD drops what services send to their endpoints.

    Its policy is DROP and nothing accepts this traffic, or a rule drops it before another accepts it. Docker
    1.13 and later, and ufw, set that policy.

    Why: Connections are rewritten to an endpoint and then dropped on this node: clients time out, or are
    refused where it rejects them.

    Do (policy): Where the policy drops, accept the pods' network at the end of FORWARD, where network policies
    still run first: iptables -A FORWARD -s POD-NETWORK -j ACCEPT, and the same with -d.

    Do (rule): Where a rule drops, find out which program wrote it, and remove it or narrow it there.

    Do: A change here lasts only if the program that writes these rules keeps it.
    """
    return f"{stopped.ends} {stopped.what}"


@diagnosis("high", reference="k/k#81635, kubernetes/kubeadm#139")
def forward_reject_first(*, stopped: Stopped) -> str:
    """A REJECT in filter FORWARD stands above the rules that accept pods' traffic.

    The usual one is `-j REJECT --reject-with icmp-host-prohibited` of a distribution's firewall.

    Why: Clients get `no route to host` at once; the ACCEPT rules below it never run.

    Do: Remove the REJECT, or put it below the accepts; stop the firewall that writes it, or tell it of the
    pods' networks.
    """
    below = f"; it stands above {stopped.accepts} ACCEPT rule{'s' * (stopped.accepts != 1)}"
    return f"{stopped.ends} {stopped.what}{below}"


@diagnosis({"known": "high", "unknown": "info"}, fitting=_of_decider, reference="k/k#97225, k3s-io/k3s#2059")
def input_drop(*, stopped: Stopped) -> str:
    """Filter INPUT drops what a service sends to an endpoint on this node, or a load balancer's health checks.

    The port of health checks is the service's healthCheckNodePort; before 1.21 no rule of kube-proxy's names it.

    Why: What an endpoint on the node's own address serves, often the API server, is out of reach through its
    service. A load balancer whose health checks are dropped sends this node nothing.

    Do (policy): Where the policy drops, accept the port that the service's endpoint or health check has: iptables
    -A INPUT -p tcp --dport PORT -j ACCEPT.

    Do (rule): Where a rule drops, find out which program wrote it, and narrow it there.

    Do: A change here lasts only if the program that writes these rules keeps it.
    """
    return f"{stopped.ends} {stopped.what}"


@diagnosis("high")
def output_drop(*, stopped: Stopped) -> str:
    """Filter OUTPUT drops what this node itself sends to services.

    Why: kubelet, the container runtime and pods in the host's network do not reach these services.

    Do: Accept the pods' networks and the endpoints' ports in OUTPUT, above what drops.
    """
    return f"{stopped.ends} {stopped.what}"


@diagnosis("high")
def rule_drops_services(*, stopped: Stopped) -> str:
    """A rule in another table or hook ends connections to services.

    Why: Clients time out, or are refused, whatever kube-proxy's rules say.

    Do: Find out which program wrote the rule, by its comment and its chain, and make it leave out the
    services' addresses and the pods' networks.
    """
    return f"{stopped.ends} {stopped.what}"


@diagnosis("high", reference="k/k#91545")
def replies_dropped(*, stopped: Stopped) -> str:
    """Requests to a service pass this node, and the endpoints' answers do not.

    Why: The endpoint sees the connection and answers; the client never gets the answer and times out.

    Do: Accept answers above what drops, in the chain that the message names: -m conntrack --ctstate
    RELATED,ESTABLISHED -j ACCEPT. Firewalls have that as their first rule, and it admits no new connection.
    """
    return f"{stopped.ends} {stopped.some}answers of {stopped.to} to {stopped.of_all('', 'to')}"


@diagnosis("high")
def blocked_endpoint_hidden(*, stopped: Stopped) -> str:
    """FORWARD or OUTPUT drops the way to some endpoints of a service, not to all.

    Why: A dropped first packet is sent again and draws an endpoint anew: connections succeed after a second or
    more instead of failing, and the counters of the endpoints' rules count attempts.

    Do: Find out which program wrote the rule, and make it leave out the endpoints that it drops.
    """
    return f"{stopped.ends} {stopped.what}"


@diagnosis("info")
def policy_drops_services(*, chains: tuple[str, ...], services: tuple[str, ...]) -> str:
    """Network policies end what pods send to endpoints of a service.

    Why: That is what policies are for: it is a fault only where these clients are meant to get there.

    Do: Check which policies select the endpoints: kubectl get networkpolicies -A.
    """
    whose = named_ports(services)
    return f"network policies ({listed(chains, _NAMED)}) end connections to endpoints of {whose}"


_BY_HOOK = {"FORWARD": forward_drop, "INPUT": input_drop, "OUTPUT": output_drop}
