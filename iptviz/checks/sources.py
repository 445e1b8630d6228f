"""Whose source address kube-proxy rewrites: clients outside the pods' network, and pods that meet themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.checks.wording import are, listed, these
from iptviz.intake.text import to_bytes, to_text
from iptviz.kube.families import ENDPOINT_CHAIN, MARK_MASQUERADE, POSTROUTING, SERVICE_CHAINS
from iptviz.kube.frontends import EXPOSED_KINDS, asks_for_nothing_else, host_of
from iptviz.kube.service_ports import leading
from iptviz.paths.kept import Above, Sources
from iptviz.xtables.address import join_endpoint, parse_network

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.kube.endpoint_form import EndpointForm
    from iptviz.kube.era import Era
    from iptviz.kube.frontend_answer import FrontendAnswer
    from iptviz.kube.outcome import Needs
    from iptviz.kube.service_ports import ServicePort
    from iptviz.paths.fares import Reached

    Asked = list[tuple[ServicePort, FrontendAnswer]]
    Met = dict[str, tuple[Rule, ServicePort, FrontendAnswer, EndpointForm]]

_FIRST_BY_POD_NETWORK = 3
"""The first release (1.x) of which all dumps masquerade what comes from outside the pods' network."""

_ENOUGH_ENDPOINTS = 3

_AWS = "AWS-SNAT-CHAIN-0"
"""Where Amazon's VPC CNI masquerades what leaves the VPC; within it pods have addresses that all can reach."""


def check(node: Examined) -> Iterator[Finding]:
    """Yield whose address should be rewritten and is not; nothing where nobody masquerades what is marked."""
    nat = node.dump.tables.get("nat")
    if nat is None or not nat.has_chain(POSTROUTING):
        return
    asked = list(leading(node.ports, ("cluster-ip",)))
    sources = Sources(node.rules, node.evidence)
    if in_vain := list(_in_vain(node, nat, sources, asked)):
        yield from in_vain
    else:
        yield from _hairpins(node, nat, sources, asked)
        yield from _outside(node, nat, sources, asked)
        yield from _networks(nat, asked)
        yield from _elsewhere(nat, asked)


# --- pods that meet themselves ---------------------------------------------------------------------------------


def _hairpins(node: Examined, nat: Table, sources: Sources, asked: Asked) -> Iterator[Finding]:
    """Yield the endpoints whose chains do not mark what they send to themselves."""
    met = _endpoints_at(nat, _without_marks(nat, complete=node.dump.complete), asked)
    first = next(iter(met.values()), None)
    if first is None or not sources.of_itself(first[2], first[3]):
        return
    names = tuple(dict.fromkeys(port.name for _, port, _, _ in met.values()))
    ends = tuple(join_endpoint(end.address, end.port) for _, _, _, end in met.values())
    yield found(hairpin_missing, [rule for rule, _, _, _ in met.values()], complete=node.dump.complete,
        service=first[1].service if len(names) == 1 else None, names=names, ends=ends,
    )  # fmt: skip


def _without_marks(nat: Table, *, complete: bool) -> set[str]:
    """Return the chains of endpoints that mark nothing; none where an excerpt shows no such rule at all."""
    mark, begin = to_bytes(MARK_MASQUERADE), to_bytes(ENDPOINT_CHAIN)
    unmarked = {  # of those in bulk each marks
        to_text(name)
        for name, run in nat.rest_runs()
        if name.startswith(begin) and nat.data.find(mark, *run) < 0
    }
    if unmarked and not complete and not any(_MARKED.search(nat.data, *block) for block in nat.blocks()):
        return set()
    return {
        name
        for name in unmarked
        if not any(nat.rules_with(MARK_MASQUERADE, name)) and not any(map(_marks, nat.rules_of(name)))
    }


_MARKED = re.compile(to_bytes(rf"^\S* ?-A {ENDPOINT_CHAIN}.*{MARK_MASQUERADE}"), re.MULTILINE)


def _marks(rule: Rule) -> bool:
    return rule.target is not None and rule.target.name == "MARK"


def _endpoints_at(nat: Table, chains: Collection[str], asked: Asked) -> Met:
    """Return the DNAT of each chain that a cluster IP leads to, where no other rule marks what the pod sends."""
    met: Met = {}
    for port, answer in asked if chains else ():
        by_text = {join_endpoint(end.address, end.port): end for end in answer.endpoints}
        for way in nat.rules_with(f"-j {ENDPOINT_CHAIN}", answer.chain) if answer.chain else ():
            chain = way.jump or ""
            if chain not in chains or chain in met:
                continue
            for rule in nat.rules_of(chain):
                end = by_text.get((rule.target.value("--to-destination") if rule.target else None) or "")
                if end and not any(_applies(needs, end.address) for needs in answer.masquerade):
                    met[chain] = rule, port, answer, end
    return met


