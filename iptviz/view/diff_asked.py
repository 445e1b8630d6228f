"""The view of what was asked of two nodes: the fate of a packet, and whether both treat new connections alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.documents.packet_v1 import effect_text
from iptviz.engine.condition import clauses
from iptviz.engine.effects import UNKNOWN
from iptviz.paths.model import ACCEPT, LOCAL
from iptviz.questions.meant import NOT_DNATED, is_for_service
from iptviz.records import NamedTuple
from iptviz.view.blocks import Fact, Facts, Heading, later
from iptviz.view.changes import ChangeLine, Changes, line
from iptviz.view.numbers import bounds, counted, percent
from iptviz.view.packet_labels import fate_label
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from iptviz.compare.fates.endings import Ending, TellingPacket
    from iptviz.compare.fates.equivalence import Difference, Equivalence
    from iptviz.compare.fates.packets import Parting
    from iptviz.engine.condition import Condition, When
    from iptviz.engine.outcome import Outcome
    from iptviz.engine.path import Step
    from iptviz.questions.diff import DiffResult
    from iptviz.questions.diff_packet import PacketFates
    from iptviz.view.blocks import Block
    from iptviz.view.changes import Sign

_MOST = 10
"""So many outcomes, frontends or differences are told, unless all are asked for."""


def asked_lead(result: DiffResult) -> Fact:
    """Return the answer in a line."""
    if result.fates is not None:
        return _packet_lead(result.fates)
    return _equivalence_lead(result.equivalences)


def asked_parts(result: DiffResult, *, fold: bool) -> tuple[Block, ...]:
    """Return what the answer rests on."""
    if result.fates is not None:
        return tuple(_packet_parts(result.fates, fold=fold))
    return tuple(part for one in result.equivalences for part in _equivalence_parts(one, fold=fold))


# --- ends of both sides ----------------------------------------------------------------------------------------


class _End(NamedTuple):
    """What a share comes to, and the line of the rule that decides it."""

    text: str
    line: int | None


def _told_apart(old: Sequence[_End], new: Sequence[_End], *, fold: bool) -> Iterator[ChangeLine]:
    """Yield what becomes of shares on one side alone, then what does on both.

    Where they differ in more digits than are shown, all is told of either side.
    """
    mine, theirs = ({one.text for one in side} for side in (old, new))
    both = mine & theirs if mine != theirs else set[str]()
    yield from _folded("-", [one for one in old if one.text not in both], fold=fold)
    yield from _folded("+", [one for one in new if one.text not in both], fold=fold)
    yield from _folded("", [one for one in new if one.text in both], "both: ", fold=fold)


def _folded(sign: Sign, ends: Sequence[_End], side: str = "", *, fold: bool) -> Iterator[ChangeLine]:
    shown = ends[:_MOST] if fold and len(ends) > _MOST + 1 else ends
    for one in shown:
        where = f"line {one.line}" if one.line and sign else ""
        yield line(sign, printable(f"{side or _SIDES[sign]}{one.text}"), place=where)
    if more := len(ends) - len(shown):
        yield line("", f"and {counted(more, 'more outcome')} (--all)", 1)


# --- one packet ------------------------------------------------------------------------------------------------


def _packet_lead(fates: PacketFates) -> Fact:
    asked = printable(fates.asked)
    if fates.differs is None:
        why = "lines are missing in a dump" if fates.lacks_lines and fates.parting else "too many cases"
        return Fact("Not known", f"whether {asked} fares differently: {why}", "", "verdict")
    if not fates.differs:
        count = counted(len(fates.new.outcomes), "outcome")
        return Fact("No difference", f"{asked} fares alike on both sides ({count})", "good", "verdict")
    return Fact("Differs", f"{asked} fares differently{_parts_at(fates.parting)}", "bad", "verdict")


def _parts_at(parting: Parting | None) -> str:
    step = parting and (parting.new or parting.old)
    return f"; the ways part in {printable(f'{step.table} {step.chain}')}" if step else ""


def _packet_parts(fates: PacketFates, *, fold: bool) -> Iterator[Block]:
    if (parting := fates.parting) is not None:
        yield Heading(
            "Where the ways part" if fates.differs else "Where the ways part in what the dumps show",
            circumstances=_when(clauses(parting.when) if parting.when else ""),
        )
        yield _lines((*_step("-", parting.old), *_step("+", parting.new)))
        yield Heading("Fate of that packet")
        yield _lines(tuple(_told_apart(*_ends_of(fates, parting), fold=fold)))
    elif fates.differs is False:
        yield Heading("Its fate on both sides")
        asked = is_for_service(fates.new, (fates.old, fates.new))
        ends = [_outcome(one, is_for_service=asked) for one in fates.new.outcomes]
        yield _lines(tuple(_folded("", ends, fold=fold)))
    if fates.same:
        yield _facts(Fact("Same on both", printable(_asked_alike(fates.same)), kind="assumed"))
    if fates.set_aside:
        yield _facts(Fact("Left open", printable(_aside(fates.set_aside)), kind="depends"))


def _when(condition: str) -> str:
    return printable(f"when {condition}") if condition else ""


def _lines(lines: Sequence[ChangeLine]) -> Changes:
    return Changes(later(lambda: tuple(lines)))


def _facts(*facts: Fact) -> Facts:
    return Facts(later(lambda: facts))


_SIDES: Mapping[Sign, str] = {"-": "old: ", "+": "new: ", "": ""}


def _step(sign: Sign, step: Step | None) -> Iterator[ChangeLine]:
    """Yield the step of one side at which the ways part; its way may have ended before."""
    if step is None:
        yield line(sign, f"{_SIDES[sign]}no further step")
        return
    rule = step.rule
    number = f" rule {rule.number}" if rule and rule.number else ""
    head = printable(f"{_SIDES[sign]}{step.table} {step.chain}{number}: {effect_text(step)}")
    yield line(sign, head, place=f"line {rule.line}" if rule else "")
    if rule:
        yield line("", printable(rule.text), 2)


def _ends_of(fates: PacketFates, parting: Parting) -> Iterator[list[_End]]:
    """Yield the outcomes of the packet whose ways part, of either side."""
    for side, outcomes in ((fates.old, parting.old_ends), (fates.new, parting.new_ends)):
        asked = is_for_service(side, (fates.old, fates.new))
        yield [_outcome(one, is_for_service=asked) for one in outcomes]


def _outcome(one: Outcome, *, is_for_service: bool) -> _End:
    """Return an outcome; of what is accepted where it is, and that nothing sends it on to an endpoint."""
    share = bounds(one.share, one.most)
    is_astray = is_for_service and one.verdict == ACCEPT and not one.packet.dnat
    told = [
        fate_label(one),
        f"DNAT to {one.packet.dnat}" if one.packet.dnat else NOT_DNATED if is_astray else "",
        _snat(one.packet.snat),
    ]
    when = f" when {clauses(one.when)}" if one.when else ""
    return _End(f"{share} {', '.join(filter(None, told))}{when}", one.by.line if one.by else None)


def _snat(snat: str | None) -> str:
    """Return what the source becomes; empty where it stays."""
    return {None: "", "MASQUERADE": "MASQUERADE"}.get(snat, f"SNAT to {snat}")


# --- all new connections ---------------------------------------------------------------------------------------


def _equivalence_lead(found: Sequence[Equivalence]) -> Fact:
    """Return the answer in a line; it is never that all is alike where some of it is not known."""
    total = sum(one.frontends for one in found)
    frontends = counted(total, "frontend")
    if count := sum(1 + len(each.alike) for one in found for each in one.different):
        text = f"new connections to {count:,} of {frontends} of services fare differently"
        return Fact("Differs", text, "bad", "verdict")
    if any(one.alike is None for one in found):
        open_ones = sum(len(each.frontends) for one in found for each in one.not_known)
        text = f"whether both treat new connections to {open_ones:,} of {frontends} of services alike"
        return Fact("Not known", text, "", "verdict")
    if not total:
        return Fact("Not compared", "neither side has services", "", "verdict")
    return Fact(
        "Alike", f"both treat every new connection to {frontends} of services alike", "good", "verdict"
    )


def _equivalence_parts(found: Equivalence, *, fold: bool) -> Iterator[Block]:
    shown = found.different[:_MOST] if fold and len(found.different) > _MOST + 1 else found.different
    for one in shown:
        yield Heading(printable(_place(one)), circumstances=printable(_packet(one.packet)))
        ends = (list(map(_ending, side)) for side in (one.old, one.new))
        yield _lines((*_told_apart(*ends, fold=fold), *_alike(one, fold=fold)))
    yield Facts(later(lambda: tuple(_of_equivalence(found, len(found.different) - len(shown), fold=fold))))


def _place(one: Difference) -> str:
    return f"{one.service.text} {one.frontend}" if one.service.text else one.frontend


def _packet(packet: TellingPacket) -> str:
    """Return a packet in words: where it comes from and goes to."""
    source = f"{packet.source or 'an address of the node'}{_port(packet.source_port)}"
    destination = f"{packet.destination or 'an address of the node'}{_port(packet.destination_port)}"
    come = (
        "sent by the node"
        if packet.hook == "output"
        else f"arriving{f' at {packet.in_interface}' if packet.in_interface else ''}"
    )
    when = f", when {clauses(packet.when)}" if packet.when else ""
    return f"{packet.protocol} from {source} to {destination}, {come}{when}"


def _port(port: int | None) -> str:
    return "" if port is None else f" port {port}"


_OUTCOMES = {LOCAL: "ACCEPT, delivered to this node", UNKNOWN: "NOT KNOWN"}


def _ending(one: Ending) -> _End:
    """Return how connections end; of those that get somewhere, where, and what becomes of the answer."""
    reply = f"reply {one.reply}" if one.reply not in {None, ACCEPT} else ""
    to = f" to {one.endpoint}" if one.endpoint else ""
    astray = NOT_DNATED if one.outcome in {ACCEPT, LOCAL} and not one.endpoint else ""
    outcome = _OUTCOMES.get(one.outcome, one.outcome)
    text = ", ".join(filter(None, (f"{outcome}{to}", astray, _snat(one.snat), reply)))
    return _End(f"{percent(one.share)} {text}", one.by.line if one.by else None)


def _alike(one: Difference, *, fold: bool) -> Iterator[ChangeLine]:
    if one.alike:
        shown = one.alike[:_MOST] if fold else one.alike
        more = len(one.alike) - len(shown)
        names = ", ".join([*shown, *([f"{more:,} more (--all)"] if more else [])])
        yield line("", printable(f"likewise at {names}"), 1)


def _of_equivalence(found: Equivalence, more: int, *, fold: bool) -> Iterator[Fact]:
    if more:
        yield Fact("Also", f"{counted(more, 'more difference')} (--all)")
    for one in found.not_known:
        shown = one.frontends[:_MOST] if fold else one.frontends
        others = len(one.frontends) - len(shown)
        names = ", ".join([*shown, *([f"{others:,} more"] if others else [])])
        yield Fact("Not known", printable(f"{one.why}: {names}"), kind="depends")
    if assumed := _assumed(found.assumed):
        yield Fact("Assumed", printable(assumed), kind="assumed")
    if found.same:
        yield Fact("Same on both", printable(_asked_alike(found.same)), kind="assumed")
    if found.set_aside:
        yield Fact("Left open", printable(_aside(found.set_aside)), kind="depends")


_OF_NEW = {
    ("mark", "0x0"): "unmarked",
    ("connmark", "0x0"): "",
    ("fragment", ""): "unfragmented",
    ("bridge-port", ""): "not from a bridge port",
    ("recent", "any list"): "of clients in no recent list",
    ("state", "NEW"): "",
}
"""What is taken for granted of every new connection, in a few words."""

_OF_SOME = {"destination-type", "destination-cidr", "in-interface"}
"""What tells who asks one frontend, or its address, from others."""


def _assumed(assumed: When) -> str:
    """Return what is taken for granted of the packets of all frontends."""
    kept = [(one.condition.kind, one.condition.value) for one in assumed]
    usual = [words for key, words in _OF_NEW.items() if words and key in kept]
    others = tuple(
        one for one, key in zip(assumed, kept, strict=True) if key not in _OF_NEW and key[0] not in _OF_SOME
    )
    first = [f"packets are {', '.join(usual)}"] if usual else []
    return "; ".join([*first, *([clauses(others)] if others else [])])


def _asked_alike(same: Sequence[Condition]) -> str:
    """Return the questions that both sides ask and nobody answers."""
    return ", ".join(condition.question for condition in same)


def _aside(names: Sequence[str]) -> str:
    return f"known of one side alone, or otherwise on each: {', '.join(names)}"
