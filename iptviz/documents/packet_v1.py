"""The document `iptviz.packet.v1`: what `iptviz packet --json` prints. Fields may be added, none may change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.documents.shapes import Shape, condition_shape, dump_shape, share_shape
from iptviz.engine.marks import ALL_BITS
from iptviz.engine.path import MISSED, POLICY, steps_of
from iptviz.xtables.values_networks import print_network

if TYPE_CHECKING:
    from iptviz.engine.marks import Mark
    from iptviz.engine.outcome import Outcome
    from iptviz.engine.packet import Packet
    from iptviz.engine.path import Step
    from iptviz.questions.packet import PacketResult
    from iptviz.xtables.address import Network


def packet_document(result: PacketResult) -> dict[str, Any]:
    """Return `result` as `iptviz.packet.v1`."""
    return {
        "schema": "iptviz.packet.v1",
        "dump": dump_shape(result.dump, complete=result.complete),
        "packet": _packet(result.asked, result.hook),
        "assumed": [condition_shape(one) for one in result.given],
        "outcomes": [_outcome(outcome) for outcome in result.outcomes],
        "notes": list(result.notes),
    }


def _packet(packet: Packet, hook: str) -> Shape:
    """Return the packet as it was described; null is unknown, an empty interface is none at all."""
    uid, gid = packet.owner or (None, None)
    return {
        "src": address_text(packet.source),
        "dst": address_text(packet.destination),
        "protocol": packet.protocol,
        "sport": packet.source_port,
        "dport": packet.destination_port,
        "hook": hook,
        "in": packet.in_interface,
        "out": packet.out_interface,
        "ctstate": packet.state,
        "mark": packet.mark.text,
        "tcp_flags": None if packet.tcp_flags is None else sorted(packet.tcp_flags),
        "icmp_type": icmp_text(packet.icmp_type),
        "length": packet.length,
        "ttl": packet.ttl,
        "tos": packet.tos,
        "mac": packet.mac,
        "uid": uid,
        "gid": gid,
    }


def address_text(network: Network | None) -> str | None:
    """Return a host as its address, a network as `10.0.0.0/8`; null is unknown."""
    return None if network is None else print_network(network, always=False)


def icmp_text(icmp_type: tuple[int, int | None] | None) -> str | None:
    """Return `8/0`, or `8` where the code is not known."""
    if icmp_type is None:
        return None
    kind, code = icmp_type
    return str(kind) if code is None else f"{kind}/{code}"


def mark_label(mark: Mark) -> str | None:
    """Return a mark, or its known bits as `value/mask`, as iptables writes them; None where none is known."""
    settled = ALL_BITS & ~mark.keep
    if not mark.keep or mark.value & mark.keep or mark.origin != "mark":
        return mark.text
    return f"{mark.value:#x}/{settled:#x}" if settled else None


def _outcome(outcome: Outcome) -> Shape:
    steps, complete = steps_of(outcome.path)
    return {
        "verdict": outcome.verdict,
        **share_shape(outcome.share),
        "when": [condition_shape(need) for need in outcome.when],
        "route": outcome.route or None,
        "line": outcome.by.line if outcome.by else None,
        "text": outcome.by.text if outcome.by else None,
        "dnat": outcome.packet.dnat,
        "snat": outcome.packet.snat,
        "mark": outcome.packet.mark.text,
        "mark_bits": mark_label(outcome.packet.mark),
        "path": [_step(step) for step in steps],
        "path_complete": complete,
    }


_EFFECTS = {MISSED: "no match: {}", POLICY: "policy {}"}


def effect_text(step: Step) -> str:
    """Return what happened at a step."""
    return _EFFECTS.get(step.kind, "{}").format(step.effect)


def _step(step: Step) -> Shape:
    rule = step.rule
    return {
        "table": step.table,
        "chain": step.chain,
        "rule": rule.number if rule else None,
        "line": rule.line if rule else None,
        "effect": effect_text(step),
        "text": rule.text if rule else None,
    }
