"""When TARGET is not in the dump, or no service at all: what it may have been, and what the dump lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.checks.wording import listed
from iptviz.intake.remark import Remark, remark
from iptviz.kube.dispatching import all_frontends
from iptviz.kube.families import CLUSTER_CHAIN, MARK_MASQUERADE, NODE_PORTS, SERVICES
from iptviz.kube.find import find
from iptviz.kube.mode import mode_of
from iptviz.kube.target import AddressTarget, ChainTarget, NameTarget, NodePortTarget, ParsedTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from iptviz.checks.finding import Item
    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table
    from iptviz.kube.frontends import Frontend

_MOST_SUGGESTIONS = 5
_VERSIONS = {"ipv4": 4, "ipv6": 6}


def absence(dump: Dump, target: ParsedTarget, typed: str) -> Iterator[Item]:
    """Yield why `target` was not found and what to try next, the most telling first."""
    yield remark("target-absent", typed=typed)
    yield from _missing_ground(dump)
    if isinstance(target, AddressTarget):
        yield from _about_address(dump, target)
    elif isinstance(target, NodePortTarget):
        yield from _about_node_port(dump, target)
    elif isinstance(target, NameTarget):
        yield from _about_name(dump, target)
    else:
        yield from _about_chain(dump, target)


def emptiness(dump: Dump) -> list[Item]:
    """Return why a dump has no services at all."""
    return list(_missing_ground(dump)) or [remark("nothing-leads-to-services")]


def _missing_ground(dump: Dump) -> Iterator[Item]:
    """Say what every service would need and this dump lacks."""
    nat = dump.tables.get("nat")
    if nat is None:
        yield remark("nat-absent", tables=tuple(dump.tables))
        return
    mode = mode_of(dump)
    if mode.name == "flushed":
        yield found(nat_flushed, complete=dump.complete, chain=mode.chain, table=mode.table, at=mode.line)
    elif mode.name != "iptables":
        yield remark(_SERVICES_IN[mode.name], at=mode.line)
    elif MARK_MASQUERADE in nat.chains and not any(
        name.startswith(CLUSTER_CHAIN) for name in nat.chain_names()
    ):
        yield _no_service(dump, nat)


def _no_service(dump: Dump, nat: Table) -> Item:
    """Say that kube-proxy wrote no service: the jump to node ports, which it writes with them, tells that it did.

    It writes that for a family of addresses that no service has, too.
    """
    if any(rule.jump == NODE_PORTS for rule in nat.rules_of(SERVICES)):
        return remark("no-service-written")
    return found(skeleton_only, complete=dump.complete)


_SERVICES_IN = {
    "ipvs": "services-in-ipvs",
    "userspace": "services-in-userspace",
    "elsewhere": "services-elsewhere",
    "none": "services-nowhere",
    "cut": "services-cut",
}
"""What is said of a mode in which services are not in iptables."""


def _about_address(dump: Dump, target: AddressTarget) -> Iterator[Remark]:
    if target.version != _VERSIONS[dump.family]:
        yield remark("of-other-family", version=target.version, family=_VERSIONS[dump.family])
        return
    frontends = all_frontends(dump)
    same = tuple(frontend for frontend in frontends if frontend.address == target.address)
    if same:
        yield remark("other-ports", address=target.address, frontends=same)
        return
    said = list(_as_endpoint(dump, target))
    if said:
        yield from said
        return
    yield from _near(
        frontend
        for frontend in frontends
        if frontend.address and _one_edit_apart(frontend.address, target.address)
    )
    yield from _elsewhere(dump, target.address)


def _near(frontends: Iterable[Frontend]) -> Iterator[Remark]:
    near = tuple(frontends)
    if near:
        yield remark("near", frontends=near)


def _as_endpoint(dump: Dump, target: AddressTarget) -> Iterator[Remark]:
    """Say whether the address is an endpoint's, on other ports or with no service that leads to it."""
    reached = find(dump, target._replace(port=None, protocol=None))
    rules = sorted(reached.wanted, key=lambda rule: rule.line)
    texts = {rule.target.value("--to-destination") or "" for rule in rules if rule.target}
    if texts:
        lost_at = None if reached.frontends else rules[0].line
        destinations = tuple(sorted(texts))
        yield remark("an-endpoint", address=target.address, destinations=destinations, lost_at=lost_at)


