"""The table of targets: to teach a new one, add a row, and where it does more than go on a function.

A target without a row is a condition: everything after it hangs on whether rules go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.effects import Effect, GoOn, Stop, TargetCall
from iptviz.engine.meanings.connections import INVALID, TEMPLATE, UNTRACKED, templated
from iptviz.engine.targets import marking, rewriting

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.rules.operands import Queue, SetChange, Socket
    from iptviz.xtables.values.numbers import Masked


def _accept(call: TargetCall) -> Effect:
    return Stop("ACCEPT", call.packet, "ACCEPT")


def _drop(call: TargetCall) -> Effect:
    return Stop("DROP", call.packet, "DROP")


def _reject(call: TargetCall) -> Effect:
    return Stop("REJECT", call.packet, f"REJECT with {call.operand}")


def _queue(call: TargetCall) -> Effect:
    """QUEUE and NFQUEUE: a program decides; with --queue-bypass nobody listening means ACCEPT."""
    asked: Queue = call.operand
    if asked.bypass and not call.ask("listener", f"netfilter queue {asked.number}"):
        return Stop("ACCEPT", call.packet, f"queue {asked.number} bypassed")
    return Stop("QUEUE", call.packet, f"to the program at queue {asked.number}")


def _ct(call: TargetCall) -> Effect:
    """CT and NOTRACK: the first of them decides, and neither does anything to what came back in by lo.

    Source: xt_ct_target and notrack_tg in net/netfilter/xt_CT.c.
    """
    settings: str | None = call.operand
    if call.packet.state == TEMPLATE:
        return GoOn(call.packet, "an earlier CT decides")
    if call.packet.state != INVALID:
        return GoOn(call.packet, "not tracked" if call.packet.state == UNTRACKED else "tracked already")
    if settings is None:
        return GoOn(call.packet._replace(state=UNTRACKED), "not tracked")
    return GoOn(templated(call.packet, call.line), f"connection tracking: {settings}")


def _tproxy(call: TargetCall) -> Effect:
    """TPROXY: with a mark to a listening socket of this node, if routing delivers it there; or nowhere."""
    asked: Socket = call.operand
    if not call.ask("listener", f"TPROXY port {asked.port}"):
        return Stop("DROP", call.packet, f"TPROXY: no listener on port {asked.port}")
    packet = call.packet._replace(mark=call.packet.mark.set_xmark(*asked.mark), proxied=True)
    text = f"TPROXY: to the socket on port {asked.port}"
    return Stop("ACCEPT", packet, text) if asked.ends else GoOn(packet, text)


def _synproxy(call: TargetCall) -> Effect:
    """SYNPROXY answers SYN, and takes the ACK to that, dropping any other; what else it gets goes on.

    Source: synproxy_tg4 in net/ipv4/netfilter/ipt_SYNPROXY.c.
    """
    flags = call.packet.tcp_flags
    deciding = None if flags is None else flags & {"SYN", "ACK", "FIN", "RST"}

    def has(flag: str) -> bool:
        return (
            call.ask("match", f"--tcp-flags FIN,SYN,RST,ACK {flag}")
            if deciding is None
            else deciding == {flag}
        )

    if has("SYN"):
        return Stop("STOLEN", call.packet, "SYNPROXY: answered")
    if not has("ACK"):
        return GoOn(call.packet, "SYNPROXY: continues")
    if call.ask("cookie", ""):
        return Stop("STOLEN", call.packet, "SYNPROXY: taken, the connection to the server begins")
    return Stop("DROP", call.packet, "SYNPROXY: answers no SYN/ACK of its own")


_TTL_WAYS: dict[str, Callable[[int, int], int]] = {
    "set": lambda _old, number: number,
    "dec": lambda old, number: max(old - number, 0),
    "inc": lambda old, number: min(old + number, 255),
}


def _time_to_live(call: TargetCall) -> Effect:
    packet = call.packet.with_bytes(call.line)
    asked: tuple[tuple[str, int], ...] = call.operand
    for way, number in asked:
        if packet.ttl is not None or way == "set":
            after = _TTL_WAYS[way](packet.ttl or 0, number)
            return GoOn(packet._replace(ttl=after), f"TTL {after}")
    return GoOn(packet._replace(ttl=None, ttl_taken=0, changed=packet.lost("ttl", call.line)), "TTL changed")


def _dscp(call: TargetCall) -> Effect:
    value: int | None = call.operand
    packet = call.packet.with_bytes(call.line)
    if value is None or packet.tos is None:
        lost = packet._replace(tos=None, changed=packet.lost("tos", call.line))
        return GoOn(lost, f"DSCP {value:#04x}" if value is not None else "DSCP changed")
    return GoOn(packet._replace(tos=value << 2 | packet.tos & 3), f"DSCP {value:#04x}")


def _tos(call: TargetCall) -> Effect:
    """TOS: `(tos & ~mask) ^ value`, in iptables' words."""
    packet = call.packet.with_bytes(call.line)
    operation: Masked | None = call.operand
    if operation is None or (packet.tos is None and operation.mask != 0xFF):
        return GoOn(packet._replace(tos=None, changed=packet.lost("tos", call.line)), "TOS changed")
    after = ((packet.tos or 0) & ~operation.mask) ^ operation.value
    return GoOn(packet._replace(tos=after), f"TOS {after:#04x}")


