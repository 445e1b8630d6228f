"""What keeps clients from a service on purpose: source ranges, policies; and where that lets others pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.checks.wording import are, listed, these
from iptviz.intake.remark import remark
from iptviz.kube.families import ENTRY_CHAINS, FIREWALL_CHAIN, MARK_DROP
from iptviz.kube.marks import Marks
from iptviz.paths.fares import WELL
from iptviz.paths.model import ACCEPT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.intake.remark import Remark
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.marks import MarkedDrop
    from iptviz.paths.fares import Reached

_MOST_FRONTENDS = 3
_BEYOND = frozenset({"node-port", "external-ip"})
"""Kinds of frontends of which source ranges say nothing."""

_FORWARDED = frozenset({"load-balancer-ip", "external-ip"})
"""Kinds of frontends whose address may be none of this node."""


def check(node: Examined) -> Iterator[Finding]:
    """Yield who is kept from services, and who passes although he should not."""
    nat = node.dump.tables.get("nat")
    if nat is not None:
        yield from _ranges(node, nat)
        yield from _beyond(node)
        yield from _passing(node, nat)


def _ranges(node: Examined, nat: Table) -> Iterator[Finding]:
    """Yield which services have source ranges."""
    ports = [port for port in node.ports if port.source_ranges]
    chains = dict.fromkeys(
        answer.frontend.leads_to
        for port in ports
        for answer in port.answers
        if answer.frontend.leads_to.startswith(FIREWALL_CHAIN)
    )
    if ports:
        networks = dict.fromkeys(network for port in ports for network in port.source_ranges)
        rules = [rule for chain in chains for rule in nat.rules_of(chain or "")]
        yield found(source_ranges, rules, names=tuple(port.name for port in ports),
            networks=tuple(networks),
        )  # fmt: skip


def _beyond(node: Examined) -> Iterator[Finding]:
    """Yield where outside clients reach services, whatever the source ranges of their load balancer."""
    open_ones = {
        reached.frontend: port.name
        for port, ways in zip(node.ports, node.reached, strict=True)
        if port.source_ranges
        for reached in ways
        if reached.frontend.kind in _BEYOND and _admits_outside(reached)
    }
    if open_ones:
        yield found(node_port_beyond_source_ranges, [frontend.rule for frontend in open_ones],
            names=tuple(dict.fromkeys(open_ones.values())),
            texts=tuple(frontend.text for frontend in open_ones),
        )  # fmt: skip


def _admits_outside(reached: Reached) -> bool:
    return any("outside" in fare.clients and fare.word in WELL for fare in reached.fares)


def _passing(node: Examined, nat: Table) -> Iterator[Finding]:
    """Yield where connections that are only marked to be dropped go on instead, as the engine says."""
    marking: dict[str, list[Rule]] = {}
    for rule in nat.rules_with(f"-j {MARK_DROP}"):
        marking.setdefault(rule.chain, []).append(rule)
    passed: dict[Frontend, str] = {}
    rules: dict[Rule, None] = {}
    for port, ways in zip(node.ports, node.reached, strict=True) if marking else ():
        for answer, reached in zip(port.answers, ways, strict=True):
            frontend = reached.frontend
            chains = _entered(nat, frontend.leads_to) & marking.keys()
            # The rule that marks ends every such chain, also of services that admit all to their endpoints.
            refuses = port.source_ranges or answer.verdict is not None
            if frontend.kind in _FORWARDED and chains and refuses and _passes(reached):
                passed[frontend] = port.name
                rules |= dict.fromkeys(rule for chain in sorted(chains) for rule in marking[chain])
    if passed:
        dropping = Marks(nat).dropped_by(node.dump.tables.get("filter"))
        yield found(marked_drop_passes, [*rules, *dropping.rules],
            names=tuple(dict.fromkeys(passed.values())), hooks=dropping.hooks,
            texts=tuple(frontend.text for frontend in passed),
        )  # fmt: skip


def _entered(nat: Table, chain: str) -> set[str]:
    """Return the chains behind a frontend, up to those that share connections out."""
    entered, pending = {chain}, [chain]
    while pending:
        one = pending.pop()
        jumps = {rule.jump or "" for rule in nat.rules_of(one)} if one.startswith(ENTRY_CHAINS) else set()
        pending += jumps - entered
        entered |= jumps
    return entered


def _passes(reached: Reached) -> bool:
    """Whether some connections keep their destination, and nothing ends them."""
    causes = (failure.cause for fare in reached.fares for failure in fare.failures)
    return any(cause.why == "not DNATed" and cause.outcome == ACCEPT for cause in causes)


# --- the words -------------------------------------------------------------------------------------------------


def _marked(*, chains: tuple[str, ...], hooks: tuple[str, ...], lines: tuple[int, ...]) -> str:
    if not lines:
        return "marked to be dropped, but no rule of this dump drops packets with the mark"
    at = f"line{'s' * (len(lines) > 1)} {', '.join(map(str, lines))}"
    only = "" if "FORWARD" in hooks else " only"
    return f"marked to be dropped: {', '.join(chains)} drops in {_joined(hooks)}{only} ({at})"


def _joined(hooks: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(hooks[:-1]), *hooks[-1:]))) or "no hook"


def marked_drop(marked: MarkedDrop) -> Remark:
    """Return what is said of connections that a rule only marks to be dropped."""
    return remark(
        "marked-to-drop",
        chains=tuple(dict.fromkeys(rule.chain for rule in marked.rules)),
        hooks=marked.hooks,
        lines=tuple(rule.line for rule in marked.rules),
    )


REMARKS: dict[str, str | Callable[..., str]] = {"marked-to-drop": _marked}


@diagnosis("info", reference="k/k#85572")
def source_ranges(*, names: tuple[str, ...], networks: tuple[str, ...]) -> str:
    """The load balancer of a service is open only to its loadBalancerSourceRanges.

    Why: Clients outside the ranges get no endpoint at the load-balancer IP: pods of this cluster, too, unless a
    range covers their addresses.

    Do: Nothing if intended. Otherwise compare the service's loadBalancerSourceRanges with the addresses from
    which its clients reach this node: a load balancer may hide them behind its own.
    """
    ranges = f"loadBalancerSourceRanges: {listed(networks, _MOST_FRONTENDS)}"
    return f"{these(names)}: {are(names, 'its', 'their')} load-balancer IPs are limited by {ranges}"


@diagnosis("low", reference="k/k#111863")
def node_port_beyond_source_ranges(*, names: tuple[str, ...], texts: tuple[str, ...]) -> str:
    """A service with loadBalancerSourceRanges is open to every source at its node port or external IP.

    Why: The ranges guard only the load-balancer IP. Any client that reaches a node's address reaches the service.

    Do: Set allocateLoadBalancerNodePorts to false if the load balancer needs no node port, or guard the
    node ports with a firewall in front of the nodes or a NetworkPolicy.
    """
    admit = f"{are(texts, 'is', 'are')} open to every source"
    guard = f"the source ranges of {these(names)} guard {are(names, 'its', 'their')} load-balancer IPs only"
    return f"{listed(texts, _MOST_FRONTENDS)} {admit}: {guard}"


@diagnosis("medium", reference="k/k#109575")
def marked_drop_passes(*, names: tuple[str, ...], texts: tuple[str, ...], hooks: tuple[str, ...]) -> str:
    """Connections that kube-proxy means to be dropped pass where this node only forwards them.

    Up to 1.24 kube-proxy only marks them (KUBE-MARK-DROP), and kubelet's KUBE-FIREWALL, which drops marked
    packets, sees only packets to and from this node.

    Why: What source ranges or a Local policy should keep out goes on to the load balancer, not DNATed, and may
    come back from an allowed address.

    Do: Do not rely on source ranges for what passes through nodes: guard the load balancer itself. From 1.25
    on kube-proxy drops these connections when they are forwarded, too.
    """
    why = f"KUBE-MARK-DROP only marks them, and the mark is dropped in {_joined(hooks)}"
    what = f"refused connections to {listed(texts, _MOST_FRONTENDS)} of {these(names)}"
    return f"{what} pass where this node only forwards them: {why}{' only' if hooks else ''}"
