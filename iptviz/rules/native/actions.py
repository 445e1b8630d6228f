"""What statements of nft do with a packet, as targets that the engine knows.

Source: net/netfilter/nft_nat.c, nft_masq.c, nft_redir.c, nft_tproxy.c, nft_meta.c, nft_ct.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.nft.expressions import (
    Concatenation,
    Ct,
    Extension,
    Meta,
    Payload,
    Prefix,
    Range,
    Value,
    network_of,
)  # fmt: skip
from iptviz.nft.marks import arithmetic
from iptviz.nft.statements import (
    Assign,
    ConnectionLimit,
    Dup,
    Limit,
    Log,
    Nat,
    Notrack,
    ObjectStatement,
    Queue,
    Quota,
    Reject,
    SetUpdate,
    Synproxy,
    Tproxy,
    Unread,
    Verdict,
    Xt,
)  # fmt: skip
from iptviz.nft.symbols import SYMBOLS
from iptviz.records import NamedTuple
from iptviz.rules.form import GOTO, JUMP, NOTHING, RETURN, TARGET, UNCLEAR, Action, Rewriting, Test
from iptviz.rules.native.comparing import quoting
from iptviz.rules.native.fields import bounds_of
from iptviz.rules.native.words import show_constant, words_of
from iptviz.rules.operands import ConnectionMark, SetChange, Socket, Tracked
from iptviz.rules.operands import Queue as QueueOperand
from iptviz.rules.reading.targets import rewriting
from iptviz.xtables.address import full_mask
from iptviz.xtables.values.numbers import ALL_BITS, Masked

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.nft.expressions import Expression
    from iptviz.nft.statements import Statement
    from iptviz.rules.native.comparing import Way
    from iptviz.rules.native.scope import Scope


class Done(NamedTuple):
    """What a statement asks before it acts, what it does, and whether the statements after it come to it."""

    tests: Way
    action: Action | None
    ends: bool = False


def _ending(name: str, operand: Any = None) -> Action:
    return Action(TARGET, name, operand)


def _going_on(name: str, operand: Any = None) -> Action:
    return Action(TARGET, name, operand, continues=True)


# --- verdicts ------------------------------------------------------------------------------------------------


def verdict(statement: Verdict) -> Action:
    """Return the action of a verdict."""
    made = _VERDICTS.get(statement.kind)
    return Action(UNCLEAR) if made is None else made(statement.chain)


_VERDICTS: dict[str, Callable[[str], Action]] = {
    "accept": lambda _chain: _ending("ACCEPT"),
    "drop": lambda _chain: _ending("DROP"),
    "continue": lambda _chain: Action(NOTHING),
    "return": lambda _chain: Action(RETURN),
    "jump": lambda chain: Action(JUMP, chain),
    "goto": lambda chain: Action(GOTO, chain),
    "queue": lambda _chain: _ending("NFQUEUE", QueueOperand("0", bypass=False)),
}


def _verdict(statement: Verdict, _scope: Scope) -> Done:
    return Done((), verdict(statement), ends=statement.kind != "continue")


def _code(kind: str, code: int | None) -> str:
    names = {number: name for name, number in SYMBOLS[f"{kind}_code"].items()}
    return f"{kind} {names.get(code or 0, code)}"


def _reject(statement: Reject, scope: Scope) -> Done:
    kind = statement.kind
    if kind in {"icmp", "icmpv6"} and (kind == "icmp") != (scope.version == 4):
        return Done((quoting(f"reject with {kind}"),), _ending("REJECT", kind), ends=True)
    operand = "tcp reset" if kind.startswith("tcp") else _code(kind, statement.code)
    return Done((), _ending("REJECT", operand), ends=True)


def _queue(statement: Queue, _scope: Scope) -> Done:
    bounds = bounds_of(statement.to) if statement.to is not None else None
    number = words_of(statement.to).replace("-", ":") if statement.to is not None else "0"
    number = number if bounds else "0"
    return Done((), _ending("NFQUEUE", QueueOperand(number, "bypass" in statement.flags)), ends=True)


# --- nat -----------------------------------------------------------------------------------------------------

_LOOPBACK = {"ipv4": "127.0.0.1", "ipv6": "::1"}
_FAMILIES = {"ip": "ipv4", "ip6": "ipv6"}
_RANDOM = {"random", "fully-random"}


def serves(statement: Nat, scope: Scope) -> bool:
    """Whether nat of a family does anything to packets of the scope's."""
    return _FAMILIES.get(statement.family, scope.family) == scope.family