def _tcp_options(text: str) -> Callable[[TargetCall], Effect]:
    """Return the act of a target that changes options of TCP, or its flags of ECN."""
    return lambda call: GoOn(call.packet.with_bytes(call.line, "tcp_options"), text)


def _tcp_mss(call: TargetCall) -> Effect:
    """TCPMSS: a packet without the option gets it, and becomes longer (net/netfilter/xt_TCPMSS.c)."""
    packet = call.packet.with_bytes(call.line, "tcp_options", "length")
    return GoOn(packet._replace(length=None), "TCP segment size limited")


def _ecn(call: TargetCall) -> Effect:
    """ECN: of TCP the flags, or of IP the bits."""
    packet = call.packet.with_bytes(call.line, "tcp_options")
    if call.operand:
        packet = packet._replace(tos=None, changed=packet.lost("tos", call.line))
    return GoOn(packet, "ECN changed")


def _set(call: TargetCall) -> Effect:
    """SET changes a set, so a later question about it is another one; --map-set may set the mark."""
    packet = call.packet
    asked: SetChange = call.operand
    for name in asked.names:
        packet = packet._replace(changed=packet.lost(f"set {name}", call.line))
    if asked.marks:
        return GoOn(marking.lost_mark(call._replace(packet=packet)).packet, f"ipset: {asked.text}")
    return GoOn(packet, f"ipset: {asked.text}")


def _prefix(call: TargetCall) -> Effect:
    """SNPT and DNPT exchange the prefix of an IPv6 address, without a connection to remember it."""
    side = "source" if call.name == "SNPT" else "destination"
    changed = call.packet.lost(side, call.line)
    packet = call.packet._replace(**{side: None, "changed": changed}).with_bytes(call.line)  # type: ignore[arg-type]
    return GoOn(packet, f"{side} prefix becomes {call.operand or 'unknown'}")


def _only_noted(text: str) -> Callable[[TargetCall], Effect]:
    """Return the act of a target that changes nothing which rules ask about."""
    return lambda call: GoOn(call.packet, text)


def _log(call: TargetCall) -> Effect:
    prefix: str | None = call.operand
    return GoOn(call.packet, f'logged as "{prefix.rstrip()}"' if prefix else "logged")


TARGETS: dict[str, Callable[[TargetCall], Effect]] = {
    "ACCEPT": _accept,
    "DROP": _drop,
    "REJECT": _reject,
    "QUEUE": _queue,
    "NFQUEUE": _queue,
    "DNAT": rewriting.dnat,
    "SNAT": rewriting.snat,
    "MASQUERADE": rewriting.masquerade,
    "REDIRECT": rewriting.redirect,
    "NETMAP": rewriting.netmap,
    "TPROXY": _tproxy,
    "SYNPROXY": _synproxy,
    "MARK": marking.mark,
    "CONNMARK": marking.connmark,
    "HMARK": marking.lost_mark,
    "CT": _ct,
    "NOTRACK": _ct,
    "TTL": _time_to_live,
    "HL": _time_to_live,
    "DSCP": _dscp,
    "TOS": _tos,
    "SET": _set,
    "SNPT": _prefix,
    "DNPT": _prefix,
    "LOG": _log,
    "NFLOG": _log,
    "ULOG": _log,
    "AUDIT": _only_noted("audited"),
    "CHECKSUM": _only_noted("checksum filled in"),
    "CLASSIFY": _only_noted("traffic class set"),
    "CONNSECMARK": _only_noted("security mark copied"),
    "ECN": _ecn,
    "IDLETIMER": _only_noted("idle timer restarted"),
    "LED": _only_noted("LED triggered"),
    "RATEEST": _only_noted("rate measured"),
    "SECMARK": _only_noted("security mark set"),
    "TCPMSS": _tcp_mss,
    "TCPOPTSTRIP": _tcp_options("TCP options removed"),
    "TEE": _only_noted("a copy sent elsewhere"),
    "TRACE": _only_noted("traced"),
}


def apply_target(call: TargetCall) -> Effect:
    """Return what the target of a rule does; an unknown one is a condition.

    Raises:
        UndecidedError: it hangs on a condition without an answer.
    """
    act = TARGETS.get(call.name) if call.action.known else None
    if act is not None:
        return act(call)
    if call.ask("target", call.name):
        return GoOn(call.packet, f"unknown target {call.name}, continues")
    return Stop("STOLEN", call.packet, f"unknown target {call.name}, ends it")
