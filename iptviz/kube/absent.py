"""When TARGET is not in the dump: what it may have been, and what the dump lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.families import CLUSTER_CHAIN, MARK_MASQUERADE, NODE_PORTS, SERVICES
from iptviz.kube.find import find
from iptviz.kube.frontends import Frontend, all_frontends
from iptviz.kube.mode import mode_of
from iptviz.kube.target import AddressTarget, ChainTarget, NameTarget, NodePortTarget, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump

_MOST_SUGGESTIONS = 5


def explain_absence(dump: Dump, target: Target, typed: str) -> list[str]:
    """Return lines that say why `target` was not found and what to try next, the most telling first."""
    lines = [f"{typed} names no service of this dump."]
    lines += _missing_ground(dump)
    if isinstance(target, AddressTarget):
        lines += _about_address(dump, target)
    elif isinstance(target, NodePortTarget):
        lines += _about_node_port(dump, target)
    elif isinstance(target, NameTarget):
        lines += _about_name(dump, target)
    else:
        lines += _about_chain(dump, target)
    return lines


def explain_emptiness(dump: Dump) -> list[str]:
    """Return lines that say why a dump has no services at all."""
    return list(_missing_ground(dump)) or ["No rule of this dump leads to a service."]


def _missing_ground(dump: Dump) -> Iterator[str]:
    """Say what every service would need and this dump lacks."""
    nat = dump.tables.get("nat")
    if nat is None:
        tables = ", ".join(dump.tables)
        yield f"The dump has no nat table, only {tables}: services are in nat (iptables-save -t nat)."
        return
    mode = mode_of(dump)
    if mode.name == "ipvs":
        yield "kube-proxy runs in IPVS mode here: its endpoints are not in iptables; ask ipvsadm -Sn."
    elif mode.name == "userspace":
        yield (
            f"kube-proxy runs in userspace mode here (line {mode.line}), or did: connections go to its own "
            "ports, its endpoints are not in iptables."
        )
    elif mode.name != "iptables":
        yield f"The nat table has no {SERVICES} chain: kube-proxy in iptables mode never wrote here." + (
            " kubelet runs on this node, so services are kept elsewhere: by kube-proxy in nftables mode "
            "(ask nft list table ip kube-proxy) or by a CNI plug-in without kube-proxy."
            if mode.name == "elsewhere"
            else ""
        )
    elif (
        not any(name.startswith(CLUSTER_CHAIN) for name in nat.chain_names())
        and MARK_MASQUERADE in nat.chains
    ):
        yield f"{SERVICES} is there but no KUBE-SVC- chain: kube-proxy has not synced its services."


def _about_address(dump: Dump, target: AddressTarget) -> Iterator[str]:
    family = {"ipv4": 4, "ipv6": 6}[dump.family]
    if target.version != family:
        save = {4: "iptables-save", 6: "ip6tables-save"}[target.version]
        yield f"It is an IPv{target.version} address and the dump is IPv{family}: use the node's {save}."
        return
    frontends = all_frontends(dump)
    same = [frontend for frontend in frontends if frontend.address == target.address]
    if same:
        yield f"{target.address} has other ports: {_list(same)}."
        return
    said = [*_as_endpoint(dump, target), *_as_node_port(target, frontends)]
    if said:
        yield from said
        return
    near = [one for one in frontends if one.address and _one_edit_apart(one.address, target.address)]
    if near:
        yield f"Near it: {_list(near)}."
    yield from _elsewhere(dump, target.address)


def _as_endpoint(dump: Dump, target: AddressTarget) -> Iterator[str]:
    """Say whether the address is an endpoint's, on other ports or with no service that leads to it."""
    found = find(dump, target._replace(port=None, protocol=None))
    rules = sorted(found.wanted, key=lambda rule: rule.line)
    texts = {rule.target.value("--to-destination") or "" for rule in rules if rule.target}
    if texts:
        lost = "" if found.frontends else f", but nothing in this dump leads to it (line {rules[0].line})"
        yield f"{target.address} is an endpoint, {', '.join(sorted(texts))}{lost}."


