"""Node ports at which kube-proxy answers the health checks of load balancers (1.21 and later write a rule)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.comments import HEALTH_CHECK, read_comment
from iptviz.kube.frontends import Frontend, port_of, value_of
from iptviz.kube.names import NAMELESS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump


def health_checks(dump: Dump, port: int | None = None) -> Iterator[Frontend]:
    """Yield the health check ports of a dump, all or the one that is asked for."""
    table = dump.tables.get("filter")
    for rule in table.rules_with(HEALTH_CHECK.after) if table else ():
        comment, number = read_comment(rule.comment), port_of(rule)
        if comment is None or comment.form is not HEALTH_CHECK or comment.service is NAMELESS:
            continue
        if number is not None and port in {None, number}:
            yield Frontend("health-check", None, number, value_of(rule, "-p") or "tcp", rule)