def nat_action(statement: Nat, data: Expression | None, port: Expression | None, scope: Scope) -> Action:
    """Return what nat does with an address, which may have a port with it, and a port."""
    address = data
    if isinstance(data, Concatenation):
        address, port = data.parts[0], data.parts[1]
    randomized = not _RANDOM.isdisjoint(statement.flags)
    addresses = "" if address is None else _range_text(address)
    ports = None if port is None else _range_text(port)
    if statement.kind == "redirect":
        return _ending("REDIRECT", rewriting(_LOOPBACK[scope.family], ports, randomized=randomized))
    if statement.kind == "masquerade":
        return _ending("MASQUERADE", rewriting("", ports, randomized=randomized))
    if statement.is_prefix and isinstance(address, Prefix):
        return _ending("NETMAP", _mapped(address))
    return _ending(statement.kind.upper(), rewriting(addresses, ports, randomized=randomized))


def _mapped(prefix: Prefix) -> Rewriting:
    return Rewriting(words_of(prefix), network_of(prefix), "", None)


def _range_text(constant: Expression) -> str:
    if isinstance(constant, Prefix):
        network = network_of(constant)
        if network is not None:
            last = network.value | (full_mask(network.version) & ~network.mask)
            kind = constant.base.type
            return f"{show_constant(kind, network.value)}-{show_constant(kind, last)}"
    if isinstance(constant, Range) and constant.low == constant.high:
        return words_of(constant.low)
    return words_of(constant)


# --- marks and other changes ---------------------------------------------------------------------------------

_CONNECTED = Test("tracked", Tracked(None, beside_state=False), quote="ct mark", part="ct mark")


def _assign(statement: Assign, _scope: Scope) -> Done:
    return _ASSIGNED.get(statement.target, _lost)(statement)


def _mark(statement: Assign) -> Done:
    found = arithmetic(statement.value)
    if found is None:
        return Done((), _going_on("HMARK"))
    of, keep, flip = found
    if of != "connmark":
        return Done((), _going_on("MARK", Masked(flip, ALL_BITS & ~keep)))
    if flip:
        return Done((_CONNECTED,), _going_on("HMARK"))
    return Done((_CONNECTED,), _going_on("CONNMARK", ConnectionMark("restore", None, ALL_BITS, keep, 0)))


def _connmark(statement: Assign) -> Done:
    found = arithmetic(statement.value)
    if found is None or (found.of == "mark" and found.flip):
        return Done((), _going_on("CONNMARK", ConnectionMark("set", None, ALL_BITS, ALL_BITS, 0)))
    of, keep, flip = found
    if of == "mark":
        return Done((), _going_on("CONNMARK", ConnectionMark("save", None, keep, ALL_BITS, 0)))
    change = Masked(flip, ALL_BITS & ~keep)
    first = (_CONNECTED,) if of else ()
    return Done(first, _going_on("CONNMARK", ConnectionMark("set", change, ALL_BITS, ALL_BITS, 0)))


def _number(value: Expression) -> int | None:
    bounds = bounds_of(value)
    return bounds.first if bounds is not None and bounds.first == bounds.last else None


def _ttl(statement: Assign) -> Done:
    number = _number(statement.value)
    return Done((), _going_on("TTL", () if number is None else (("set", number),)))


def _dscp(statement: Assign) -> Done:
    return Done((), _going_on("DSCP", _number(statement.value)))


def _priority(_statement: Assign) -> Done:
    return Done((), _going_on("CLASSIFY"))


def _trace(_statement: Assign) -> Done:
    return Done((), _going_on("TRACE"))


def _lost(statement: Assign) -> Done:
    target = statement.target
    if isinstance(target, Extension):
        return Done((), _going_on("TCPMSS" if target.field == "size" else "TCPOPTSTRIP"))
    if isinstance(target, Ct) or target == Meta("secmark"):
        return Done((), _going_on("CONNSECMARK" if isinstance(target, Ct) else "SECMARK"))
    return Done((), Action(TARGET, f"set {words_of(target)}", known=False))


