"""When TARGET is not in the dump, or no service at all: what it may have been, and what the dump lacks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.checks.chain_told import about_chain
from iptviz.checks.wording import listed
from iptviz.errors import meant
from iptviz.intake.remark import Remark, remark
from iptviz.kube.dispatching import all_frontends
from iptviz.kube.find import find
from iptviz.kube.mode import mode_of
from iptviz.kube.names import suffix_of
from iptviz.kube.spellings import KINDS
from iptviz.kube.target import AddressTarget, ChainTarget, NameTarget, NodePortTarget, ParsedTarget
from iptviz.rules.iptables import dump_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from iptviz.checks.finding import Item
    from iptviz.dump.model import Dump
    from iptviz.kube.frontends import Frontend

_MOST_SUGGESTIONS = 5
_MOST_MATCHING = 10
_NAME_IN = re.compile(r"[a-z0-9-]++")
_VERSIONS = {"ipv4": 4, "ipv6": 6}
_ELSEWHERE = {"ipvs", "elsewhere", "userspace"}
"""Modes in which node ports are not in the rules."""


def absence(dump: Dump, target: ParsedTarget, typed: str, ground: Iterable[Item] = ()) -> Iterator[Item]:
    """Yield why `target` was not found and what to try next, the most telling first.

    `ground` is what every service would need and the dump lacks.
    """
    yield remark("target-absent", typed=typed, there="dump")
    yield from ground
    if isinstance(target, AddressTarget):
        yield from _about_address(dump, target)
    elif isinstance(target, NodePortTarget):
        yield from _about_node_port(dump, target)
    elif isinstance(target, NameTarget):
        yield from _about_name(dump, target)
    elif isinstance(target, ChainTarget):
        yield from _about_chain(dump, target)


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
    rules = sorted(map(dump_rule, reached.wanted), key=lambda rule: rule.line)
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
    if mode_of(dump).name in _ELSEWHERE:
        return
    if not node_ports:
        yield remark("no-node-ports")
    if not as_port:
        yield remark("a-port-without-rule", port=target.port)


def _about_name(dump: Dump, target: NameTarget) -> Iterator[Remark]:
    if target.namespace is None and target.port_name is None and _is_chain(dump, target.name):
        yield from about_chain(dump, target.name)
        return
    frontends = all_frontends(dump)
    same = [frontend for frontend in frontends if _is_same(frontend, target)]
    if same:
        yield _other_ports(target, same)
        return
    elsewhere = {frontend.service.text for frontend in frontends if frontend.service.name == target.name}
    if elsewhere:
        yield remark("in-other-namespaces", services=tuple(sorted(elsewhere)[:_MOST_SUGGESTIONS]))
        return
    yield from list(_at_a_node(frontends, target)) or _called_alike(frontends, target)


def _is_chain(dump: Dump, name: str) -> bool:
    return any(name in table.chains for table in dump.tables.values())


def _is_same(frontend: Frontend, target: NameTarget) -> bool:
    """Whether a frontend is of the service that is named, on whatever port."""
    asked = {None, frontend.service.namespace}
    is_asked = target.namespace in asked or target.namespace in KINDS
    return is_asked and frontend.service.name == target.name and target.port_name is not None


def _other_ports(target: NameTarget, same: Sequence[Frontend]) -> Remark:
    if target.port is not None or target.protocol is not None:
        return remark("other-ports", address=target.text.partition(":")[0], frontends=tuple(same))
    return remark("other-service-ports", services=tuple(sorted({one.service.text for one in same})))


def _at_a_node(frontends: Iterable[Frontend], target: NameTarget) -> Iterator[Remark]:
    """Say whose node port is asked for, if the name is that of a node."""
    own = (one for one in frontends if one.kind == "node-port" and one.port == target.port)
    if target.namespace is None and target.port is not None and (found := tuple(own)):
        yield remark("a-node-port", node=target.name, port=target.port, frontends=found)


def _called_alike(frontends: Sequence[Frontend], target: NameTarget) -> Iterator[Remark]:
    """Say what is called alike: names of which that which is typed is a part, else such as look like it."""
    asked = target._replace(namespace=None) if target.namespace in KINDS else target
    typed = asked.text.partition(":")[0]
    named = {(one.service.namespace, one.service.name) for one in frontends if one.service.name}
    parts = sorted({f"{namespace}/{name}" for namespace, name in named if typed in f"{namespace}/{name}"})
    if len(parts) > 1:
        yield remark("matching", typed=typed, names=tuple(parts))
        return
    names = sorted({f"{namespace}/{name}" if asked.namespace else name for namespace, name in named})
    near = parts or _close(typed, names, 0.7)
    if near:
        yield remark("did-you-mean", names=tuple(near))
    elif named:
        yield remark("list-all", count=len(named))
    elif frontends:
        yield remark("no-names")


def _about_chain(dump: Dump, target: ChainTarget) -> Iterator[Remark]:
    if _is_chain(dump, target.chain):
        yield from about_chain(dump, target.chain)
        return
    names = dict.fromkeys(name for table in dump.tables.values() for name in table.chain_names())
    near = _close(target.chain, names, 0.85)
    if near:
        yield remark("did-you-mean", names=tuple(near))
    elif not suffix_of(target.chain) and (name := _NAME_IN.fullmatch(target.chain.lower())):
        yield from _about_name(dump, NameTarget(None, name[0], None))


def _close(typed: str, names: Iterable[str], cutoff: float) -> list[str]:
    from difflib import get_close_matches

    return get_close_matches(typed, list(names), _MOST_SUGGESTIONS, cutoff)


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


def _other_family(*, version: int, family: int) -> str:
    save = {4: "iptables-save", 6: "ip6tables-save"}[version]
    return f"this is an IPv{version} address and the dump is IPv{family}: use the output of {save}"


def _endpoint(*, address: str, destinations: tuple[str, ...], lost_at: int | None) -> str:
    lost = "" if lost_at is None else f" (line {lost_at}), but no rule of this dump leads to it"
    return f"{address} is an endpoint: {', '.join(destinations)}{lost}"


def _listed(frontends: Sequence[Frontend]) -> str:
    """Return the first few frontends with their services."""
    texts = [
        f"{frontend.text} ({frontend.service.text})" if frontend.service.text else frontend.text
        for frontend in frontends
    ]
    return listed(texts, _MOST_SUGGESTIONS)


def _namespace(*, typed: str, names: tuple[str, ...], count: int, there: str) -> str:
    unnamed = f"; {count:,} of its service port{'' if count == 1 else 's'} unnamed" if count else ""
    near = f"; {meant(names)}" if names else ""
    return f'no service in namespace "{typed}" in this {there}{unnamed}{near}'


REMARKS: dict[str, str | Callable[..., str]] = {
    "target-absent": 'no service matches "{typed}" in this {there}',
    "target-not-shown": 'not known whether a service matches "{typed}": not all that leads to services is shown',
    "names-cut": lambda *, count: (
        f"the names of services at {count:,} frontend{'s' * (count != 1)} are cut, with `...`: use an address"
    ),
    "of-other-family": _other_family,
    "other-ports": lambda *, address, frontends: f"{address} has other ports: {_listed(frontends)}",
    "an-endpoint": _endpoint,
    "a-service-port": lambda *, port, frontends: (
        f"{port} is not a node port but a service port: {_listed(frontends)}"
    ),
    "a-node-port": lambda *, node, port, frontends: (
        f"{port} is a node port: {_listed(frontends)}; if {node} is a node, trace :{port}"
    ),
    "near": lambda *, frontends: f"similar: {_listed(frontends)}",
    "stands-elsewhere": "it occurs in {table} {chain}, line {at}, but leads to no service",
    "no-node-ports": "no node ports in this dump",
    "a-port-without-rule": (
        "kube-proxy before 1.21 wrote no rules for health check ports. To follow connections to {port} through "
        "all tables: iptviz packet --protocol tcp --dport {port}"
    ),
    "other-service-ports": lambda *, services: f"the service has these ports: {', '.join(services)}",
    "in-other-namespaces": lambda *, services: f"in other namespaces: {', '.join(services)}",
    "did-you-mean": lambda *, names: f"did you mean {' or '.join(names)}?",
    "matching": lambda *, typed, names: (
        f'"{typed}" is part of {listed(names, _MOST_MATCHING)}; list all: iptviz services DUMP'
    ),
    "list-all": lambda *, count: (
        f"{count:,} service{'' if count == 1 else 's'} in this dump; list them: iptviz services DUMP"
    ),
    "no-names": "no comment in this dump names a service; use an address",
    "namespace-absent": _namespace,
    "endpoint-absent": "no service in this {there} leads to endpoint {typed}",
}
