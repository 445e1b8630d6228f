"""What nat made of a connection when it began, and so makes of each packet of it.

Source: net/netfilter/nf_nat_core.c. nf_nat_packet rewrites destinations at PREROUTING and OUTPUT, sources at
INPUT and POSTROUTING, in both directions of a connection; nat's rules are asked about its first packet alone.
ICMP errors are rewritten as a packet of their direction would be (nf_nat_icmp_reply_translation in
nf_nat_proto.c). The first packet of a connection that a helper expected is RELATED, and nat's rules are asked
about it as about a new one (nf_nat_inet_fn), unless a helper chose (nf_nat_follow_master in nf_nat_helper.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import Condition
from iptviz.engine.effects import answered
from iptviz.engine.meanings.connections import EXPECTED, NO_CONNECTION, tracked
from iptviz.engine.moves import On, Unseen
from iptviz.engine.packet import ANSWER, UNSURE, Past
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iptviz.engine.host import Host
    from iptviz.engine.marks import Mark
    from iptviz.engine.packet import ConnectionTuple, End, Packet

    Answer = Callable[[Condition], bool | None]

AS_IT_CAME = Condition("rewriting", "")
"""That nat leaves the packets of a connection as they come."""
REPLYING = Condition("direction", "")
"""That a packet goes back to who began the connection."""
NO_HELPER = Condition("nat-helper", "")
"""That no helper has chosen how to rewrite a connection that it expected."""

BEGINS = Condition("state", "NEW")
"""That a packet begins a connection, where an old one of its addresses and ports is listed."""

ASKED_FOR = "the address that the client asked for"
"""What the source of a reply becomes, where it is not known which one that is."""

_DESTINATIONS = {"PREROUTING", "OUTPUT"}
TRACKED = frozenset({"SEEN_REPLY", "CONFIRMED"})
ERRORS = ("icmp", "ipv6-icmp")
"""The protocols whose RELATED packets tell of errors of a connection, and begin none."""


class Candidate(NamedTuple):
    """One way in which nat may have rewritten the connection of a packet.

    `dnat` and `snat` are what conditions call where it was sent and as whom it appears, empty where nat did not.
    `part` is the packet's, `connmark` the connection's mark, None where that is not known. `state` is the one in
    which tracking finds the packet, None where the question says.
    """

    part: str
    dnat: str
    snat: str
    past: Past
    statuses: frozenset[str]
    original: ConnectionTuple
    connmark: Mark | None = None
    state: str | None = None


class Pasts(NamedTuple):
    """All ways in which nat may have rewritten a connection; `sure`: in one of them, not in another."""

    candidates: tuple[Candidate, ...] = ()
    sure: bool = False

    def begun(self, packet: Packet, answer: Answer) -> On | Unseen:
        """Return a packet of the connection as tracking finds it.

        Raises:
            UndecidedError: that hangs on a condition without an answer.
        """
        if not self.sure and answered(AS_IT_CAME, answer):
            is_error = packet.state == "RELATED"
            past = Past(unsure=UNSURE | {"SEEN_REPLY"} if is_error else UNSURE)
            statuses = TRACKED - {"SEEN_REPLY"} if is_error else TRACKED
            return On(packet._replace(past=past, statuses=statuses))
        chosen = self._chosen(answer)
        if chosen is None:
            return Unseen(AS_IT_CAME)
        return On(
            packet._replace(
                past=chosen.past,
                part=chosen.part,
                statuses=chosen.statuses,
                original=chosen.original,
                connmark=packet.connmark if chosen.connmark is None else chosen.connmark,
                state=chosen.state or packet.state,
            )
        )

    def _chosen(self, answer: Answer) -> Candidate | None:
        left, sure = list(self.candidates), self.sure
        if len({one.part for one in left}) > 1:
            reply = answered(REPLYING, answer)
            left = [one for one in left if (one.part == ANSWER) == reply]
        for kind, named in (("dnat", _dnat), ("snat", _snat)):
            texts = _distinct(map(named, left))
            if sure and len(texts) == 1:
                continue
            asked = texts[:-1] if sure else filter(None, texts)
            chosen = next((text for text in asked if answered(Condition(kind, text), answer)), None)
            if chosen is None:
                chosen = texts[-1] if sure and texts else ""
            left = [one for one in left if named(one) == chosen]
            sure = sure or bool(chosen)
        return left[0] if left and (sure or left[0].dnat or left[0].snat) else None


def _dnat(one: Candidate) -> str:
    return one.dnat


def _snat(one: Candidate) -> str:
    return one.snat


def _distinct(texts: Iterable[str]) -> list[str]:
    """Return texts, each once; an empty one comes last, since it is what is left where no other is so."""
    return sorted(dict.fromkeys(texts), key=lambda text: not text)


def connected(
    packet: Packet, state: str | None, pasts: Pasts | None, host: Host, answer: Answer
) -> On | Unseen:
    """Return a packet once connection tracking has found its connection, or begun one.

    Raises:
        UndecidedError: that hangs on a condition without an answer.
    """
    listed = pasts is not None and pasts.sure
    if listed and state is None and not packet.part and answered(BEGINS, answer):
        return On(tracked(packet, "NEW", host, answer))
    found = tracked(packet, "ESTABLISHED" if packet.part else state, host, answer, listed=listed)
    if found.state in NO_CONNECTION or packet.part:
        return On(found)
    if found.state == "RELATED" and not listed and not _is_error(found, answer):
        if pasts is not None and not answered(NO_HELPER, answer):
            return Unseen(NO_HELPER)
        return On(found._replace(statuses=found.statuses | {EXPECTED}))
    return On(found) if pasts is None else pasts.begun(found, answer)


def _is_error(packet: Packet, answer: Answer) -> bool:
    if packet.protocol is not None:
        return packet.protocol in ERRORS
    return any(answered(Condition("protocol", name), answer) for name in ERRORS)


def translated(packet: Packet, chain: str, answer: Answer) -> Packet:
    """Return a packet of a connection that exists as a built-in chain of nat lets it go on.

    Raises:
        UndecidedError: that hangs on a condition without an answer.
    """
    past = packet.past
    if past is None or packet.state in NO_CONNECTION:
        return packet
    if chain in _DESTINATIONS:
        return packet if past.destination is None else _to(packet, past.destination)
    source = past.source or _given(past, chain, answer)
    return packet if source is None else _from(packet, source)


def _given(past: Past, chain: str, answer: Answer) -> End | None:
    """Return the source that nat gave in a chain, of those that it may have given."""
    ends = {one.text: one.end for one in past.sources if one.chain == chain}
    *asked, last = _distinct(ends) or [""]
    return ends.get(next((text for text in asked if answered(Condition("snat", text), answer)), last))


def _to(packet: Packet, end: End) -> Packet:
    return packet._replace(
        destination=end.address,
        destination_port=end.port,
        to_this_node=end.local,
        dnat=end.shown,
        changed=_changed(packet, end, "destination"),
    )


def _from(packet: Packet, end: End) -> Packet:
    return packet._replace(
        source=end.address,
        source_port=end.port,
        snat=end.shown,
        snat_by=end.by,
        changed=_changed(packet, end, "source"),
    )


def _changed(packet: Packet, end: End, side: str) -> tuple[tuple[str, int], ...]:
    """Return what rules have made unknown, of the address and port of one side what did so in the past."""
    others = tuple(each for each in packet.changed if not each[0].startswith(side))
    return tuple(sorted((*others, *end.changed)))
