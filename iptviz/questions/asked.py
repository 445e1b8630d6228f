"""From what is typed of a packet to the packet: checked, so that a mistake is named and not answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.engine.hooks import STAGES
from iptviz.engine.host import Host
from iptviz.engine.marks import UNKNOWN_MARK, Mark, known_mark
from iptviz.engine.packet import Packet
from iptviz.errors import PacketError
from iptviz.xtables.address import Network, parse_network
from iptviz.xtables.values.numbers import read_uint
from iptviz.xtables.values.protocols import TCP_FLAGS, protocol_name, protocol_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    from iptviz.dump.model import Dump
    from iptviz.supplied.files import Supplied

    Read = TypeVar("Read")

_STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")
_WITH_PORTS = {"tcp", "udp", "udplite", "sctp", "dccp"}
_BYTE, _PORT, _LENGTH, _ID = 0xFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFE


class Asked(NamedTuple):
    """A packet in the words of the user; None is unknown."""

    src: str | None = None
    dst: str | None = None
    protocol: str | None = None
    sport: int | None = None
    dport: int | None = None
    hook: str = "prerouting"
    in_iface: str | None = None
    out_iface: str | None = None
    mark: str | int | None = None
    ctstate: str | None = "NEW"
    length: int | None = None
    tcp_flags: str | None = None
    icmp_type: str | None = None
    ttl: int | None = None
    tos: int | None = None
    mac: str | None = None
    uid: int | None = None
    gid: int | None = None


def packet_of(asked: Asked, family: str) -> Packet:
    """Return the packet that is asked about.

    Raises:
        PacketError: there can be no such packet.
    """
    if asked.hook not in STAGES:
        raise PacketError(f"there is no hook {asked.hook!r}", hint=f"hooks: {', '.join(STAGES)}")
    protocol = _protocol(asked, family)
    if asked.hook == "output" and asked.in_iface:
        raise PacketError("--in: what the node sends came in by no interface", hint="leave it out")
    state = None if asked.ctstate is None else asked.ctstate.upper()
    if state is not None and state not in _STATES:
        raise PacketError(
            f"there is no connection state {asked.ctstate!r}", hint=f"states: {', '.join(_STATES)}"
        )
    return Packet(
        protocol=protocol,
        source=_address("--src", asked.src, family),
        destination=_address("--dst", asked.dst, family),
        source_port=_bounded("--sport", asked.sport, _PORT),
        destination_port=_bounded("--dport", asked.dport, _PORT),
        in_interface="" if asked.hook == "output" else asked.in_iface,
        mark=_mark(asked.mark),
        state=state,
        tcp_flags=_flags(asked.tcp_flags, protocol),
        icmp_type=_icmp_type(asked.icmp_type, protocol, family),
        length=_bounded("--length", asked.length, _LENGTH),
        ttl=_bounded("--ttl", asked.ttl, _BYTE),
        tos=_bounded("--tos", asked.tos, _BYTE),
        mac=asked.mac,
        owner=_owner(asked),
    )


def _protocol(asked: Asked, family: str) -> str | None:
    """Return the protocol by its name, having seen that it goes with the rest."""
    if asked.protocol is None:
        return None
    name = protocol_name(asked.protocol)
    if protocol_number(name) is None or name == "all":
        raise PacketError(
            f"there is no protocol {asked.protocol!r}", hint="--protocol tcp, udp, icmp or a number"
        )
    if name not in _WITH_PORTS and (asked.sport is not None or asked.dport is not None):
        raise PacketError(f"{name} has no ports", hint="leave out --sport and --dport, or choose tcp or udp")
    wrong = {"ipv4": "ipv6-icmp", "ipv6": "icmp"}[family]
    if name == wrong:
        raise PacketError(f"{asked.protocol} does not go with an {family} dump", hint="choose the other ICMP")
    return name


def _address(option: str, text: str | None, family: str) -> Network | None:
    if text is None:
        return None
    network = parse_network(text.strip("[]"))
    if network is None:
        raise PacketError(f"{option} {text!r} is no address", hint="write 10.244.0.9, fd00::9 or a network")
    if f"ipv{network.version}" != family:
        other = "ip6tables-save" if network.version == 6 else "iptables-save"
        raise PacketError(
            f"{option} {text} is IPv{network.version}, the dump is {family}", hint=f"ask its {other}"
        )
    return network


def _bounded(option: str, number: int | None, most: int) -> int | None:
    if number is not None and not 0 <= number <= most:
        raise PacketError(f"{option} {number} is out of range", hint=f"0 to {most}")
    return number


def _mark(mark: str | int | None) -> Mark:
    if mark is None:
        return UNKNOWN_MARK
    number = mark if isinstance(mark, int) else read_uint(mark)
    if number is None or not 0 <= number <= _LENGTH:
        raise PacketError(f"--mark {mark} is no mark", hint="write 0x4000 or 16384")
    return known_mark(number)


def _flags(text: str | None, protocol: str | None) -> frozenset[str] | None:
    if text is None:
        return None
    if protocol not in {None, "tcp"}:
        raise PacketError(f"{protocol} has no TCP flags", hint="leave out --tcp-flags")
    flags = frozenset(text.upper().split(",")) - {"NONE", ""}
    if not flags <= set(TCP_FLAGS):
        raise PacketError(f"--tcp-flags {text} names no TCP flags", hint=f"flags: {', '.join(TCP_FLAGS)}")
    return flags


def _icmp_type(text: str | None, protocol: str | None, family: str) -> tuple[int, int | None] | None:
    if text is None:
        return None
    if protocol not in {None, "icmp", "ipv6-icmp"}:
        raise PacketError(f"{protocol} has no ICMP type", hint="leave out --icmp-type")
    from iptviz.xtables.values.icmp import read_icmp_type

    message = read_icmp_type(text, family)
    if message is None or message.type is None:
        raise PacketError(f"--icmp-type {text} is no type", hint="write echo-request, 8 or 3/4")
    return message.type, message.code


def _owner(asked: Asked) -> tuple[int | None, int | None] | None:
    uid, gid = _bounded("--uid", asked.uid, _ID), _bounded("--gid", asked.gid, _ID)
    if asked.hook != "output" and (uid, gid) != (None, None):
        raise PacketError("--uid, --gid: what arrives has no owner", hint="with --hook output the sender has")
    return None if (uid, gid) == (None, None) else (uid, gid)


def known_of(
    dump: Dump,
    asked: Asked,
    local_ips: Sequence[str],
    *,
    addresses: str | Supplied | None,
    routes: str | Supplied | None,
    ipset: str | Supplied | None,
    recent: str | Supplied | None,
) -> Host:
    """Return what was handed in beside the packet.

    Raises:
        PacketError: a local address is none.
        DumpError: a file cannot be read.
    """
    from iptviz.ipset.saved import read_ipsets
    from iptviz.supplied.addresses import read_addresses
    from iptviz.supplied.files import read_file
    from iptviz.supplied.recent import read_recent_lists
    from iptviz.supplied.routes import read_routes

    own = [one for one in (_address("--local-ip", text, dump.family) for text in local_ips) if one]
    listed = read_file(addresses, read_addresses)
    local = None if listed is None and not own else frozenset(own) | (listed or frozenset())
    return Host(
        local=local,
        routes=read_file(routes, read_routes),
        sets=read_file(ipset, read_ipsets),
        recent=read_file(recent, lambda text, source: read_recent_lists(text, source, "DEFAULT")),
        out_interface=asked.out_iface,
    )
