"""Statements that begin with a word of their own: nat, reject, log, queue, changes of sets, and the like."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.nft.constants import RAW
from iptviz.nft.expression_reader import (
    begins_expression,
    read_expression,
)  # fmt: skip
from iptviz.nft.expressions import Range, Value
from iptviz.nft.finishing import (
    STRING,
    finished,
    finished_address,
    made_nat,
    made_reject,
)  # fmt: skip
from iptviz.nft.statements import (
    Dup,
    Fwd,
    Log,
    Nat,
    Notrack,
    ObjectStatement,
    Queue,
    Synproxy,
    Tproxy,
    Xt,
)  # fmt: skip
from iptviz.nft.update_reader import read_meter, read_old_update, read_update
from iptviz.nft.words import NotReadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.nft.expressions import Expression
    from iptviz.nft.statements import Statement
    from iptviz.nft.words import Words

_FAMILIES = ("ip", "ip6")


def object_of(kind: str, words: Words) -> ObjectStatement:
    """Read the name of an object, or what tells it."""
    if begins_expression(words):
        return ObjectStatement(kind, finished(read_expression(words), STRING))
    return ObjectStatement(kind, Value("string", words.text()))


def _family(words: Words) -> str:
    return words.take() if words.peek() in _FAMILIES else ""


# --- nat and tproxy ----------------------------------------------------------------------------------------

_FOUR = re.compile(r"([\d./]+(?:-[\d.]+)?)(?::(.*))?", re.ASCII)
_SIX = re.compile(r"\[([^\]]+)\](?:-\[([^\]]+)\])?(?::(.*))?")


def _nat(words: Words, family: str) -> Statement:
    kind = words.take()
    asked = _family(words)
    is_prefix = _nat_form(words)
    address, port = _target(words) if words.skip("to") else (None, None)
    return made_nat(Nat(kind, asked, address, port, _flags(words, _NAT_FLAGS), is_prefix), family)


def _nat_form(words: Words) -> bool:
    """Read what stands before `to`; whether it is `prefix`."""
    if words.skip("addr") and words.skip("."):
        words.expect("port")
    words.skip("interval")
    return words.skip("prefix")


_NAT_FLAGS = frozenset({"random", "fully-random", "persistent"})


def _flags(words: Words, known: frozenset[str]) -> tuple[str, ...]:
    flags = []
    while words.peek() in known:
        flags.append(words.take())
        words.skip(",")
    return tuple(flags)


def _target(words: Words) -> tuple[Expression | None, Expression | None]:
    """Read an address, a port, or both."""
    if words.peek().startswith(":"):
        return None, _port(words, words.take()[1:])
    if begins_expression(words):
        address = read_expression(words)
        return address, (_port(words, words.take()[1:]) if words.peek().startswith(":") else None)
    word = words.text()
    found = _SIX.fullmatch(word)
    if found:
        low, high, port = found.groups()
        address = Range(Value(RAW, low), Value(RAW, high)) if high else Value(RAW, low)
        return address, _port(words, port) if port is not None else None
    found = _FOUR.fullmatch(word)
    text, port = found.groups() if found else (word, None)
    return Value(RAW, text), _port(words, port) if port is not None else None


def _port(words: Words, text: str) -> Expression:
    """Return a port, of which the beginning may be joined to what stands before it: `:tcp dport map { ... }`."""
    if not text:
        return read_expression(words)
    words.at -= 1
    words.words[words.at] = text
    return read_expression(words) if begins_expression(words) else Value(RAW, words.take())


def _tproxy(words: Words, family: str) -> Statement:
    words.take()
    asked = _family(words)
    words.expect("to")
    nat = made_nat(Nat("tproxy", asked, *_target(words)), family)
    return Tproxy(nat.family, nat.address, nat.port)


# --- others ------------------------------------------------------------------------------------------------


def _reject(words: Words, family: str) -> Statement:
    words.take()
    kind, code = "", ""
    if words.skip("with"):
        kind = words.take()
        words.skip("type")
        code = words.text()
        kind = f"{kind} {code}" if kind == "tcp" else kind
    found = made_reject(kind, code, family)
    if found is None:
        raise NotReadError
    return found


_LOG_NUMBERS = ("level", "group", "snaplen", "queue-threshold")


def _log(words: Words, _family: str) -> Statement:
    words.take()
    prefix = None
    options = []
    while True:
        if words.skip("prefix"):
            prefix = words.text()
        elif words.skip("flags"):
            options += [("flags", flag) for flag in _log_flags(words)]
        elif words.peek() in _LOG_NUMBERS:
            options.append((words.take(), words.text()))
        else:
            return Log(prefix, tuple(sorted(options)))


def _log_flags(words: Words) -> list[str]:
    group = words.take()
    if group not in {"tcp", "ip"}:
        return [group]
    flags = [f"{group} {words.take()}"]
    while words.skip(","):
        flags.append(f"{group} {words.take()}")
    return flags


_QUEUE_FLAGS = frozenset({"bypass", "fanout"})


def _queue(words: Words, _family: str) -> Statement:
    words.take()
    flags = _flags(words, _QUEUE_FLAGS) if words.skip("flags") else ()
    to: Expression = Value("integer", 0)
    if words.skip("num") or words.skip("to"):
        to = finished(read_expression(words), ("integer",))
    return Queue(to, tuple(sorted((*flags, *_flags(words, _QUEUE_FLAGS)))))


_DEVICE = ("ifname",)


def _dup(words: Words, family: str) -> Statement:
    words.take()
    words.expect("to")
    to = read_expression(words)
    if family == "netdev":
        return Dup(None, finished(to, _DEVICE))
    device = finished(read_expression(words), _DEVICE) if words.skip("device") else None
    return Dup(finished_address(to, family), device)


def _fwd(words: Words, _table_family: str) -> Statement:
    words.take()
    family = _family(words)
    words.expect("to")
    to = read_expression(words)
    if not words.skip("device"):
        return Fwd(finished(to, _DEVICE))
    return Fwd(finished(read_expression(words), _DEVICE), finished_address(to, family), family)


def _notrack(words: Words, _family: str) -> Statement:
    words.take()
    return Notrack()


def _synproxy(words: Words, _family: str) -> Statement:
    words.take()
    if words.skip("name"):
        return object_of("synproxy", words)
    numbers: dict[str, int] = {}
    while words.peek() in {"mss", "wscale"}:
        option = words.take()
        numbers[option] = words.number()
    flags = _flags(words, frozenset({"timestamp", "sack-perm"}))
    return Synproxy(numbers.get("mss"), numbers.get("wscale"), tuple(sorted(flags)))


def _xt(words: Words, _family: str) -> Statement:
    words.take()
    return Xt(words.one_of(("match", "target", "watcher")), words.text())


def _flow(words: Words, _family: str) -> Statement:
    words.take()
    words.one_of(("add", "offload"))
    return ObjectStatement("flow", Value("string", words.take().removeprefix("@")))


ACTIONS: dict[str, Callable[[Words, str], Statement]] = {
    **dict.fromkeys(("dnat", "snat", "masquerade", "redirect"), _nat),
    "tproxy": _tproxy,
    "reject": _reject,
    "log": _log,
    "queue": _queue,
    "dup": _dup,
    "fwd": _fwd,
    "notrack": _notrack,
    "synproxy": _synproxy,
    "xt": _xt,
    "flow": _flow,
    **dict.fromkeys(("add", "update", "delete"), read_update),
    "set": read_old_update,
    "meter": read_meter,
}
"""By the first word, what reads a statement in a table of a family."""