def _elsewhere(dump: Dump, address: str) -> Iterator[Remark]:
    """Say where else in the dump the address stands as a word."""
    words = {address, f"{address}/32", f"{address}/128"}
    for table in dump.tables.values():
        for rule in table.rules_with(f" {address}"):
            if not words.isdisjoint(rule.text.split()):
                yield remark("stands-elsewhere", table=table.name, chain=rule.chain, at=rule.line)
                return


def _about_node_port(dump: Dump, target: NodePortTarget) -> Iterator[Remark]:
    frontends = all_frontends(dump)
    node_ports = [frontend for frontend in frontends if frontend.kind == "node-port"]
    as_port = tuple(
        frontend for frontend in frontends if frontend.kind != "node-port" and frontend.port == target.port
    )
    if as_port:
        yield remark("a-service-port", port=target.port, frontends=as_port)
    yield from _near(
        frontend for frontend in node_ports if _one_edit_apart(str(frontend.port), str(target.port))
    )
    if not node_ports:
        yield remark("no-node-ports")
    if not as_port:
        yield remark("a-port-without-rule", port=target.port)


def _about_name(dump: Dump, target: NameTarget) -> Iterator[Remark]:
    import difflib

    frontends = all_frontends(dump)
    services = [frontend.service for frontend in frontends]
    ports = {
        service.text
        for service in services
        if (service.namespace, service.name) == (target.namespace, target.name)
    }
    if ports:
        yield remark("other-service-ports", services=tuple(sorted(ports)))
        return
    elsewhere = {service.text for service in services if service.name == target.name}
    if elsewhere:
        yield remark("in-other-namespaces", services=tuple(sorted(elsewhere)[:_MOST_SUGGESTIONS]))
        return
    names = sorted(
        {f"{service.namespace}/{service.name}" if target.namespace else service.name for service in services}
        - {"", "/"}
    )
    near = difflib.get_close_matches(target.text.partition(":")[0], names, _MOST_SUGGESTIONS, 0.7)
    if near:
        yield remark("did-you-mean", names=tuple(near))
    elif not names and frontends:
        yield remark("no-names")


def _about_chain(dump: Dump, target: ChainTarget) -> Iterator[Remark]:
    for table in dump.tables.values():
        if target.chain in table.chains:
            at = table.chains[target.chain].line
            yield remark(
                _fate_of_chain(table.name, target.chain), table=table.name, chain=target.chain, at=at
            )
            return
    import difflib

    nat = dump.tables.get("nat")
    near = difflib.get_close_matches(target.chain, nat.chain_names() if nat else [], _MOST_SUGGESTIONS, 0.85)
    if near:
        yield remark("did-you-mean", names=tuple(near))


def _fate_of_chain(table: str, chain: str) -> str:
    if table != "nat":
        return "chain-of-other-table"
    return "chain-of-all-services" if chain in {SERVICES, NODE_PORTS} else "chain-without-traffic"


