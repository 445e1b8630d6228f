"""Where base chains are hooked in: the names that nft has for numbers of priorities."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from iptviz.nft.model import Base
from iptviz.nft.tokens import read_number, tokens_of, unquoted

if TYPE_CHECKING:
    from collections.abc import Iterable

_PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
_OF_BRIDGES = {"dstnat": -300, "filter": -200, "out": 100, "srcnat": 300}


def read_priority(words: list[str], family: str) -> int | None:
    """Read `filter`, `dstnat - 10`, `-110`; a bridge has other numbers (`man nft`). None where it is none."""
    known = _OF_BRIDGES if family == "bridge" else _PRIORITIES
    text = "".join(words)
    for name, number in known.items():
        if text.startswith(name):
            rest = text.removeprefix(name)
            return number if not rest else _signed(rest, number)
    return _signed(text if text[:1] in {"+", "-"} else f"+{text}", 0)


def _signed(text: str, base: int) -> int | None:
    number = read_number(text[1:])
    if number is None or text[0] not in "+-":
        return None
    return base + (number if text[0] == "+" else -number)


def read_base(statements: Iterable[str], family: str) -> Base | None:
    """Read what a chain says of its hook: `type filter hook input priority filter`, `policy drop`."""
    base: Base | None = None
    policy = "accept"
    flags: tuple[str, ...] = ()
    for statement in statements:
        words = tokens_of(statement)
        if words[:1] == ["type"] and "hook" in words:
            base = _hooked(words, family)
        elif words[:1] == ["policy"] and len(words) > 1:
            policy = words[1]
        elif words[:1] == ["flags"]:
            flags = tuple(word for word in words[1:] if word != ",")
        elif words[:1] == ["devices"] and base is not None:
            base = base._replace(devices=_devices(words))
    return None if base is None else base._replace(policy=policy, flags=flags)


def _after(words: list[str], name: str) -> list[str]:
    return words[words.index(name) + 1 :] if name in words else []


def _hooked(words: list[str], family: str) -> Base:
    hook = (*_after(words, "hook"), "")[0]
    device = _after(words, "device")[:1]
    devices = tuple(map(unquoted, device)) or _devices(_after(words, "devices"))
    return Base((*words[1:2], "")[0], hook, read_priority(_after(words, "priority"), family), devices=devices)


def _devices(words: list[str]) -> tuple[str, ...]:
    listed = takewhile(lambda word: word != "}", _after(words, "{"))
    return tuple(unquoted(word) for word in listed if word != ",")
