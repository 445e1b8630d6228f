"""Ports of the node that pods and containers publish: whose connections their rules take."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from iptviz.checks.finding import Fitting, diagnosis, found
from iptviz.checks.wording import are, listed
from iptviz.kube.families import CNI, DOCKER, DOCKERSHIM, PODMAN, SERVICES, family_of
from iptviz.kube.places import Places
from iptviz.kube.published import (
    is_host_port,
    ports_of,
    published_port,
    published_ports,
    publishing_rules,
)
from iptviz.paths.foreign import takers
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.kube.published import PublishedPort
    from iptviz.paths.foreign import Taker

_MOST_NAMED = 3
_PUBLISHERS = {CNI, DOCKERSHIM, DOCKER, PODMAN}
"""Who publishes single ports, never all of a protocol."""


class HostPort(NamedTuple):
    """A rule's published port in words: where it sends connections, and for whom as far as a comment tells."""

    line: int
    destination: str
    of: str

    @property
    def text(self) -> str:
        """`10.244.1.31:443 (cbr0 770c07dfd094, line 44)`."""
        return f"{self.destination} ({self.of + ', ' if self.of else ''}line {self.line})"


def check(node: Examined) -> Iterator[Finding]:
    """Yield host ports that take others' connections, and published ports that have lost their number."""
    nat = node.dump.tables.get("nat")
    rules = [] if nat is None else [rule for rule in publishing_rules(nat) if _is_published(rule)]
    if nat is None or not rules:
        return
    yield from _preempting(node, nat)
    yield from _duplicates(node.dump, rules)
    if all(answer.frontend.port is not None for port in node.ports for answer in port.answers):
        yield from _without_ports(nat, rules)


def _is_published(rule: Rule) -> bool:
    family = family_of(rule.chain)
    return family is not None and family.role == "publish" and family.writer in _PUBLISHERS


def _preempting(node: Examined, nat: Table) -> Iterator[Finding]:
    """Yield the host ports that get what is meant for services."""
    for taker in takers(nat, node.ports, node.reached, node.evidence.host):
        if is_host_port(taker.rule) and taker.certain:
            port = published_port(taker.rule)
            calling = list(nat.rules_to(taker.rule.chain))
            wide = [jump for jump in _entries(nat, taker, calling) if _LOCAL not in jump.text]
            yield found(hostport_preempts, dict.fromkeys([taker.rule, *calling, *wide]), line=taker.rule.line,
                service=taker.service, port=port.text, to=_host_port(port), hook=" and ".join(taker.hooks),
                taken=tuple(one.text for one in taker.taken), wide=tuple(jump.line for jump in wide),
            )  # fmt: skip


_LOCAL = "--dst-type LOCAL"


def _entries(nat: Table, taker: Taker, calling: Iterable[Rule]) -> list[Rule]:
    """Return the rules of the hooks that ask a host port's rule, or the chain that jumps to its chain."""
    chains = {taker.rule.chain, *(jump.chain for jump in calling)} - {*taker.hooks}
    jumps = [jump for chain in chains for jump in nat.rules_to(chain) if jump.chain in taker.hooks]
    return sorted(jumps, key=lambda jump: jump.line)


def _host_port(port: PublishedPort) -> HostPort:
    return HostPort(port.rule.line, port.destination, port.of)


def _duplicates(dump: Dump, rules: Iterable[Rule]) -> Iterator[Finding]:
    """Yield the pods that share a host port with another that is asked first and gets all connections."""
    own = (ports_of(rule) for rule in rules if is_host_port(rule))
    claimed = Counter(port for ports in own for port in ports.split(","))
    if all(count == 1 for count in claimed.values()):
        return
    alike: dict[tuple[str, str], list[tuple[PublishedPort, PublishedPort]]] = {}
    for port in published_ports(dump):
        winners = port.taken_by if is_host_port(port.rule) else ()
        first = published_port(winners[0]) if winners and all(map(is_host_port, winners)) else None
        if first is not None and first.destination != port.destination:
            alike.setdefault((first.rule.chain, port.rule.chain), []).append((first, port))
    for pairs in alike.values():
        (first, second), numbers = pairs[0], tuple(port.text for _, port in pairs)
        yield found(hostport_duplicate, [port.rule for pair in pairs for port in pair], line=second.rule.line,
            ports=numbers, winner=_host_port(first), loser=_host_port(second),
        )  # fmt: skip