def _as_node_port(target: AddressTarget, frontends: list[Frontend]) -> Iterator[str]:
    """Say whether the port is a node port."""
    node_ports = [one for one in frontends if one.kind == "node-port" and one.port == target.port]
    if node_ports:
        yield f"{target.port} is a node port: {_list(node_ports)}; ask for :{target.port}."


def _elsewhere(dump: Dump, address: str) -> Iterator[str]:
    """Say where else in the dump the address stands as a word."""
    words = {address, f"{address}/32", f"{address}/128"}
    for table in dump.tables.values():
        for rule in table.rules_with(f" {address}"):
            if not words.isdisjoint(rule.text.split()):
                where = f"table {table.name}, chain {rule.chain}, line {rule.line}"
                yield f"It does stand in {where}, but leads to no service."
                return


def _about_node_port(dump: Dump, target: NodePortTarget) -> Iterator[str]:
    frontends = all_frontends(dump)
    as_port = [one for one in frontends if one.kind != "node-port" and one.port == target.port]
    if as_port:
        yield f"{target.port} is no node port but a service's own port: {_list(as_port)}."
    near = [
        one
        for one in frontends
        if one.kind == "node-port" and _one_edit_apart(str(one.port), str(target.port))
    ]
    if near:
        yield f"Near it: {_list(near)}."
    if not any(one.kind == "node-port" for one in frontends):
        yield "The dump has no node ports at all."


def _about_name(dump: Dump, target: NameTarget) -> Iterator[str]:
    import difflib

    frontends = all_frontends(dump)
    services = [one.service for one in frontends]
    ports = sorted(
        {one.text for one in services if (one.namespace, one.name) == (target.namespace, target.name)}
    )
    if ports:
        yield f"The service has these ports: {', '.join(ports)}."
        return
    elsewhere = sorted({one.text for one in services if one.name == target.name})
    if elsewhere:
        yield f"There is {', '.join(elsewhere[:_MOST_SUGGESTIONS])}."
        return
    names = sorted(
        {f"{one.namespace}/{one.name}" if target.namespace else one.name for one in services} - {"", "/"}
    )
    near = difflib.get_close_matches(target.text.partition(":")[0], names, _MOST_SUGGESTIONS, 0.7)
    if near:
        yield f"Did you mean {' or '.join(near)}?"
    elif not names and frontends:
        yield "No comment in this dump names a service; ask by address."


def _about_chain(dump: Dump, target: ChainTarget) -> Iterator[str]:
    for table in dump.tables.values():
        if target.chain in table.chains:
            line = table.chains[target.chain].line
            why = "no service's traffic leads to it" if table.name == "nat" else "trace follows the nat table"
            if table.name == "nat" and target.chain in {SERVICES, NODE_PORTS}:
                why = "it is the way to all services: name one of them"
            yield f"Chain {target.chain} is in table {table.name} (line {line}), but {why}."
            return
    import difflib

    nat = dump.tables.get("nat")
    near = difflib.get_close_matches(target.chain, nat.chain_names() if nat else [], _MOST_SUGGESTIONS, 0.85)
    if near:
        yield f"Did you mean {' or '.join(near)}?"


def _list(frontends: list[Frontend]) -> str:
    """Return the first few frontends with their services."""
    shown = [f"{one.text} ({one.service.text})" if one.service.text else one.text for one in frontends]
    more = len(shown) - _MOST_SUGGESTIONS
    return ", ".join(shown[:_MOST_SUGGESTIONS]) + (f" and {more} more" if more > 0 else "")


def _one_edit_apart(one: str, other: str) -> bool:
    """Whether one character put in, left out, replaced, or two neighbours swapped make `one` into `other`."""
    if one == other:
        return False
    start = next((i for i, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
    if start is None:
        return abs(len(one) - len(other)) == 1
    a, b = one[start:], other[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[:2][::-1] and a[2:] == b[2:])
