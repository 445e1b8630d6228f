"""What becomes of connections to an address that no service has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.intake.remark import remark
from iptviz.kube.families import NODE_PORTS
from iptviz.kube.frontends import Frontend, port_of, value_of
from iptviz.kube.mode import mode_of
from iptviz.paths.surroundings import DumpSurroundings
from iptviz.paths.survey import Survey
from iptviz.questions.ways import evidence_of
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table
    from iptviz.intake.remark import Remark
    from iptviz.kube.target import AddressTarget
    from iptviz.node.snapshot import Snapshot
    from iptviz.paths.model import EndpointRow, FrontendPaths
    from iptviz.questions.ways import Beside

_MOST = 6
_BY_RULES = "iptables"
_UNKNOWN = "none"
"""The mode of a node on which nothing tells of kube-proxy: what is no rule, eBPF, may be in its place."""


def unserved(node: Snapshot, dump: Dump, target: AddressTarget, beside: Beside) -> Iterator[Remark]:
    """Yield whether rules rewrite connections to an address that no service has, and what becomes of them.

    Nothing is said where the dump does not show all rules of nat.
    """
    nat = dump.tables.get("nat")
    rule = next(nat.rules(), None) if nat and nat.shown.is_whole else None
    if nat is None or rule is None or not dump.complete or dump.family != f"ipv{target.version}":
        return
    mode = mode_of(dump).name
    if mode not in {_BY_RULES, _UNKNOWN}:
        return
    protocol = target.protocol or "tcp"
    asked = Frontend("published", target.address, target.port, protocol, rule)
    evidence = evidence_of(node, dump.family, beside)
    survey = Survey(DumpSurroundings(dump), evidence, beside.client)
    # One node port that answers there says as much as all of them, which would be a case each.
    one = asked._replace(port=_node_port(nat, protocol)) if target.port is None else asked
    ways = survey.paths(one, (), ())
    if one is not asked and not any(_rewritten(ways)):
        ways = survey.paths(asked, (), ())
    if target.port is None and any(_rewritten(ways)):
        yield remark("depends-on-port", at=f"[{target.address}]" if ":" in target.address else target.address)
    elif not ways.left_open:
        yield from _told(ways, target, protocol.upper(), sure=mode == _BY_RULES and not evidence.beyond)
        yield remark("whole-way", options=_options(target, protocol))


def _node_port(nat: Table, protocol: str) -> int | None:
    """Return the first node port of a protocol of which a rule of kube-proxy asks."""
    rules = nat.rules_of(NODE_PORTS)
    return next(
        (port for rule in rules if value_of(rule, "-p") == protocol and (port := port_of(rule))), None
    )


def _rewritten(ways: FrontendPaths) -> Iterator[EndpointRow]:
    """Yield what connections come to that rules send elsewhere."""
    return (row for entry in ways.entries for row in entry.endpoints if row.share)


def _told(ways: FrontendPaths, target: AddressTarget, protocol: str, *, sure: bool) -> Iterator[Remark]:
    at = join_endpoint(target.address, target.port)
    rows = list(_rewritten(ways))
    if rows:
        to = dict.fromkeys(join_endpoint(row.address, row.port) for row in rows)
        yield remark("dnated", protocol=protocol, at=at, ends=tuple(to))
        return
    if not sure:
        yield remark("no-rule-dnats", protocol=protocol, at=at)
        return
    yield remark("not-dnated", protocol=protocol, at=at)
    fates = list(dict.fromkeys(_fates(ways)))
    yield from fates[:_MOST]
    if len(fates) > _MOST:
        yield remark("fates-more", count=len(fates) - _MOST)


def _fates(ways: FrontendPaths) -> Iterator[Remark]:
    for entry in ways.entries:
        for row in entry.leftover:
            if row.share:
                when = tuple(dict.fromkeys((*entry.when, *row.when)))
                yield remark("fate", clients=entry.clients, outcome=row.outcome, decider=row.by, when=when)


def _options(target: AddressTarget, protocol: str) -> str:
    """Return how `iptviz packet` is asked for the same."""
    port = f" --dport {target.port}" if target.port else ""
    return f"--dst {target.address} --protocol {protocol}{port}"
