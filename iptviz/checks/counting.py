"""Shares that rules make by counting packets (`--mode nth`), which hold for one backend alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.intake.remark import remark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.intake.remark import Remark

REMARKS = {
    "nth-on-legacy": (
        "--mode nth counts packets: 1 in N holds as long as no rule of the table changes; iptables-legacy starts "
        "the count anew at each change"
    ),
    "nth-if-legacy": (
        "--mode nth counts packets: 1 in N holds with nf_tables; iptables-legacy starts the count anew at each "
        "change of the table, and this dump does not say which wrote it"
    ),
}


def nth(dump: Dump, rules: Iterable[Rule]) -> Iterator[Remark]:
    """Yield how far shares hold that rules with `--mode nth` make: iptables-legacy counts anew at each change."""
    rule = next((rule for rule in rules if "--mode nth" in rule.text), None)
    if rule is not None and dump.backend != "nf_tables":
        yield remark("nth-on-legacy" if dump.backend == "legacy" else "nth-if-legacy", rule.line)
