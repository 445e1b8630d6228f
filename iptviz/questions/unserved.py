"""What becomes of connections to an address that no service has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.intake.remark import remark
from iptviz.kube.frontends import Frontend
from iptviz.kube.mode import mode_of
from iptviz.paths.survey import Survey
from iptviz.questions.ways import evidence_of
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump
    from iptviz.intake.remark import Remark
    from iptviz.kube.target import AddressTarget
    from iptviz.node.snapshot import Snapshot
    from iptviz.paths.model import FrontendPaths
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
    if rule is None or not dump.complete or dump.family != f"ipv{target.version}":
        return
    mode = mode_of(dump).name
    if mode not in {_BY_RULES, _UNKNOWN}:
        return
    protocol = target.protocol or "tcp"
    asked = Frontend("published", target.address, target.port, protocol, rule)
    evidence = evidence_of(node, dump.family, beside)
    ways = Survey(dump, evidence, beside.client).paths(asked, (), ())
    if not ways.left_open:
        yield from _told(ways, target, protocol.upper(), sure=mode == _BY_RULES and not evidence.beyond)
        yield remark("whole-way", options=_options(target, protocol))


def _told(ways: FrontendPaths, target: AddressTarget, protocol: str, *, sure: bool) -> Iterator[Remark]:
    at = join_endpoint(target.address, target.port)
    rows = [row for entry in ways.entries for row in entry.endpoints if row.share]
    if rows and target.port is None:
        yield remark("depends-on-port", at=f"[{at}]" if ":" in at else at)
        return
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
