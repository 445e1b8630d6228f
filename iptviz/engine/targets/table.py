"""The table of targets: to teach a new one, add a row, and where it does more than go on a function.

A target without a row is a condition: everything after it hangs on whether rules go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.effects import Effect, GoOn, Shot, Stop
from iptviz.engine.marks import read_mark
from iptviz.engine.meanings.headers import dscp_value, printed_value
from iptviz.engine.targets import marking, rewriting
from iptviz.xtables.numbers import read_uint
from iptviz.xtables.targets import target_spec

if TYPE_CHECKING:
    from collections.abc import Callable


def _accept(shot: Shot) -> Effect:
    return Stop("ACCEPT", shot.packet, "ACCEPT")


def _drop(shot: Shot) -> Effect:
    return Stop("DROP", shot.packet, "DROP")


def _reject(shot: Shot) -> Effect:
    default = "icmp6-port-unreachable" if shot.rule.table.saving.family == "ipv6" else "icmp-port-unreachable"
    return Stop("REJECT", shot.packet, f"REJECT with {shot.target.value('--reject-with') or default}")


def _queue(shot: Shot) -> Effect:
    """QUEUE and NFQUEUE: a program decides; with --queue-bypass nobody listening means ACCEPT."""
    number = shot.target.value("--queue-num") or shot.target.value("--queue-balance") or "0"
    bypass = any(option.name == "--queue-bypass" for option in shot.target.options)
    if bypass and not shot.ask("listener", f"netfilter queue {number}"):
        return Stop("ACCEPT", shot.packet, f"queue {number} bypassed")
    return Stop("QUEUE", shot.packet, f"to the program at queue {number}")


def _notrack(shot: Shot) -> Effect:
    return GoOn(shot.packet._replace(state="UNTRACKED"), "not tracked")


def _ct(shot: Shot) -> Effect:
    if any(option.name == "--notrack" for option in shot.target.options):
        return _notrack(shot)
    settings = " ".join(option.text().removeprefix("--") for option in shot.target.options)
    return GoOn(shot.packet, f"connection tracking: {settings}")


def _tproxy(shot: Shot) -> Effect:
    """TPROXY: to a listening socket of this node with a mark, or nowhere."""
    port = shot.target.value("--on-port") or "the packet's port"
    if not shot.ask("listener", f"TPROXY port {port}"):
        return Stop("DROP", shot.packet, f"TPROXY: nobody listens on port {port}")
    value = read_mark(shot.target.value("--tproxy-mark") or "0x0/0x0") or (0, 0)
    packet = shot.packet._replace(mark=shot.packet.mark.set_xmark(*value), to_this_node=True)
    return Stop("ACCEPT", packet, f"TPROXY: to the socket on port {port}")


def _synproxy(shot: Shot) -> Effect:
    """SYNPROXY answers SYN and takes the client's ACK; what else it gets goes on."""
    flags = shot.packet.tcp_flags
    if flags is None:
        asked = shot.ask("match", "--tcp-flags FIN,SYN,RST,ACK SYN") or shot.ask(
            "match", "--tcp-flags FIN,SYN,RST,ACK ACK"
        )
    else:
        asked = flags & {"SYN", "ACK", "FIN", "RST"} in ({"SYN"}, {"ACK"})
    if asked:
        return Stop("STOLEN", shot.packet, "SYNPROXY answers it")
    return GoOn(shot.packet, "SYNPROXY lets it go on")


_TTL_WAYS: dict[str, Callable[[int, int], int]] = {
    "set": lambda _old, number: number,
    "dec": lambda old, number: max(old - number, 0),
    "inc": lambda old, number: min(old + number, 255),
}


def _time_to_live(shot: Shot) -> Effect:
    packet = shot.packet
    for option in shot.target.options:
        way = option.name.rpartition("-")[2]
        number = read_uint(option.values[0]) if option.values else None
        if way in _TTL_WAYS and number is not None and (packet.ttl is not None or way == "set"):
            after = _TTL_WAYS[way](packet.ttl or 0, number)
            return GoOn(packet._replace(ttl=after), f"TTL {after}")
    return GoOn(packet._replace(ttl=None, changed=packet.lost("ttl", shot.rule.line)), "TTL changed")