def _without_ports(nat: Table, rules: Iterable[Rule]) -> Iterator[Finding]:
    """Yield the chains that send all ports of a protocol to one; no jump to them names a port either."""
    places = Places(nat)
    by_chain: dict[str, list[PublishedPort]] = {}
    for port in (published_port(rule) for rule in rules if not ports_of(rule)):
        whole = port.protocol and not port.ports and port.destination.rpartition(":")[2].isdecimal()
        if whole and port.rule.target and port.rule.target.name == "DNAT" and places.reached(port.rule):
            by_chain.setdefault(port.rule.chain, []).append(port)
    for chain, ports in by_chain.items():
        if not all(published_port(jump).ports for jump in nat.rules_to(chain)):
            yield found(dnat_whole_protocol, [port.rule for port in ports], line=ports[0].rule.line, chain=chain,
                ways=tuple(f"all {port.protocol} to {port.destination}" for port in ports),
            )  # fmt: skip


# --- the words -------------------------------------------------------------------------------------------------


def _of_jump(*, wide: tuple[int, ...], **_: object) -> Fitting:
    return Fitting(frozenset({"all addresses"} if wide else ()))


@diagnosis("high", fitting=_of_jump, reference="containernetworking/cni#577, containernetworking/plugins#222")
def hostport_preempts(
    *, port: str, to: HostPort, hook: str, taken: tuple[str, ...], wide: tuple[int, ...]
) -> str:
    """A pod's host port takes connections that are meant for a service.

    The rules of host ports (CNI-HOSTPORT-DNAT) run before KUBE-SERVICES, and one of them has the port of a
    service's frontend.

    Why: Clients of the service reach the pod with the host port instead, on this node only.

    Do: Give the pod another hostPort, or the service another port.

    Do (all addresses): Where the jump to the host ports lacks -m addrtype --dst-type LOCAL, update the plug-in
    that wrote it: without it, all addresses are meant.
    """
    what = f"takes connections to {listed(taken, _MOST_NAMED)}"
    lines = ", ".join(map(str, wide))
    lacking = f"the jump of line {lines} lacks" if len(wide) == 1 else f"the jumps of lines {lines} lack"
    why = f"; {lacking} {_LOCAL}: all addresses are meant" if wide else ""
    return f"host port {port} runs before {SERVICES} (nat {hook}) and {what}: they go to {to.text}{why}"


@diagnosis("high", reference="containernetworking/plugins#683, rancher/rke#3440")
def hostport_duplicate(*, ports: tuple[str, ...], winner: HostPort, loser: HostPort) -> str:
    """Two pods publish the same host port, and the first rule gets all connections.

    Why: The scheduler never puts two pods with one hostPort on a node, so one of the rules is most likely stale:
    left by a pod that is gone. Where the stale one stands first, connections go to a port without a listener.

    Do: Check which of the two addresses a running pod has (crictl pods, kubectl get pods -o wide), and remove the
    rules of the other one from CNI-HOSTPORT-DNAT: nothing else will.
    """
    what = are(ports, "host port {} is", "host ports {} are").format(listed(ports, _MOST_NAMED))
    return f"{what} published twice: connections go to {winner.text}, never to {loser.text}"


@diagnosis("high", reference="kubernetes-sigs/kind#3054")
def dnat_whole_protocol(*, chain: str, ways: tuple[str, ...]) -> str:
    """A chain that publishes single ports sends all ports of a protocol to one.

    Its DNAT rule names a protocol and no port.

    Why: Whatever the port, connections end at a program that waits for others. iptables of one version does not
    print the ports of rules that another version wrote: a program that saved the rules and restored them has
    lost them.

    Do: Find out who saves and restores the rules of this node (iptables-save | iptables-restore) and use one
    version of iptables for both; restart the program that wrote the chain.
    """
    return f"{chain} names no port: {listed(ways, _MOST_NAMED)}"
