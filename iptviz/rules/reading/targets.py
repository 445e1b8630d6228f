"""What each target is given, already read: a row for each that takes anything which matters.

Source: extensions/libxt_MARK.c, libxt_CONNMARK.c and libxt_TOS.c for what each option means as value and mask.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from iptviz.rules.form import Rewriting
from iptviz.rules.reading.headers import dscp_value
from iptviz.xtables.address import Network, parse_network, parse_range, split_nat_range
from iptviz.xtables.values.numbers import ALL_BITS, Masked, bit_change, read_mark, read_uint
from iptviz.xtables.values.protocols import read_nat_ports

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.grammar.parts import Target
    from iptviz.rules.operands import ConnectionMark, Queue, SetChange, Socket
    from iptviz.xtables.option import Option

_DEFAULT_ANSWERS = {"ipv4": "icmp-port-unreachable", "ipv6": "icmp6-port-unreachable"}
_LOOPBACK = {"ipv4": "127.0.0.1", "ipv6": "::1"}


def _names(target: Target) -> set[str]:
    return {option.name for option in target.options}


def _texts(target: Target) -> str:
    return " ".join(option.text().removeprefix("--") for option in target.options)


# --- verdicts, queues, sockets ---------------------------------------------------------------------------------


def _reject(target: Target, family: str) -> str:
    """Return the name of the answer."""
    return target.value("--reject-with") or _DEFAULT_ANSWERS[family]


def _queue(target: Target, _family: str) -> Queue:
    from iptviz.rules.operands import Queue

    number = target.value("--queue-num") or target.value("--queue-balance") or "0"
    return Queue(number, "--queue-bypass" in _names(target))


def _ct(target: Target, _family: str) -> str | None:
    """Return what is set, in words; None: the packet is not tracked at all."""
    return None if "--notrack" in _names(target) else _texts(target)


def _tproxy(target: Target, _family: str) -> Socket:
    from iptviz.rules.operands import Socket

    mark = read_mark(target.value("--tproxy-mark") or "0x0/0x0")
    return Socket(target.value("--on-port") or "the packet's port", mark or Masked(0, 0))


# --- marks -----------------------------------------------------------------------------------------------------


def _mark(target: Target, _family: str) -> Masked | None:
    """Return value and mask of `(mark & ~mask) ^ value`, or None where no option can be read."""
    operands = ((option.name, read_mark(option.values[0])) for option in target.options if option.values)
    changes = (bit_change(name, operand, ALL_BITS) for name, operand in operands if operand is not None)
    return next(filter(None, changes), None)


_WAYS = {"--save-mark": "save", "--restore-mark": "restore"}


def _connmark(target: Target, family: str) -> ConnectionMark:
    from iptviz.rules.operands import ConnectionMark

    names = _names(target)
    way = next((way for name, way in _WAYS.items() if name in names), "set")
    nfmask, ctmask = (_mask(target, name) for name in ("--nfmask", "--ctmask"))
    return ConnectionMark(way, _mark(target, family), nfmask, ctmask, _shift(target))


def _mask(target: Target, option: str) -> int:
    text = target.value(option) or target.value("--mask")
    number = read_uint(text) if text else ALL_BITS
    return ALL_BITS if number is None else number & ALL_BITS


def _shift(target: Target) -> int:
    for option, sign in (("--left-shift-mark", 1), ("--right-shift-mark", -1)):
        bits = read_uint(target.value(option) or "0")
        if bits:
            return sign * min(bits, 32)
    return 0


# --- fields of headers -----------------------------------------------------------------------------------------

_TTL_WAYS = {"set", "dec", "inc"}


def _time_to_live(target: Target, _family: str) -> tuple[tuple[str, int], ...]:
    """Return what can be read, in the rule's order: `set`, `dec` or `inc`, and the number."""
    read = ((option.name.rpartition("-")[2], _number(option)) for option in target.options)
    return tuple((way, number) for way, number in read if way in _TTL_WAYS and number is not None)


def _number(option: Option) -> int | None:
    return read_uint(option.values[0]) if option.values else None


def _dscp(target: Target, _family: str) -> int | None:
    """Return the code point, None where it cannot be read."""
    option = next((option for option in target.options if option.values), None)
    return None if option is None else dscp_value(option)