def _applies(needs: Needs, source: str) -> bool:
    """Whether a rule that marks may do so for what a pod at `source` sends."""
    own = parse_network(source)
    for need in needs:
        if need.condition.kind == "source-cidr":
            networks = map(parse_network, need.condition.values)
            if any(own and network and network.contains(own) for network in networks) != need.holds:
                return False
        elif not need.holds:
            return False  # not from the interface of pods
    return True


# --- clients outside the pods' network -------------------------------------------------------------------------


def _outside(node: Examined, nat: Table, sources: Sources, asked: Asked) -> Iterator[Finding]:
    """Yield the services to which outside clients come with their own addresses."""
    exposed = [
        (port, answer)
        for port, answer in leading(node.ports, EXPOSED_KINDS)
        if not (answer.local_only or answer.depends)
    ]
    for pairs, how in ((exposed, "exposed"), (asked, "no rule")):
        bare = [
            (port, answer)
            for port, answer in pairs
            if not answer.masquerades_others and not _has_mark(node, nat, answer)
        ]
        if not bare or not sources.outside(bare[0][1]) or _is_early(node.era):
            continue
        names = tuple(dict.fromkeys(port.name for port, _ in bare))
        routed = nat.has_chain(_AWS) and how == "no rule"
        texts = tuple(answer.frontend.text for _, answer in bare) if how == "exposed" else ()
        yield found(no_masquerade, [answer.frontend.rule for _, answer in bare],
            state="routed" if routed else how, complete=node.dump.complete,
            service=bare[0][0].service if len(names) == 1 else None, names=names, texts=texts,
            how="no rule here" if how == "no rule" and len(bare) < len(asked) else how,
        )  # fmt: skip


def _is_early(era: Era) -> bool:
    """Whether a release may have written the dump that masquerades nothing from outside unless told."""
    return min(era.releases, default=_FIRST_BY_POD_NETWORK) < _FIRST_BY_POD_NETWORK


def _in_vain(node: Examined, nat: Table, sources: Sources, asked: Asked) -> Iterator[Finding]:
    """Yield that connections are marked, and nothing masquerades what bears the mark: of no service of a few.

    Where a rule keeps them from kube-proxy's, that is a finding of its own.
    """
    above = Above(node.dump)
    marked = [
        (port, answer) for port, answer in asked if answer.masquerades_others and not above.ending_of(answer)
    ]
    reached = {id(port): found for port, found in zip(node.ports, node.reached, strict=True)}
    few = [(answer, _kept(port, answer, reached[id(port)])) for port, answer in marked[:_FEW]]
    if few and all(sources.outside(answer) if kept is None else kept for answer, kept in few):
        rules = [*nat.rules_of(MARK_MASQUERADE), *nat.rules_of(POSTROUTING)]
        yield found(no_masquerade, rules, state="in vain", complete=node.dump.complete,
            names=tuple(dict.fromkeys(port.name for port, _ in marked)), texts=(), how="in vain",
        )  # fmt: skip


def _kept(port: ServicePort, answer: FrontendAnswer, reached: Sequence[Reached]) -> bool | None:
    """Return whether outside clients are kept as they are at one of a port's frontends; None: not looked at."""
    return next(found.kept for one, found in zip(port.answers, reached, strict=True) if one is answer)


_FEW = 8
"""So many services are asked about at most."""


def _has_mark(node: Examined, nat: Table, answer: FrontendAnswer) -> bool:
    """Whether a rule of a service marks, whatever keeps connections from it; none below all endpoints does."""
    rules = [rule for rule in node.rules.about(answer.frontend, "nat") if asks_for_nothing_else(rule)]
    for chain in filter(None, {answer.frontend.leads_to, answer.chain}):
        leads = [rule.line for rule in nat.rules_of(chain) if (rule.jump or "").startswith(_ONWARD)]
        marks = nat.rules_with(f"-j {MARK_MASQUERADE}", chain)
        rules += [rule for rule in marks if not leads or rule.line < leads[-1]]
    about = {None, answer.frontend.address}
    return any(rule.jump == MARK_MASQUERADE and host_of(rule) in about for rule in rules)


_ONWARD = (ENDPOINT_CHAIN, *SERVICE_CHAINS)


# --- the network that rules take for the pods' -----------------------------------------------------------------


def _named(asked: Asked) -> dict[str, list[str]]:
    """Return the networks that rules take for the pods', with the services whose rules name them."""
    known: dict[Needs, str] = {}
    named: dict[str, list[str]] = {}
    for port, answer in asked:
        for needs in answer.masquerade:
            network = known[needs] if needs in known else known.setdefault(needs, _network_of(needs))
            if network:
                named.setdefault(network, []).append(port.name)
    return named


def _network_of(needs: Needs) -> str:
    """Return the one network whose connections a rule does not masquerade; empty where it asks for more."""
    kinds = {(need.condition.kind, need.holds) for need in needs}
    values = needs[0].condition.values if needs else ()
    return values[0] if kinds == {("source-cidr", False)} and len(values) == 1 else ""