def _one_edit_apart(one: str, other: str) -> bool:
    """Whether one character put in, left out, replaced, or two neighbours swapped make `one` into `other`."""
    if one == other:
        return False
    start = next((i for i, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
    if start is None:
        return abs(len(one) - len(other)) == 1
    a, b = one[start:], other[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[:2][::-1] and a[2:] == b[2:])


# --- the words -------------------------------------------------------------------------------------------------


def _only_tables(*, tables: tuple[str, ...]) -> str:
    only = ", ".join(tables)
    return f"The dump has no nat table, only {only}: services are in nat (iptables-save -t nat)."


def _other_family(*, version: int, family: int) -> str:
    save = {4: "iptables-save", 6: "ip6tables-save"}[version]
    return f"It is an IPv{version} address and the dump is IPv{family}: use the node's {save}."


def _endpoint(*, address: str, destinations: tuple[str, ...], lost_at: int | None) -> str:
    lost = "" if lost_at is None else f", but nothing in this dump leads to it (line {lost_at})"
    return f"{address} is an endpoint, {', '.join(destinations)}{lost}."


def _listed(frontends: Sequence[Frontend]) -> str:
    """Return the first few frontends with their services."""
    texts = [
        f"{frontend.text} ({frontend.service.text})" if frontend.service.text else frontend.text
        for frontend in frontends
    ]
    return listed(texts, _MOST_SUGGESTIONS)


_CHAIN = "Chain {chain} is in table {table} (line {at}), but "
REMARKS: dict[str, str | Callable[..., str]] = {
    "target-absent": "{typed} names no service of this dump.",
    "no-service-written": (
        "kube-proxy has written its chains, and no service among them: none has an address of this family, or it "
        "knows of none."
    ),
    "nothing-leads-to-services": "No rule of this dump leads to a service.",
    "nat-absent": _only_tables,
    "of-other-family": _other_family,
    "other-ports": lambda *, address, frontends: f"{address} has other ports: {_listed(frontends)}.",
    "an-endpoint": _endpoint,
    "a-service-port": lambda *, port, frontends: (
        f"{port} is no node port but a service's own port: {_listed(frontends)}."
    ),
    "near": lambda *, frontends: f"Near it: {_listed(frontends)}.",
    "stands-elsewhere": "It does stand in table {table}, chain {chain}, line {at}, but leads to no service.",
    "no-node-ports": "The dump has no node ports at all.",
    "a-port-without-rule": (
        "kube-proxy wrote no rules for health check ports before 1.21. What all tables do to connections to "
        "{port}: iptviz packet --protocol tcp --dport {port}"
    ),
    "other-service-ports": lambda *, services: f"The service has these ports: {', '.join(services)}.",
    "in-other-namespaces": lambda *, services: f"There is {', '.join(services)}.",
    "did-you-mean": lambda *, names: f"Did you mean {' or '.join(names)}?",
    "no-names": "No comment in this dump names a service; ask by address.",
    "chain-of-other-table": _CHAIN + "trace follows the nat table.",
    "chain-of-all-services": _CHAIN + "it is the way to all services: name one of them.",
    "chain-without-traffic": _CHAIN + "no service's traffic leads to it.",
}


@diagnosis("critical", reference="kubernetes/kubeadm#784, k/k#35641", absence=True)
def skeleton_only() -> str:
    """kube-proxy's chain KUBE-SERVICES is declared, but no chain of any service (KUBE-SVC-...) is there.

    Why: kube-proxy made its chains and then wrote no service: it reached no API server, or every restore
    fails. No service works on this node.

    Do: Read kube-proxy's log on this node for errors of iptables-restore or of the API server.
    """
    return "KUBE-SERVICES is there but no KUBE-SVC- chain: kube-proxy has not synced its services."


@diagnosis("critical", reference="k/k#93091, #104388, #129128", absence=True)
def nat_flushed(*, chain: str, table: str, at: int) -> str:
    """kube-proxy's chains are gone from nat, where services are, and others of its are still there.

    Why: No service works on this node through these rules. firewalld, shorewall and ferm take kube-proxy's
    rules away when they start or reload; kube-proxy looks for its chain in mangle only, and does not notice
    that nat alone is empty.

    Do: Restart kube-proxy, which writes its rules anew. Keep the program that flushed nat from doing it
    again. Where kube-proxy runs in nftables or IPVS mode now, a reboot removes what it left.
    """
    return (
        f"The nat table has no {SERVICES} chain, but {chain} ({table}, line {at}) shows that kube-proxy ran "
        "here: nat was flushed, or kube-proxy has changed its mode since."
    )