def _tos(target: Target, _family: str) -> Masked | None:
    """Return value and mask of `(tos & ~mask) ^ value`, None where the first option cannot be read."""
    from iptviz.xtables.values.headers import read_tos

    option = next(iter(target.options), None)
    operand = read_tos(option.values[0]) if option and option.values else None
    return None if option is None or operand is None else bit_change(option.name, operand, 0xFF)


def _ecn(target: Target, _family: str) -> bool:
    """Return whether bits of IP are changed, too."""
    return "--ecn-ip-ect" in _names(target)


def _prefix(target: Target, _family: str) -> str | None:
    """Return the new prefix as the rule writes it."""
    return target.value("--dst-pfx")


# --- nat -------------------------------------------------------------------------------------------------------


def _covering(text: str) -> tuple[Network | None, tuple[int, int] | None]:
    """Return the address, or the smallest network that holds all addresses of a range, and its ends."""
    if "-" not in text:
        return parse_network(text) if text else None, None
    ends = parse_range(text)
    if ends is None:
        return None, None
    first, last = ends
    open_bits = (first.value ^ last.value).bit_length()
    mask = first.mask >> open_bits << open_bits
    return Network(first.version, first.value & mask, mask), (first.value, last.value)


def _rewriting(addresses: str, ports: str | None, target: Target) -> Rewriting:
    return rewriting(addresses, ports, randomized=any(option.name in _RANDOM for option in target.options))


def rewriting(addresses: str, ports: str | None, *, randomized: bool) -> Rewriting:
    """Return where nat sends packets: addresses and ports, or ranges of them, as iptables writes them."""
    network, span = _covering(addresses)
    port, port_span = _port_or_span(ports) if ports else (None, None)
    return Rewriting(addresses, network, ports or "", port, span, port_span, randomized)


_RANDOM = {"--random", "--random-fully"}


@lru_cache  # of ten thousand endpoints most listen on the same few ports
def _port_or_span(ports: str) -> tuple[int | None, tuple[int, int] | None]:
    """Return the only port, or the ends of several among which the kernel leaves a packet's own as it is."""
    read = read_nat_ports(ports)
    if read is None:
        return None, None
    if read.first == read.last:
        return read.first, None
    return None, (read.first, read.last) if read.base is None else None


def _nat_range(option: str) -> Callable[[Target, str], Rewriting]:
    """Return the reader of addresses and ports that stand in one option."""
    return lambda target, _family: _rewriting(*split_nat_range(target.value(option) or ""), target)


def _masquerade(target: Target, _family: str) -> Rewriting:
    return _rewriting("", target.value("--to-ports"), target)


def _redirect(target: Target, family: str) -> Rewriting:
    """Return the ports, and the address to which what this node sends goes."""
    return _rewriting(_LOOPBACK[family], target.value("--to-ports"), target)


def _netmap(target: Target, _family: str) -> Rewriting:
    text = target.value("--to") or ""
    return Rewriting(text, parse_network(text), "", None)


# --- lists and logs --------------------------------------------------------------------------------------------


def _set(target: Target, _family: str) -> SetChange:
    from iptviz.rules.operands import SetChange

    names = tuple(
        option.values[0] for option in target.options if option.name.endswith("-set") and option.values
    )
    return SetChange(names, _texts(target), "--map-mark" in _names(target))


def _log(target: Target, _family: str) -> str | None:
    """Return the prefix."""
    return target.value("--log-prefix") or target.value("--nflog-prefix")


TARGETS: dict[str, Callable[[Target, str], Any]] = {
    "REJECT": _reject,
    "QUEUE": _queue,
    "NFQUEUE": _queue,
    "DNAT": _nat_range("--to-destination"),
    "SNAT": _nat_range("--to-source"),
    "MASQUERADE": _masquerade,
    "REDIRECT": _redirect,
    "NETMAP": _netmap,
    "TPROXY": _tproxy,
    "MARK": _mark,
    "CONNMARK": _connmark,
    "CT": _ct,
    "TTL": _time_to_live,
    "HL": _time_to_live,
    "DSCP": _dscp,
    "TOS": _tos,
    "ECN": _ecn,
    "SET": _set,
    "SNPT": _prefix,
    "DNPT": _prefix,
    "LOG": _log,
    "NFLOG": _log,
    "ULOG": _log,
}
"""From a target and the family, `ipv4` or `ipv6`, to its operand; a target without a row is given None."""


def target_operand(target: Target, family: str) -> Any:
    """Return what a target is given, already read."""
    read = TARGETS.get(target.name)
    return None if read is None else read(target, family)
