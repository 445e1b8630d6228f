"""A node with several dumps: rules of both backends, which packets pass all, and of both families."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import Evidence, diagnosis, found
from iptviz.intake.remark import remark
from iptviz.kube.families import SERVICES
from iptviz.kube.synced import has_services
from iptviz.node.snapshot import LEGACY_TABLES, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding, Item
    from iptviz.dump.model import Dump


def check(node: Examined) -> Iterator[Finding]:
    """Yield what the other backend has; of the dumps of one family, the first speaks for all."""
    first = next(dump for dump in node.node.dumps if dump.family == node.dump.family)
    if node.dump is not first:
        return
    yield from _other_dumps(node.node, first)
    beyond = node.node.tables_beyond(first.family)
    warned = (dump for dump in node.node.dumps if dump.family == first.family and dump.legacy_warning)
    if LEGACY_TABLES in beyond and (dump := next(warned, None)) is not None:
        yield found(dual_backend, [Evidence(dump.legacy_warning or 0, "")], state="unseen",
            backends=("nf_tables", "legacy"), count=0, ending=0, number=dump.number, services=False,
        )  # fmt: skip


def backends(node: Snapshot, asked: Dump) -> Iterator[Item]:
    """Yield that rules of another backend act beside those of the dump that was asked, be they not shown."""
    line = asked.legacy_warning
    if line is not None and LEGACY_TABLES in node.tables_beyond(asked.family):
        yield remark("legacy-unseen", line)
    yield from _other_dumps(node, asked)


def _other_dumps(node: Snapshot, asked: Dump) -> Iterator[Finding]:
    """Yield for each dump of the other backend that rules of it act beside those of the dump that was asked."""
    for other in node.dumps:
        if not (asked.backend and other.backend):
            continue  # a listing does not tell of whose rules it is
        if other.family == asked.family and other.backend != asked.backend and other.rule_count:
            services = has_services(asked) and has_services(other)
            ending = _ending(other)
            yield found(
                dual_backend,
                state="services" if services else "ending" if ending else "rules",
                backends=(asked.backend, other.backend),
                count=other.rule_count,
                ending=ending,
                number=other.number,
                services=services,
            )


def _ending(dump: Dump) -> int:
    """Return how many rules of a dump, and how many policies, drop or reject something."""
    tables = dump.tables.values()
    rules = sum(rule.target is not None and rule.target.name in _ENDING for table in tables for text in _ENDING
        for rule in table.rules_with(f" -j {text}"))  # fmt: skip
    return rules + sum(chain.policy == "DROP" for table in tables for chain in table.chains.values())


_ENDING = ("DROP", "REJECT")


REMARKS: dict[str, str | Callable[..., str]] = {
    "legacy-unseen": (
        "the node also has iptables-legacy tables, which the dump does not show; their rules, if any, apply as "
        "well: run iptables-legacy-save, too"
    ),
    "other-family-not-synced": (
        f"dump {{number}} ({{family}}): {SERVICES} is there but no KUBE-SVC- chain: kube-proxy has not synced "
        "the services of this family"
    ),
}


@diagnosis(
    {"services": "critical", "ending": "high", "rules": "medium", "unseen": "medium"},
    reference="k/k#109811, #107965",
)
def dual_backend(*, backends: tuple[str, str], count: int, ending: int, number: int, services: bool) -> str:
    """The node has rules in the tables of iptables-legacy and in those of iptables-nft.

    A packet passes the rules of both. iptables-legacy tables that are only named may be empty.

    Why: What one backend drops is dropped, whatever the other says. In nat the one whose tables were registered
    last is evaluated first and wins, which no dump shows: if both have kube-proxy's chains, connections may go to
    endpoints of the stale ones, which are gone.

    Do: If only one is given, save both (iptables-nft-save, iptables-legacy-save) and check them as one node. Find
    out who writes to which backend (iptables -V in each container) and make it one. Then drain and reboot the
    node, or empty the other one's tables, the policies first (iptables -P CHAIN ACCEPT).
    """
    asked, other = backends
    if not count:
        return (
            f"the node also has {other} tables, which no dump shows; their rules, if any, apply besides those "
            f"of {asked}"
        )
    rules = "1 rule" if count == 1 else f"{count:,} rules"
    both = "; both have service rules, and no dump shows which are evaluated first" if services else ""
    drops = f"; rules and policies there that drop or reject packets: {ending:,}" if ending else ""
    return f"dump {number} has {rules} of backend {other}, which apply besides those of {asked}{both}{drops}"
