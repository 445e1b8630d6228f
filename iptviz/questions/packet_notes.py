"""What is to be noted of a packet's fate: what the answer lacks, takes for granted, and what would narrow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition_kinds import KINDS, MATCHES_SETTLED_BY
from iptviz.engine.hooks import STAGES
from iptviz.engine.path import steps_of
from iptviz.kube.families import SERVICE_CHAINS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump
    from iptviz.engine.branches import Outcome
    from iptviz.engine.condition import Assumption, Condition
    from iptviz.engine.hooks import Journey
    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet

_OPTIONS = {
    "in_iface": "--in",
    "out_iface": "--out",
    "local_ips": "--local-ip",
    "mark": "--mark (0 for most packets off a wire)",
}
"""Options of the command that are not spelled like the parameter of `iptviz.packet`."""


def settled_by(condition: Condition) -> str | None:
    """Return the options of the command that answer a condition, or None where only --assume does."""
    if condition.kind != "match":
        return " or ".join(map(_option, KINDS[condition.kind].settled_by)) or None
    matches = (names for text, names in MATCHES_SETTLED_BY.items() if text in condition.value)
    return " and ".join(map(_option, next(matches, ()))) or None


def _option(parameter: str) -> str:
    return _OPTIONS.get(parameter, f"--{parameter.replace('_', '-')}")


def packet_notes(
    dump: Dump,
    journey: Journey,
    start: Packet,
    hook: str,
    host: Host,
    outcomes: tuple[Outcome, ...],
    given: tuple[Assumption, ...],
) -> Iterator[str]:
    """Yield sentences on what an answer lacks or hangs on."""
    yield from (f"line {gap.line}: {gap.text}" for gap in dump.gaps)
    yield from _fault_notes(journey)
    if not dump.complete:
        yield from _cut_notes(journey, outcomes)
    if start.state in {"ESTABLISHED", "RELATED"}:
        yield (
            f"nat is asked for the first packet of a connection only: what a packet of state {start.state} is "
            "rewritten to was decided then, and the other tables see it rewritten"
        )
    tables = {stage.table for stage in STAGES[hook]} - {""}
    if not any(
        dump.tables[stage.table].rules_of(stage.chain) for stage in STAGES[hook] if stage.table in dump.tables
    ):
        yield f"no built-in chain that {hook} asks has a rule in this dump: policies alone decide"
    missing = [name for name in ("mangle", "nat", "filter") if name in tables and name not in dump.tables]
    if missing:
        yield f"the dump has no table {', '.join(missing)}: taken as empty, which the node's may not be"
    yield from _set_notes(dump, host)
    if hook == "output" and any(host.is_local(one.packet.destination) is None for one in outcomes):
        yield (
            "which addresses are this node's own is not known: the packet is taken to leave it "
            "(--local-ip or --addresses tells)"
        )
    yield from (f"assumed: {one.text}" for one in given)
    yield from _narrowing_notes(outcomes)


def _fault_notes(journey: Journey) -> Iterator[str]:
    for rule, loop in journey.broken.loops.items():
        yield f"line {rule.line}: {' -> '.join(loop)} is a loop, which the kernel refuses: edited by hand?"
    for rule, chain in journey.broken.missing.items():
        yield f"line {rule.line}: jumps to {chain}, which this dump does not have: cut or edited?"
    if journey.rounded:
        yield "shares are rounded at 2^-4096, exact ones would have too many digits"
    if journey.skipped:
        yield f"{journey.skipped} combinations of conditions were left out: say more of the packet"


def _cut_notes(journey: Journey, outcomes: tuple[Outcome, ...]) -> Iterator[str]:
    """Name the chains on the way that a dump which lacks lines has without rules, or without their end."""
    for rule, chain in journey.broken.empty_chains.items():
        yield f"line {rule.line}: {chain} has no rules in this dump, which lacks lines: what it does is not known"
    steps = (step for one in outcomes if one.packet.dnat is None for step in steps_of(one.path)[0])
    for chain in dict.fromkeys(step.chain for step in steps if step.chain.startswith(SERVICE_CHAINS)):
        yield f"{chain} leads to no endpoint in this dump, which lacks lines: connections may well go to one"


def _set_notes(dump: Dump, host: Host) -> Iterator[str]:
    """Name the sets that rules ask about and the file handed in lacks."""
    if host.sets is None:
        return
    asked = {
        option.values[0]: rule
        for table in dump.tables.values()
        for rule in table.rules_with("--match-set ")
        for match in rule.matches
        for option in match.options
        if option.name == "--match-set" and option.values
    }
    for name, rule in asked.items():
        if name not in host.sets:
            yield f"line {rule.line}: the sets handed in lack {name}: what asks about it is a condition"


def _narrowing_notes(outcomes: tuple[Outcome, ...]) -> Iterator[str]:
    """Say which options would settle what the answer hangs on."""
    asked = dict.fromkeys(need.condition for one in outcomes for need in one.when)
    options = dict.fromkeys(filter(None, map(settled_by, asked)))
    if options:
        yield f"to narrow it down: {', '.join(options)}"