def _dscp(shot: Shot) -> Effect:
    options = [option for option in shot.target.options if option.values]
    value = dscp_value(options[0]) if options else None
    if value is None or shot.packet.tos is None:
        lost = shot.packet._replace(tos=None, changed=shot.packet.lost("tos", shot.rule.line))
        return GoOn(lost, f"DSCP {value:#04x}" if value is not None else "DSCP changed")
    return GoOn(shot.packet._replace(tos=value << 2 | shot.packet.tos & 3), f"DSCP {value:#04x}")


def _tos(shot: Shot) -> Effect:
    """TOS: `(tos & ~mask) ^ value`, in iptables' words."""
    for option in shot.target.options:
        operation = _tos_operation(option.name, option.values[0]) if option.values else None
        if operation is None:
            break
        value, mask = operation
        if shot.packet.tos is None and mask != 0xFF:
            break
        after = ((shot.packet.tos or 0) & ~mask) ^ value
        return GoOn(shot.packet._replace(tos=after), f"TOS {after:#04x}")
    return GoOn(
        shot.packet._replace(tos=None, changed=shot.packet.lost("tos", shot.rule.line)), "TOS changed"
    )


def _tos_operation(name: str, text: str) -> tuple[int, int] | None:
    if name == "--set-tos":
        number, slash, mask = printed_value("set-tos", text).partition("/")
        value, bits = read_uint(number), read_uint(mask) if slash else 0xFF
        return None if value is None or bits is None else (value, bits)
    bits = read_uint(text)
    if bits is None:
        return None
    return {"--and-tos": (0, ~bits & 0xFF), "--or-tos": (bits, bits), "--xor-tos": (bits, 0)}.get(name)


def _set(shot: Shot) -> Effect:
    """SET changes a set, so a later question about it is another one; --map-set may set the mark."""
    packet = shot.packet
    names = [
        option.values[0] for option in shot.target.options if option.name.endswith("-set") and option.values
    ]
    for name in names:
        packet = packet._replace(changed=packet.lost(f"set {name}", shot.rule.line))
    text = " ".join(option.text().removeprefix("--") for option in shot.target.options)
    if any(option.name == "--map-mark" for option in shot.target.options):
        return GoOn(marking.lost_mark(shot._replace(packet=packet)).packet, f"ipset: {text}")
    return GoOn(packet, f"ipset: {text}")


def _prefix(shot: Shot) -> Effect:
    """SNPT and DNPT exchange the prefix of an IPv6 address, without a connection to remember it."""
    side = "source" if shot.target.name == "SNPT" else "destination"
    changed = shot.packet.lost(side, shot.rule.line)
    packet = shot.packet._replace(**{side: None, "changed": changed})  # type: ignore[arg-type]
    return GoOn(packet, f"{side} prefix becomes {shot.target.value('--dst-pfx') or 'unknown'}")


def _told(text: str) -> Callable[[Shot], Effect]:
    return lambda shot: GoOn(shot.packet, text)


def _log(shot: Shot) -> Effect:
    prefix = shot.target.value("--log-prefix") or shot.target.value("--nflog-prefix")
    return GoOn(shot.packet, f'logged as "{prefix.rstrip()}"' if prefix else "logged")


TARGETS: dict[str, Callable[[Shot], Effect]] = {
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
    "NOTRACK": _notrack,
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
    "AUDIT": _told("audited"),
    "CHECKSUM": _told("checksum filled in"),
    "CLASSIFY": _told("traffic class set"),
    "CONNSECMARK": _told("security mark copied"),
    "ECN": _told("ECN changed"),
    "IDLETIMER": _told("idle timer restarted"),
    "LED": _told("LED triggered"),
    "RATEEST": _told("rate measured"),
    "SECMARK": _told("security mark set"),
    "TCPMSS": _told("TCP segment size limited"),
    "TCPOPTSTRIP": _told("TCP options removed"),
    "TEE": _told("a copy sent elsewhere"),
    "TRACE": _told("traced"),
}


def apply_target(shot: Shot) -> Effect:
    """Return what the target of a rule does; an unknown one is a condition.

    Raises:
        UndecidedError: it hangs on a condition without an answer.
    """
    act = TARGETS.get(shot.target.name)
    if act is not None and target_spec(shot.target.name) is not None:
        return act(shot)
    if shot.ask("target", shot.target.name):
        return GoOn(shot.packet, f"{shot.target.name}, which nothing here knows, lets it go on")
    return Stop("STOLEN", shot.packet, f"{shot.target.name}, which nothing here knows, ends it")
