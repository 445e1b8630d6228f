"""Whose source address kube-proxy rewrites: clients outside the pods' network, and pods that meet themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.checks.wording import are, listed, these
from iptviz.intake.text import to_bytes, to_text
from iptviz.kube.families import ENDPOINT_CHAIN, MARK_MASQUERADE, POSTROUTING
from iptviz.paths.model import ACCEPT, is_among
from iptviz.xtables.address import join_endpoint, parse_network

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.kube.frontend_answer import EndpointShare, FrontendAnswer
    from iptviz.kube.outcome import Needs
    from iptviz.kube.service_ports import ServicePort
    from iptviz.paths.model import ClientPaths, EndpointRow

    Asked = list[tuple[ServicePort, FrontendAnswer]]
    Met = dict[str, tuple[Rule, ServicePort, FrontendAnswer, EndpointShare]]

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
    asked = [
        (port, answer)
        for port in node.ports
        for answer in port.answers
        if answer.frontend.kind == "cluster-ip"
        and answer.endpoints
        and not (answer.unseen or answer.taken_by)
    ]
    if in_vain := list(_in_vain(node, nat, asked)):
        yield from in_vain
    else:
        yield from _hairpins(node, nat, asked)
        yield from _outside(node, nat, asked)
        yield from _networks(nat, asked)
        yield from _elsewhere(nat, asked)


def _keeps_source(node: Examined, answer: FrontendAnswer, client: str, endpoint: str = "") -> bool:
    """Whether the engine says that a client, a kind or an address, comes to an endpoint as who it is."""
    from iptviz.paths.survey import Survey

    ends = [end.address for end in answer.endpoints]
    own = frozenset([endpoint] if endpoint else ends)
    chains = (answer.chain,) if answer.chain else ()
    paths = Survey(node.dump, node.evidence, client).paths(answer.frontend, chains, ends)
    met = [
        row
        for entry in paths.entries
        if endpoint or not _is_of_one_source(entry)
        for row in entry.endpoints
        if row.share and row.outcome == ACCEPT and is_among(row.address, own) and not _stays_here(node, row)
    ]
    return bool(met) and all(row.snat is None for row in met)


def _is_of_one_source(entry: ClientPaths) -> bool:
    """Whether an entry is about clients at one address: endpoints, where nothing tells pods from others."""
    return any(one.condition.kind == "source-cidr" and one.holds for one in entry.when)


def _stays_here(node: Examined, row: EndpointRow) -> bool:
    """Whether a row is about an endpoint of this node, whose connections no POSTROUTING meets."""
    own = node.evidence.host.is_local(parse_network(row.address))
    return own is True or any(one.condition.kind == "endpoint-local" and one.holds for one in row.when)


# --- pods that meet themselves ---------------------------------------------------------------------------------


def _hairpins(node: Examined, nat: Table, asked: Asked) -> Iterator[Finding]:
    """Yield the endpoints whose chains do not mark what they send to themselves."""
    met = _endpoints_at(nat, _without_marks(nat, complete=node.dump.complete), asked)
    first = next(iter(met.values()), None)
    if first is None or not _keeps_source(node, first[2], first[3].address, first[3].address):
        return
    names = tuple(dict.fromkeys(port.name for _, port, _, _ in met.values()))
    ends = tuple(join_endpoint(end.address, end.port) for _, _, _, end in met.values())
    yield found(hairpin_missing, [rule for rule, _, _, _ in met.values()], complete=node.dump.complete,
        service=first[1].service if len(names) == 1 else None, names=names, ends=ends,
    )  # fmt: skip


def _without_marks(nat: Table, *, complete: bool) -> set[str]:
    """Return the chains of endpoints that mark nothing; none where an excerpt shows no such rule at all."""
    mark, begin = to_bytes(MARK_MASQUERADE), to_bytes(ENDPOINT_CHAIN)
    marked, unmarked = set[bytes](), set[bytes]()
    for name, run in nat.each_run():
        if name.startswith(begin):
            (unmarked if nat.data.find(mark, *run) < 0 else marked).add(name)
    if not complete and not marked:
        return set()
    names = map(to_text, unmarked - marked)
    return {name for name in names if not any(_marks(rule) for rule in nat.rules_of(name))}


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


def _outside(node: Examined, nat: Table, asked: Asked) -> Iterator[Finding]:
    """Yield the services to which outside clients come with their own addresses, by cluster IP."""
    bare = [
        (port, answer)
        for port, answer in asked
        if not any(map(_is_for_others, answer.masquerade)) and not _has_mark(node, nat, answer)
    ]
    old = min(node.era.releases, default=_FIRST_BY_POD_NETWORK) < _FIRST_BY_POD_NETWORK
    if not bare or old or not _keeps_source(node, bare[0][1], "outside"):
        return
    names = tuple(dict.fromkeys(port.name for port, _ in bare))
    state = "routed" if nat.has_chain(_AWS) else "no rule"
    yield found(no_masquerade, [answer.frontend.rule for _, answer in bare], state=state,
        complete=node.dump.complete, service=bare[0][0].service if len(names) == 1 else None, names=names,
        how="no rule" if len(bare) == len(asked) else "no rule here",
    )  # fmt: skip


def _in_vain(node: Examined, nat: Table, asked: Asked) -> Iterator[Finding]:
    """Yield that connections are marked, and nothing masquerades what bears the mark."""
    marked = [(port, answer) for port, answer in asked if any(map(_is_for_others, answer.masquerade))]
    if marked and _keeps_source(node, marked[0][1], "outside"):
        rules = [*nat.rules_of(MARK_MASQUERADE), *nat.rules_of(POSTROUTING)]
        yield found(no_masquerade, rules, state="in vain", complete=node.dump.complete,
            names=tuple(dict.fromkeys(port.name for port, _ in marked)), how="in vain",
        )  # fmt: skip


def _has_mark(node: Examined, nat: Table, answer: FrontendAnswer) -> bool:
    """Whether a rule of a service marks, whatever keeps connections from it."""
    chains = {answer.frontend.rule.jump, answer.chain} - {None}
    own = [rule for chain in chains for rule in nat.rules_with(f"-j {MARK_MASQUERADE}", chain)]
    return any(rule.jump == MARK_MASQUERADE for rule in (*own, *node.rules.about(answer.frontend, "nat")))


def _is_for_others(needs: Needs) -> bool:
    """Whether a rule marks what clients send that are no pods."""
    return not any(need.holds for need in needs)


# --- the network that rules take for the pods' -----------------------------------------------------------------


def _named(asked: Asked) -> dict[str, list[str]]:
    """Return the networks that rules take for the pods', with the services whose rules name them."""
    named: dict[str, list[str]] = {}
    for port, answer in asked:
        for needs in answer.masquerade:
            kinds = {(need.condition.kind, need.holds) for need in needs}
            if kinds == {("source-cidr", False)} and len(needs[0].condition.values) == 1:
                named.setdefault(needs[0].condition.values[0], []).append(port.name)
    return named


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
    """An endpoint's chain lacks `-s ITSELF -j KUBE-MARK-MASQ`, for what its own pod sends to its service.

    Why: A pod that asks its own service and is chosen itself gets an answer from an address that it did not
    ask: the connection hangs, now and then, as often as the pod is chosen.

    Do: See who wrote these rules: kube-proxy writes that rule for each endpoint. Restart it, which writes the
    chain anew.
    """
    chains = are(ends, f"the chain of {ends[0]} does", f"the chains of {len(ends):,} endpoints do")
    pods = are(ends, "the pod cannot reach itself", f"these pods ({listed(ends, 3)}) cannot reach themselves")
    return f"{these(names)}: {chains} not masquerade a pod's connections to itself; {pods} by the service"


