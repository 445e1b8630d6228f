"""`trace` and `packet` say the same of every service: the same endpoints, shares, refusals and masquerading."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.engine.chance import total
from iptviz.engine.knowing import answers_of
from iptviz.kube.dispatching import all_frontends
from tests.conftest import ROOT, SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction
    from pathlib import Path

    from iptviz.engine.outcome import Outcome
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.outcome import FrontendOutcome

FILES = sorted([*ROOT.glob("fixtures/*/dump.*"), *(SHARED.rglob("*") if SHARED.exists() else ())])
MOST_FRONTENDS = 40


def dumps_of(path: Path) -> Iterator[iptviz.Dump]:
    try:
        found, _ = iptviz.load_all(str(path))
    except iptviz.DumpError:
        return
    yield from found


def asked(dump: iptviz.Dump, frontend: Frontend) -> dict[str, object]:
    """The packet of an ordinary client: nobody's address of this dump, no mark, by some other interface."""
    client, node = (
        ("203.0.113.77", "203.0.113.1") if dump.family == "ipv4" else ("2001:db8:77::77", "2001:db8:77::1")
    )
    return {
        "src": client, "dst": frontend.address or node, "protocol": frontend.protocol, "sport": 40000,
        "dport": frontend.port, "mark": 0, "local_ips": (node,), "in_iface": "wan0", "out_iface": "wan1",
    }  # fmt: skip


def by_endpoint(outcomes: list[Outcome]) -> dict[str, Fraction]:
    """What each endpoint gets."""
    shares: dict[str, list[Fraction]] = {}
    for one in outcomes:
        if one.packet.dnat is not None:
            shares.setdefault(one.packet.dnat, []).append(one.share)
    return {endpoint: total(some) for endpoint, some in shares.items()}


def traced(outcome: FrontendOutcome) -> dict[str, Fraction]:
    shares: dict[str, list[Fraction]] = {}
    for one in outcome.endpoints:
        if one.share:
            address = f"[{one.address}]" if ":" in one.address else one.address
            shares.setdefault(f"{address}:{one.port}", []).append(one.share)
    return {endpoint: total(some) for endpoint, some in shares.items()}


@pytest.mark.parametrize("path", FILES, ids=[path.name + "-" + path.parent.name for path in FILES])
def test_trace_and_packet_share_alike(path: Path) -> None:
    for dump in dumps_of(path) if path.is_file() else ():
        frontends = [one for one in all_frontends(dump) if one.rule.table.name == "nat" and one.port]
        for frontend in frontends[:MOST_FRONTENDS]:
            compare(dump, frontend)


def compare(dump: iptviz.Dump, frontend: Frontend) -> None:
    from iptviz.kube.service import trace_frontend

    one = trace_frontend(dump, frontend)
    if one.preempted or one.broken.loops or one.broken.missing:
        return  # trace follows the frontend's own rules and notes what is asked before them
    result = iptviz.packet(dump, **asked(dump, frontend))  # type: ignore[arg-type]
    for when in dict.fromkeys(outcome.when for outcome in result.outcomes):
        if any(need.condition.kind == "recent" and need.holds for need in when):
            continue  # trace's shares are those of a new client
        mine = [outcome for outcome in result.outcomes if outcome.when == when]
        assert sum(outcome.share for outcome in mine) == 1
        answer = answers_of(when, dump.family)
        fitting = [
            traced(outcome)
            for outcome in one.outcomes
            if all(answer(need.condition) in {None, need.holds} for need in outcome.when)
        ]
        assert by_endpoint(mine) in fitting, (frontend.text, when)
