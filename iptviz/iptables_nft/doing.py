"""What statements of nft do with a packet, as a target of iptables: the inverse of what iptables has nft print.

Source: the `xlate` functions of iptables' extensions. What they print of a CONNMARK that replaces some bits says,
as nft reads it, something else; its words are its own, so that the value and the mask are known by their places
(findings/nft-list-undoes-connmark.sh). One that shifts is taken for one of unknown options.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from iptviz.iptables_nft.pieces import HIDDEN, NATIVE
from iptviz.iptables_nft.recognised import may_name
from iptviz.iptables_nft.words import address_words, bare, number_of, quoted, range_words, span_of
from iptviz.nft.expressions import Ct, Extension, Meta, Payload, Prefix, Range, Rt, Value
from iptviz.nft.marks import arithmetic
from iptviz.nft.statements import (
    Assign,
    Dup,
    Log,
    Nat,
    Notrack,
    Queue,
    Reject,
    Synproxy,
    Unread,
    Verdict,
    Xt,
)
from iptviz.nft.symbols import SYMBOLS
from iptviz.xtables.targets import target_spec
from iptviz.xtables.values.numbers import ALL_BITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.nft.expressions import Expression
    from iptviz.nft.statements import Statement


def hidden(target: str) -> str:
    """Return a target of which nft prints the name alone."""
    return f"-j {target} {HIDDEN}"


def unclear(text: str) -> str:
    """Return the target that stands for text of nft which iptables has no words for."""
    return f"-j {NATIVE} --text {quoted(text)}"


def done(statement: Statement, text: str, version: int) -> str | None:
    """Return the target that a statement is, empty for none; None where iptables has none."""
    read = _STATEMENTS.get(type(statement))
    return None if read is None else read(statement, text, version)


def ends(statement: Statement) -> bool:
    """Whether a rule may have nothing behind a statement: it does something."""
    return type(statement) in _STATEMENTS and not isinstance(statement, Unread)


# --- verdicts, answers, queues -------------------------------------------------------------------------------

_WAYS = {"jump": "-j", "goto": "-g"}
_VERDICTS = {"accept": "-j ACCEPT", "drop": "-j DROP", "return": "-j RETURN", "continue": ""}


def _verdict(verdict: Verdict, _text: str, _version: int) -> str | None:
    if verdict.kind in _WAYS:
        return f"{_WAYS[verdict.kind]} {verdict.chain}" if may_name(verdict.chain) else None
    return _VERDICTS.get(verdict.kind)


_ANSWERS = {
    4: (
        "icmp",
        {name: f"icmp-{name}" for name in SYMBOLS["icmp_code"]}
        | {"prot-unreachable": "icmp-proto-unreachable"},
    ),
    6: (
        "icmpv6",
        {name: f"icmp6-{name}" for name in SYMBOLS["icmpv6_code"]}
        | {"admin-prohibited": "icmp6-adm-prohibited"},
    ),
}
_UNKNOWN_TO_IPTABLES = {"icmp-frag-needed"}


def _reject(reject: Reject, _text: str, version: int) -> str | None:
    if reject.kind == "tcp reset":
        return "-j REJECT --reject-with tcp-reset"
    kind, names = _ANSWERS[version]
    codes = {number: name for name, number in SYMBOLS[f"{kind}_code"].items()}
    answer = names.get(codes.get(reject.code if reject.code is not None else -1, ""))
    if reject.kind != kind or answer is None or answer in _UNKNOWN_TO_IPTABLES:
        return None
    return f"-j REJECT --reject-with {answer}"


def _queue(queue: Queue, _text: str, _version: int) -> str | None:
    flags = [f"--queue-{'cpu-fanout' if flag == 'fanout' else flag}" for flag in queue.flags]
    span = (0, 0) if queue.to is None else span_of("==", queue.to)
    if span is None:
        return None
    first, last = span
    number = f"--queue-num {first}" if first == last else f"--queue-balance {first}:{last}"
    return " ".join(("-j NFQUEUE", number, *flags))


# --- nat -----------------------------------------------------------------------------------------------------

_FLAGS = {"random": "--random", "fully-random": "--random-fully", "persistent": "--persistent"}
_OPTIONS = {
    "dnat": ("DNAT", "--to-destination"),
    "snat": ("SNAT", "--to-source"),
    "masquerade": ("MASQUERADE", "--to-ports"),
    "redirect": ("REDIRECT", "--to-ports"),
}
_FAMILIES = {"ip": 4, "ip6": 6}


def _nat(nat: Nat, _text: str, version: int) -> str | None:
    target, option = _OPTIONS[nat.kind]
    address = "" if nat.address is None else _new_address(nat.address)
    port = "" if nat.port is None else _new_port(nat.port)
    if address is None or port is None or nat.is_prefix or _FAMILIES.get(nat.family, version) != version:
        return None
    if option == "--to-ports":
        to = port
        port = ""
    else:
        to = f"[{address}]" if port and ":" in address else address
        to = f"{to}:{port}" if port else to
    flags = [_FLAGS[flag] for flag in nat.flags if flag in _FLAGS]
    return " ".join((f"-j {target}", *([option, to] if to else []), *flags))


def _new_address(address: Expression) -> str | None:
    if isinstance(address, (Range, Prefix)):
        return range_words(address)
    return address_words(address)


def _new_port(port: Expression) -> str | None:
    span = span_of("==", port)
    if span is None:
        return None
    return str(span[0]) if span[0] == span[1] else f"{span[0]}-{span[1]}"


# --- marks and other fields ----------------------------------------------------------------------------------


def _assign(assign: Assign, text: str, version: int) -> str | None:
    read = _ASSIGNED.get(assign.target)
    return None if read is None else read(assign.value, text, version)


def _mark(value: Expression, text: str, _version: int) -> str | None:
    found = arithmetic(value)
    if found is None:
        return None
    if found.of == "connmark":
        return _between("--restore-mark", found.keep, found.flip, text)
    return f"-j MARK --set-xmark 0x{found.flip:x}/0x{ALL_BITS & ~found.keep:x}"


_REPLACED = re.compile(r"ct mark set ct mark xor 0x([\da-f]+) and 0x([\da-f]+)")
_MIXED = re.compile(r"\bxor\b.*\band\b|[()]|<<|>>")
_MASKED = re.compile(r"\bmark and 0x")


def _between(option: str, keep: int, flip: int, text: str) -> str | None:
    """Return how one mark is made the other; of some bits iptables has `and` printed, where nft writes `&`."""
    if flip:
        return None
    if keep != ALL_BITS and not _MASKED.search(text):
        return None
    return f"-j CONNMARK {option} --nfmask 0x{keep:x} --ctmask 0x{keep:x}"


def _connmark(value: Expression, text: str, _version: int) -> str | None:
    if replaced := _REPLACED.fullmatch(text):
        to, keep = (int(number, 16) for number in replaced.groups())
        return f"-j CONNMARK --set-xmark 0x{to:x}/0x{ALL_BITS & ~keep:x}"
    found = arithmetic(value)
    if found is None or _MIXED.search(text):
        return hidden("CONNMARK")
    if found.of == "mark":
        return _between("--save-mark", found.keep, found.flip, text)
    return f"-j CONNMARK --set-xmark 0x{found.flip:x}/0x{ALL_BITS & ~found.keep:x}"


def _class(value: Expression, _text: str, _version: int) -> str | None:
    number = number_of(value)
    return (
        None
        if number is None
        else f"-j CLASSIFY --set-class {number >> 16 & 0xFFFF:04x}:{number & 0xFFFF:04x}"
    )


def _trace(value: Expression, _text: str, _version: int) -> str | None:
    return "-j TRACE" if number_of(value) == 1 else None


def _segment_size(value: Expression, _text: str, _version: int) -> str | None:
    if value == Rt("mtu"):
        return "-j TCPMSS --clamp-mss-to-pmtu"
    number = number_of(value)
    return None if number is None else f"-j TCPMSS --set-mss {number}"


def _dscp(family: int) -> Callable[[Expression, str, int], str]:
    """Return what reads a new DSCP; that of IPv6 is what iptables has printed for TOS, in tables of IPv4, too."""

    def read(value: Expression, _text: str, version: int) -> str:
        number = number_of(value)
        if number is None or version != family or family != 4:
            return hidden("TOS")
        return f"-j DSCP --set-dscp 0x{number:02x}"

    return read


_ASSIGNED: dict[Any, Callable[[Expression, str, int], str | None]] = {
    Meta("mark"): _mark,
    Ct("mark"): _connmark,
    Meta("priority"): _class,
    Meta("nftrace"): _trace,
    Extension("tcp option", "maxseg", "size"): _segment_size,
    Payload("ip", "dscp"): _dscp(4),
    Payload("ip6", "dscp"): _dscp(6),
}


# --- the rest ------------------------------------------------------------------------------------------------

_LOGGED = {"group": "--nflog-group", "snaplen": "--nflog-size", "queue-threshold": "--nflog-threshold"}


def _log(log: Log, _text: str, _version: int) -> str:
    options = dict(log.options)
    if options.get("level") == "audit":
        return hidden("AUDIT")
    grouped = "group" in options
    prefix = [] if log.prefix is None else [f"--{'nflog' if grouped else 'log'}-prefix", quoted(log.prefix)]
    told = [word for name, value in log.options if name in _LOGGED for word in (_LOGGED[name], quoted(value))]
    return " ".join(("-j NFLOG" if grouped else "-j LOG", *prefix, *told))


def _dup(dup: Dup, _text: str, _version: int) -> str | None:
    gateway = None if dup.address is None else address_words(dup.address)
    if gateway is None:
        return None
    device = dup.device.data if isinstance(dup.device, Value) else None
    return f"-j TEE --gateway {gateway}" + (f" --oif {bare(str(device))}" if device is not None else "")


def _synproxy(synproxy: Synproxy, _text: str, _version: int) -> str:
    flags = [f"--{flag}" for flag in synproxy.flags]
    numbers = [
        f"--{name} {value}"
        for name, value in (("wscale", synproxy.wscale), ("mss", synproxy.mss))
        if value is not None
    ]
    return " ".join(("-j SYNPROXY", *flags, *numbers))


def _xt(xt: Xt, _text: str, _version: int) -> str | None:
    if xt.kind not in {"target", ""}:
        return None
    return hidden(xt.name) if target_spec(xt.name) else None


_SETS = {"ct mark set ": "CONNMARK", "meta mark set ": "MARK", "log ": "LOG"}


def _unread(unread: Unread, _text: str, _version: int) -> str | None:
    return next((hidden(name) for words, name in _SETS.items() if unread.text.startswith(words)), None)


_STATEMENTS: dict[type, Callable[[Any, str, int], str | None]] = {
    Verdict: _verdict,
    Reject: _reject,
    Queue: _queue,
    Nat: _nat,
    Assign: _assign,
    Log: _log,
    Notrack: lambda _statement, _text, _version: "-j CT --notrack",
    Dup: _dup,
    Synproxy: _synproxy,
    Xt: _xt,
    Unread: _unread,
}
"""By the class of a statement, what reads it."""