@diagnosis(
    {"in vain": "high", "no rule": "medium", "routed": "info"}, reference="k/k#36835, #124587", absence=True
)
def no_masquerade(*, names: tuple[str, ...], how: str) -> str:
    """Connections from outside the pods' network come to endpoints with their own source address.

    No rule such as `! -s POD-NETWORK -j KUBE-MARK-MASQ` marks them; or, of high severity, they are marked, and
    POSTROUTING masquerades nothing that bears the mark. It is of severity info where Amazon's VPC CNI gives
    pods addresses that all of the VPC can reach.

    Why: The endpoint answers the client at once, not by way of this node: the client gets an answer from an
    address that it did not ask, or none, and the connection hangs.

    Do: Where the rule is missing, give kube-proxy the pods' network (clusterCIDR in its configuration); it does
    no harm where clients outside never ask cluster IPs through this node. Where the mark is in vain, restart
    kube-proxy, which writes KUBE-POSTROUTING and the jump to it anew.
    """
    return f"{these(names)}: {_HOW[how]}"


_HOW = {
    "no rule": "no rule masquerades connections to cluster IPs from outside the pods' network",
    "no rule here": "unlike for other services, no rule masquerades connections to cluster IPs from outside the "
    "pods' network",
    "in vain": "connections from outside the pods' network are marked for SNAT, and nothing masquerades the mark",
}


@diagnosis("medium", reference="k/k#44916")
def cidr_mix(*, pods: tuple[str, ...], names: tuple[str, ...], outside: int) -> str:
    """The rules of services do not agree with each other, or with the endpoints, on the pods' network.

    Those that masquerade clients from outside name several networks, or one in which no endpoint is.

    Why: Pods outside the network that is named are taken for outside clients and lose their address, which
    network policies need; clients inside it that are no pods keep theirs, and answers to them get lost.

    Do: Compare clusterCIDR of kube-proxy's configuration with the pods' addresses (kubectl get pods -A -o
    wide); correct it on all nodes and restart kube-proxy.
    """
    if outside:
        none = f"none of {outside:,} endpoints is in it, those of {names[0]} neither"
        return f"rules take {pods[0]} for the pods' network, and {none}"
    last = f"{listed(pods[1:], 3)} in {are(names, 'that', 'those')} of {these(names)}"
    return f"rules name different networks as the pods': {pods[0]} in most, {last}"
