"""What `iptviz diff --packet` and `--equivalent` answer, as parts of the document `iptviz.diff.v1`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.documents.packet_v1 import document, step_shape
from iptviz.documents.shapes import Shape, condition_shape, decider_shape, service_shape, share_shape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.compare.fates.endings import Ending, TellingPacket
    from iptviz.compare.fates.equivalence import Difference, Equivalence
    from iptviz.compare.fates.packets import Parting
    from iptviz.engine.outcome import Outcome
    from iptviz.questions.diff_packet import PacketFates


def packet_shape(fates: PacketFates) -> Shape:
    """Return the fates of a packet: whether they differ, where its ways part, and all outcomes of either side."""
    old, new = document(fates.old), document(fates.new)
    return {
        "asked": fates.asked,
        "differs": fates.differs,
        "parting": fates.parting and _parting(fates.parting),
        "old": old["outcomes"],
        "new": new["outcomes"],
        "packet": new["packet"],
        "hook": fates.new.hook,
        "same": [condition.question for condition in fates.same],
        "set_aside": list(fates.set_aside),
    }


def _parting(parting: Parting) -> Shape:
    return {
        "when": list(map(condition_shape, parting.when)),
        "old": parting.old and step_shape(parting.old),
        "new": parting.new and step_shape(parting.new),
        "old_verdicts": _ends(parting.old_ends),
        "new_verdicts": _ends(parting.new_ends),
    }


def _ends(outcomes: Iterable[Outcome]) -> list[Shape]:
    return [
        {**share_shape(one.share), "verdict": one.verdict, "dnat": one.packet.dnat, "snat": one.packet.snat}
        for one in outcomes
    ]


def equivalent_shape(found: Equivalence) -> Shape:
    """Return whether new connections are treated alike, else packets that tell the nodes apart."""
    return {
        "alike": found.alike,
        "frontends": found.frontends,
        "different": list(map(_difference, found.different)),
        "not_known": [{"why": one.why, "frontends": list(one.frontends)} for one in found.not_known],
        "assumed": list(map(condition_shape, found.assumed)),
        "same": [condition.question for condition in found.same],
        "set_aside": list(found.set_aside),
    }


def _difference(one: Difference) -> Shape:
    return {
        "service": service_shape(one.service),
        "frontend": one.frontend,
        "packet": _packet(one.packet),
        "old": list(map(_ending, one.old)),
        "new": list(map(_ending, one.new)),
        "alike": list(one.alike),
    }


def _packet(packet: TellingPacket) -> Shape:
    return {
        **packet._asdict(),
        "when": list(map(condition_shape, packet.when)),
    }


def _ending(end: Ending) -> Shape:
    return {
        **share_shape(end.share),
        "outcome": end.outcome,
        "endpoint": end.endpoint or None,
        "snat": end.snat,
        "reply": end.reply,
        "by": decider_shape(end.by),
        "reply_by": decider_shape(end.reply_by),
    }
