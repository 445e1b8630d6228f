"""Ports of the node: those that others than kube-proxy publish, and what is to be said of node ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import clauses
from iptviz.intake.remark import remark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.engine.condition import When
    from iptviz.intake.remark import Remark
    from iptviz.kube.service import ServiceTrace
    from iptviz.rules.form import Place


def port_items(traced: ServiceTrace) -> Iterator[Remark]:
    """Yield what is to be said of a health check port or a published port, of which one rule may take all."""
    frontend = traced.frontend
    rule = frontend.rule
    if frontend.kind == "health-check":
        yield remark("health-check", rule.line, frontend=frontend.text, name=frontend.service.text)
        return
    takers = [(end.rule, outcome.when) for outcome in traced.outcomes for end in outcome.others]
    if any(taker == rule for taker, _ in takers):
        yield remark("redirected", rule.line, frontend=frontend.text)
    others = [(taker, when) for taker, when in takers if taker != rule]
    reached = len(others) < len(takers) or any(outcome.endpoints for outcome in traced.outcomes)
    if not reached and not others:
        yield remark("not-asked", rule.line, frontend=frontend.text)
    elif not reached:
        yield never_asked(rule, frontend.text, [taker for taker, _ in others])
    else:
        for taker, when in others:
            yield remark("asked-before", taker.line, frontend=frontend.text, when=when)


def never_asked(rule: Place, frontend: str, takers: list[Place]) -> Remark:
    """Return that a rule is never asked, since others take all that comes to its port."""
    lines = tuple(dict.fromkeys(taker.line for taker in takers))
    return remark("never-asked", rule.line, frontend=frontend, lines=lines)


# --- the words -------------------------------------------------------------------------------------------------


def lines_taking(lines: tuple[int, ...]) -> str:
    """Return `line 44 takes` or `lines 44, 47 take`."""
    numbers = ", ".join(map(str, lines))
    return f"line {numbers} takes" if len(lines) == 1 else f"lines {numbers} take"


def _never_asked(*, frontend: str, lines: tuple[int, ...]) -> str:
    return f"never evaluated: {lines_taking(lines)} the connections to {frontend}"


def _asked_before(*, frontend: str, when: When) -> str:
    return f"takes the connections to {frontend} when {clauses(when)}"


REMARKS: dict[str, str | Callable[..., str]] = {
    "health-check": "accepts connections to {frontend}: kube-proxy itself answers health checks of load "
    "balancers for {name} there",
    "redirected": "connections to {frontend} go to a port of this node",
    "not-asked": "not evaluated for {frontend}: nat PREROUTING does not jump here for it",
    "never-asked": _never_asked,
    "asked-before": _asked_before,
    "beyond-source-ranges": "{frontend}: open to every source, loadBalancerSourceRanges do not apply",
    "udp-flows": "UDP: existing flows keep their endpoint until their conntrack entry expires",
    "taken-as-node": "assumed that {address} is an address of this node: only those have port {port}",
    "read-as-node-port": "reading {typed} as node port :{port}",
    "outside-limit": "node ports do not answer at {address}: they answer {limit.text}",
}