def _networks(nat: Table, asked: Asked) -> Iterator[Finding]:
    """Yield that the rules of services name different networks."""
    named = sorted(_named(asked).items(), key=lambda pair: -len(pair[1]))
    if len(named) > 1:
        (usual, _), *others = named
        rules = [next(nat.rules_with(f"! -s {usual} "))]
        rules += [rule for network, _ in others for rule in nat.rules_with(f"! -s {network} ")]
        names = tuple(dict.fromkeys(name for _, some in others for name in some))
        yield found(cidr_mix, rules, pods=tuple(network for network, _ in named), names=names, outside=0)


def _elsewhere(nat: Table, asked: Asked) -> Iterator[Finding]:
    """Yield that no endpoint at all is in the network, those of the cluster's DNS neither, which are pods."""
    named = _named(asked)
    network = parse_network(next(iter(named), "")) if len(named) == 1 else None
    dns = [port for port, _ in asked if port.service[:2] == ("kube-system", "kube-dns")]
    if network is None or not dns:
        return
    outside: set[str] = set()
    for end in (end for _, answer in asked for end in answer.endpoints):
        own = parse_network(end.address)
        if own is None or network.contains(own):
            return
        outside.add(end.address)
    if len(outside) >= _ENOUGH_ENDPOINTS:
        rules = [next(nat.rules_with(f"! -s {next(iter(named))} ")), dns[0].usual.frontend.rule]
        yield found(cidr_mix, rules, pods=tuple(named), names=(dns[0].name,), outside=len(outside))


# --- the words -------------------------------------------------------------------------------------------------


@diagnosis("medium", absence=True)
def hairpin_missing(*, names: tuple[str, ...], ends: tuple[str, ...]) -> str:
    """An endpoint's chain lacks `-s ITSELF -j KUBE-MARK-MASQ`, for connections of its pod to its own service.

    Why: A pod that connects to its own service and is chosen itself gets an answer from an address that it did
    not contact: the connection hangs, as often as the pod is chosen.

    Do: Find out which program wrote these rules: kube-proxy writes that rule for each endpoint. Restart it, which
    writes the chain anew.
    """
    chains = are(ends, f"the chain of {ends[0]} does", f"the chains of {len(ends):,} endpoints do")
    pods = are(ends, "the pod cannot reach itself", f"these pods ({listed(ends, 3)}) cannot reach themselves")
    return f"{these(names)}: {chains} not masquerade a pod's connections to itself; {pods} by the service"


@diagnosis(
    {"in vain": "high", "exposed": "high", "no rule": "medium", "routed": "info"},
    reference="k/k#36835, #124587", absence=True,
)  # fmt: skip
def no_masquerade(*, names: tuple[str, ...], texts: tuple[str, ...], how: str) -> str:
    """Connections from outside the pods' network come to endpoints with their own source address.

    No rule such as `! -s POD-NETWORK -j KUBE-MARK-MASQ` marks them. It is of high severity where those to node
    ports, external IPs or load-balancer IPs are not marked, or POSTROUTING masquerades nothing that is marked; of
    severity info where Amazon's VPC CNI gives pods addresses that all of the VPC can reach.

    Why: The endpoint answers the client directly, not through this node: the client gets an answer from an
    address that it did not contact, or none, and the connection hangs.

    Do: Where the rule is missing, give kube-proxy the pods' network (clusterCIDR in its configuration); it does
    no harm where clients outside never use cluster IPs through this node. Where nothing masquerades the mark,
    restart kube-proxy, which writes KUBE-POSTROUTING and the jump to it anew.
    """
    return f"{these(names)}: {_HOW[how].format(listed(texts, 3))}"


_HOW = {
    "no rule": "no rule masquerades connections to cluster IPs from outside the pods' network",
    "no rule here": "unlike for other services, no rule masquerades connections to cluster IPs from outside the "
    "pods' network",
    "exposed": "no rule masquerades connections from outside to {}",
    "in vain": "connections from outside the pods' network are marked for SNAT, and nothing masquerades the mark",
}


@diagnosis("medium", reference="k/k#44916")
def cidr_mix(*, pods: tuple[str, ...], names: tuple[str, ...], outside: int) -> str:
    """The rules of services do not agree with each other, or with the endpoints, on the pods' network.

    Those that masquerade clients from outside name several networks, or one without any endpoint.

    Why: Pods outside the named network count as outside clients and lose their address, which network
    policies need; clients inside it that are not pods keep theirs, and answers to them get lost.

    Do: Compare clusterCIDR of kube-proxy's configuration with the pods' addresses (kubectl get pods -A -o
    wide); correct it on all nodes and restart kube-proxy.
    """
    if outside:
        none = f"none of {outside:,} endpoints is in it, not even those of {names[0]}"
        return f"rules name {pods[0]} as the pods' network, but {none}"
    last = f"{listed(pods[1:], 3)} in {are(names, 'that', 'those')} of {these(names)}"
    return f"rules name different networks as the pods': {pods[0]} in most, {last}"
