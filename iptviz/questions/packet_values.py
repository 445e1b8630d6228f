"""The values of a packet's fields: read from what is typed, checked, and printed again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.engine.marks import Mark, known_mark
from iptviz.engine.stages import STAGES
from iptviz.errors import PacketError, quoted
from iptviz.records import NamedTuple
from iptviz.xtables.address import Network, parse_network
from iptviz.xtables.values.addresses import show_host
from iptviz.xtables.values.numbers import read_uint
from iptviz.xtables.values.protocols import (
    EXTENSION_HEADERS,
    TCP_FLAGS,
    WITH_PORTS,
    protocol_name,
    protocol_number,
    service_port,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BYTE, PORT, WORD = 0xFF, 0xFFFF, 0xFFFFFFFF
"""The largest values of fields of 8, 16 and 32 bits."""

_LAST_ID = WORD - 1  # the last one of 32 bits means "leave it as it is" in chown(2)
_STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")


class Typed(NamedTuple):
    """A packet in the words of the user, for readers that look at more than their own field.

    `family` is that of the dump; `fields` are all fields by their names, None where nothing is said.
    """

    family: str
    fields: Mapping[str, Any]

    @property
    def protocol(self) -> str | None:
        """The protocol by its usual name."""
        name = self.fields["protocol"]
        return None if name is None else protocol_name(name)


_ICMP = {"ipv4": "icmp", "ipv6": "ipv6-icmp"}
"""The ICMP of each family."""

# --- reading: each takes the option that it blames, the value, and the whole; raises PacketError ---------------


def read_hook(_option: str, hook: str, _typed: Typed) -> str:
    """Return the hook where the packet starts."""
    if hook not in STAGES:
        raise PacketError(f"unknown hook {quoted(hook)}", hint=f"hooks: {', '.join(STAGES)}")
    return hook


def read_protocol(_option: str, text: str, typed: Typed) -> str:
    """Return the protocol by its name, having seen that it goes with ports and family."""
    name = protocol_name(text)
    if protocol_number(name) is None or name == "all":
        raise PacketError(f"unknown protocol {quoted(text)}", hint="--protocol tcp, udp, icmp or a number")
    if typed.family == "ipv6" and name in EXTENSION_HEADERS:
        raise PacketError(
            f"{name} is an extension header of IPv6, which -p looks behind",
            hint="give the protocol behind it",
        )
    if name not in WITH_PORTS and any(typed.fields[port] is not None for port in ("sport", "dport")):
        raise PacketError(f"{name} has no ports", hint="drop --sport and --dport, or use tcp or udp")
    if name in _ICMP.values() and name != _ICMP[typed.family]:
        raise PacketError(f"{text} does not fit an {typed.family} dump", hint=f"use {_ICMP[typed.family]}")
    return name


def read_address(option: str, text: str, typed: Typed) -> Network:
    """Return a host or a network of the dump's family."""
    network = parse_network(text.strip("[]"))
    if network is None:
        raise PacketError(
            f"{option}: invalid address {quoted(text)}", hint="use 10.244.0.9, fd00::9 or a network"
        )
    if f"ipv{network.version}" != typed.family:
        other = "ip6tables-save" if network.version == 6 else "iptables-save"
        raise PacketError(
            f"{option} {text} is IPv{network.version}, the dump is {typed.family}",
            hint=f"use the output of {other}",
        )
    return network


def up_to(most: int) -> Callable[[str, int, Typed], int]:
    """Return the reader of numbers from 0 to `most`."""

    def read(option: str, number: int, _typed: Typed) -> int:
        if not 0 <= number <= most:
            raise PacketError(f"{option} {number} is out of range (0 to {most})")
        return number

    return read


def read_port(option: str, port: int | str, _typed: Typed | None = None) -> int:
    """Return a port by its number, or by the name of its service: `http`."""
    number = port if isinstance(port, int) else int(port) if port.isdecimal() else service_port(port.lower())
    if number is None:
        raise PacketError(
            f"{option}: invalid port {quoted(port)}", hint="use a number, or a name such as http"
        )
    if not 0 <= number <= PORT:
        raise PacketError(f"{option} {port} is out of range (0 to {PORT})")
    return number


def read_incoming(_option: str, name: str, typed: Typed) -> str:
    """Return the interface by which a packet arrives."""
    if typed.fields["hook"] == "output" and name:
        raise PacketError(
            "--in does not apply to locally generated packets (--hook output)", hint="drop --in"
        )
    return name


def read_any_text(_option: str, text: str, _typed: Typed) -> str:
    """Return a text that may be any."""
    return text


def read_state(_option: str, text: str | None, _typed: Typed) -> str | None:
    """Return a state of connection tracking; None is unknown, too."""
    if text is None:
        return None
    if text.upper() not in _STATES:
        raise PacketError(f"unknown connection state {quoted(text)}", hint=f"states: {', '.join(_STATES)}")
    return text.upper()


def read_known_mark(_option: str, mark: str | int, _typed: Typed) -> Mark:
    """Return a mark of which all bits are known."""
    number = mark if isinstance(mark, int) else read_uint(mark)
    if number is None or not 0 <= number <= WORD:
        raise PacketError(f"invalid mark {quoted(mark)}", hint="use 0x4000 or 16384")
    return known_mark(number)


def read_flags(_option: str, text: str, typed: Typed) -> frozenset[str]:
    """Return the TCP flags that are set; all others are not."""
    if typed.protocol not in {None, "tcp"}:
        raise PacketError(f"{typed.protocol} has no TCP flags", hint="drop --tcp-flags")
    flags = frozenset(text.upper().split(",")) - {"NONE", ""}
    if not flags <= set(TCP_FLAGS):
        raise PacketError(f"invalid TCP flags {quoted(text)}", hint=f"flags: {', '.join(TCP_FLAGS)}")
    return flags


def read_icmp(_option: str, text: str, typed: Typed) -> tuple[int, int | None]:
    """Return type and code; a code that is not given is unknown."""
    if typed.protocol not in {None, "icmp", "ipv6-icmp"}:
        raise PacketError(f"{typed.protocol} has no ICMP type", hint="drop --icmp-type")
    from iptviz.xtables.values.icmp import read_icmp_type

    message = read_icmp_type(text, typed.family)
    if message is None or message.type is None:
        raise PacketError(f"invalid ICMP type {quoted(text)}", hint="use echo-request, 8 or 3/4")
    return message.type, message.code


def read_owner(_option: str, _number: int, typed: Typed) -> tuple[int | None, int | None]:
    """Return user and group of the sender, which only packets have that the node sends."""
    for name in ("uid", "gid"):
        if typed.fields[name] is not None:
            up_to(_LAST_ID)(f"--{name}", typed.fields[name], typed)
    if typed.fields["hook"] != "output":
        raise PacketError("--uid/--gid only apply to locally generated packets (--hook output)")
    return typed.fields["uid"], typed.fields["gid"]


# --- printing --------------------------------------------------------------------------------------------------


def address_text(network: Network | None) -> str | None:
    """Return a host as its address, a network as `10.0.0.0/8`; None is unknown."""
    return None if network is None else show_host(network)


def icmp_text(icmp_type: tuple[int, int | None] | None) -> str | None:
    """Return `8/0`, or `8` where the code is not known."""
    if icmp_type is None:
        return None
    kind, code = icmp_type
    return str(kind) if code is None else f"{kind}/{code}"


def flags_label(flags: frozenset[str]) -> str:
    """Return the flags that are set; `none` where none is."""
    return ",".join(sorted(flags)) or "none"
