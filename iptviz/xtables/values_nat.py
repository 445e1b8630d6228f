"""How iptables-save prints the addresses and ports of targets: `10.0.0.1-10.0.0.9:80-90`, `[fd00::1]:80`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.xtables.names import service_port
from iptviz.xtables.numbers import read_uint
from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.xtables.saving import Saving

_SERVICE = re.compile(r"[A-Za-z][A-Za-z0-9._+-]{0,63}")
_LAST_PORT = 0xFFFF


def _read_port(text: str, *, decimal: bool = False) -> int | None:
    """Read a port or the name of a service; `decimal` where `010` is 10 and not 8."""
    if decimal and text.isascii() and text.isdecimal():
        text = text.lstrip("0") or "0"
    if _SERVICE.fullmatch(text):
        return service_port(text)
    number = read_uint(text)
    return number if number is not None and number <= _LAST_PORT else None


def _port_decimal(text: str, _saving: Saving) -> str:
    """Print TPROXY's port, which getaddrinfo reads: no hexadecimal, no octal."""
    port = None if text[:2] in {"0x", "0X"} else _read_port(text, decimal=True)
    return quote_word(text) if port is None else str(port)


# --- ranges of ports -------------------------------------------------------------------------------------


def _port_range(text: str) -> str | None:
    """Return `FIRST[-LAST[/BASE]]` as printed; names may stand for a single port and for the base only."""
    first_text, dash, rest = text.partition("-")
    last_text, slash, base_text = rest.partition("/")
    if _SERVICE.fullmatch(text):  # a name may hold a dash
        first_text, dash, slash = text, "", ""
    first = _read_port(first_text)
    last = read_uint(last_text) if dash else first
    base = _read_port(base_text) if slash else 0
    if first is None or last is None or base is None or not first <= last <= _LAST_PORT:
        return None
    return (str(first) if first == last else f"{first}-{last}") + (f"/{base}" if slash else "")


def _nat_ports(text: str, _saving: Saving) -> str:
    return _without_base(_port_range(text) or quote_word(text))


def _without_base(text: str) -> str:
    """Print the base of shifted ports as 0: only DNAT has room for it."""
    return _BASE.sub("/0", text)


_BASE = re.compile(r"(?<=[0-9])/[0-9]{1,5}$")


# --- addresses -------------------------------------------------------------------------------------------


def _read_address(text: str, family: str) -> str | None:
    """Return the address as inet_ntop prints it."""
    import ipaddress

    try:
        if family == "ipv4":
            return str(ipaddress.IPv4Address(text))
        return print_ipv6(int(ipaddress.IPv6Address(text)))
    except ValueError:
        return None


def print_ipv6(number: int) -> str:
    """Print an address as glibc does: one that may hold an address of IPv4 ends in it, as `::ffff:1.2.3.4`."""
    import ipaddress

    low = number & 0xFFFFFFFF
    if number >> 32 == _MAPPED or (number >> 32 == 0 and low > _LAST_PORT):
        return f"::{'ffff:' if number >> 32 else ''}{ipaddress.IPv4Address(low)}"
    return str(ipaddress.IPv6Address(number))


_MAPPED = 0xFFFF


def _host(text: str, saving: Saving) -> str:
    """Print an address that getaddrinfo reads: of IPv4 also `10.1` for 10.0.0.1."""
    return quote_word(full_address(text, saving.family) or text)


def full_address(text: str, family: str) -> str | None:
    """Return the address as printed, or None for the name of a host."""
    return _read_address(text, family) or _short_address(text, family)


def _short_address(text: str, family: str) -> str | None:
    import socket

    if family != "ipv4" or not _SHORT_ADDRESS.fullmatch(text):
        return None
    try:
        return socket.inet_ntoa(socket.inet_aton(text))
    except OSError:
        return None


_SHORT_ADDRESS = re.compile(r"[0-9][0-9a-fA-FxX.]{0,63}")


def _host_or_any(text: str, saving: Saving) -> str:
    """Print TPROXY's `--on-ip`, which stands there even if it was not typed."""
    return _host(text or ("0" if saving.family == "ipv4" else "::"), saving)


# --- ranges of addresses with ports ------------------------------------------------------------------------


def _nat_range(text: str, saving: Saving) -> str:
    """Print what `--to-destination` and `--to-source` say (libxt_NAT.c)."""
    addresses, ports_text = _split_range(text, saving.family)
    ports = "" if ports_text is None else _port_range(ports_text)
    printed = _address_range(addresses, saving.family) if addresses else ""
    if printed is None or ports is None or not (printed or ports):
        return quote_word(text)
    if not ports:
        return printed
    return f"[{printed}]:{ports}" if printed and saving.family == "ipv6" else f"{printed}:{ports}"


def _source_range(text: str, saving: Saving) -> str:
    return _without_base(_nat_range(text, saving))


def _split_range(text: str, family: str) -> tuple[str, str | None]:
    """Split addresses from ports; one colon alone is that of the ports, more are those of IPv6."""
    if family == "ipv6" and text.startswith("["):
        addresses, _, rest = text[1:].partition("]")
        return addresses, rest[1:] if rest.startswith(":") else None
    if text.count(":") != 1:
        return text, None
    addresses, _, ports = text.partition(":")
    return addresses, ports


def _address_range(text: str, family: str) -> str | None:
    first_text, dash, last_text = text.partition("-")
    first = _read_address(first_text, family)
    last = _read_address(last_text, family) if dash else first
    if first is None or last is None:
        return None
    return first if first == last else f"{first}-{last}"


NAT_KINDS: dict[str, Callable[[str, Saving], str]] = {
    "host": _host,
    "host-or-any": _host_or_any,
    "nat-ports": _nat_ports,
    "nat-range": _nat_range,
    "port-decimal": _port_decimal,
    "source-range": _source_range,
}