_ASSIGNED: dict[Expression, Callable[[Assign], Done]] = {
    Meta("mark"): _mark,
    Ct("mark"): _connmark,
    Meta("priority"): _priority,
    Meta("nftrace"): _trace,
    Payload("ip", "ttl"): _ttl,
    Payload("ip6", "hoplimit"): _ttl,
    Payload("ip", "dscp"): _dscp,
    Payload("ip6", "dscp"): _dscp,
}

# --- limits, logs and the rest -------------------------------------------------------------------------------


def _limit(statement: Limit, _scope: Scope) -> Done:
    unit = "" if statement.unit == "packets" else f" {statement.unit}"
    value = f"limit {statement.rate}{unit}/{statement.per}"
    return Done((Test("rate", None, statement.over, value, part=value),), None)


def _quota(statement: Quota, _scope: Scope) -> Done:
    value = str(statement.bytes)
    return Done((Test("quota", None, statement.over, value, part=f"quota {value} bytes"),), None)


def _count(statement: ConnectionLimit, _scope: Scope) -> Done:
    value = f"ct count {'over ' if statement.over else ''}{statement.most}"
    return Done((Test("count", None, value=value, part=value),), None)


def _log(statement: Log, _scope: Scope) -> Done:
    return Done((), _going_on("LOG", statement.prefix))


def _notrack(_statement: Notrack, _scope: Scope) -> Done:
    return Done((), _going_on("NOTRACK"))


def _dup(_statement: Dup, _scope: Scope) -> Done:
    return Done((), _going_on("TEE"))


def _tproxy(statement: Tproxy, _scope: Scope) -> Done:
    port = words_of(statement.port) if isinstance(statement.port, Value) else "the packet's port"
    listener = Test("listener", value=f"TPROXY port {port}", part=f"tproxy to :{port}")
    return Done((listener,), _going_on("TPROXY", Socket(port, Masked(0, 0), ends=False)))


def _synproxy(_statement: Synproxy, _scope: Scope) -> Done:
    return Done((), _ending("SYNPROXY"))


def _update(statement: SetUpdate, scope: Scope) -> Done:
    text = f"{statement.operation} @{statement.set}"
    tests = tuple(test for each in statement.statements for test in done(each, scope).tests)
    return Done(tests, _going_on("SET", SetChange((statement.set,), text, marks=False)))


_OBJECT_TESTS = {"quota": "quota", "limit": "rate"}


def _object(statement: ObjectStatement, _scope: Scope) -> Done:
    text = f"{statement.kind} name {words_of(statement.name)}"
    if statement.kind in _OBJECT_TESTS:
        return Done((quoting(text),), None)
    if statement.kind == "synproxy":
        return Done((), _ending("SYNPROXY"))
    return Done((), _going_on("CONNSECMARK") if statement.kind != "counter" else None)


def _xt(statement: Xt, _scope: Scope) -> Done:
    text = f'xt {statement.kind} "{statement.name}"'.replace("  ", " ")
    if statement.kind == "target":
        return Done((), Action(TARGET, statement.name, known=False), ends=True)
    return Done((quoting(text),), None)


def _unread(statement: Unread, _scope: Scope) -> Done:
    return Done((quoting(statement.text),), None)


DOING: dict[type, Callable[[Any, Scope], Done]] = {
    Verdict: _verdict,
    Reject: _reject,
    Queue: _queue,
    Assign: _assign,
    Limit: _limit,
    Quota: _quota,
    ConnectionLimit: _count,
    Log: _log,
    Notrack: _notrack,
    Dup: _dup,
    Tproxy: _tproxy,
    Synproxy: _synproxy,
    SetUpdate: _update,
    ObjectStatement: _object,
    Xt: _xt,
    Unread: _unread,
}
"""By the class of a statement what it asks and does; those without a row do nothing that matters here."""


def done(statement: Statement, scope: Scope) -> Done:
    """Return what a statement asks and does."""
    row = DOING.get(type(statement))
    return Done((), None) if row is None else row(statement, scope)
