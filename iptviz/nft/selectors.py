"""What a rule may ask about, as it begins with a keyword: fields of headers, `meta`, `ct`, `fib` and the like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.nft.expressions import (
    Ct,
    Extension,
    Fib,
    Hash,
    Ipsec,
    Meta,
    Numgen,
    Osf,
    Payload,
    RawPayload,
    Rt,
    Socket,
)  # fmt: skip
from iptviz.nft.fields import CT, EXTENSIONS, META, PAYLOADS
from iptviz.nft.words import NotReadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.nft.expressions import Expression
    from iptviz.nft.words import Words


def _payload(words: Words) -> Expression:
    protocol = words.take()
    if words.peek() == "option" and protocol in {"tcp", "ip"}:
        return _option(words, f"{protocol} {words.take()}")
    if words.peek() == "chunk" and protocol == "sctp":
        return _option(words, f"sctp {words.take()}")
    if words.peek() == "option" and protocol == "dccp":
        words.take()
        return Extension("dccp option", str(words.number()))
    field = words.take()
    if protocol == "arp" and words.peek() in {"ip", "ether"}:
        field = f"{field} {words.take()}"
    if field not in PAYLOADS[protocol]:
        raise NotReadError
    return Payload(protocol, field)


_OPTION_FIELDS = frozenset(
    [
        "kind",
        "length",
        "size",
        "count",
        "left",
        "right",
        "tsval",
        "tsecr",
        "ptr",
        "addr",
        "type",
        "value",
        "tsn",
        "stream",
        "ssid",
        "ppid",
        "flags",
        "init-tag",
        "a-rwnd",
        "num-outbound-streams",
        "num-inbound-streams",
        "initial-tsn",
        "cum-tsn-ack",
        "num-gap-ack-blocks",
        "num-dup-tsns",
        "lowest-tsn",
        "seqno",
        "new-cum-tsn",
    ]
)


def _option(words: Words, kind: str) -> Expression:
    name = words.take()
    return Extension(kind, name, words.take() if words.peek() in _OPTION_FIELDS else "")


def _extension(words: Words) -> Expression:
    name = words.take()
    field = words.take()
    if field.partition("[")[0] not in EXTENSIONS[name]:
        raise NotReadError
    return Extension("exthdr", name, field)


def _exthdr(words: Words) -> Expression:
    words.take()
    return Extension("exthdr", words.one_of(EXTENSIONS))


def _meta(words: Words) -> Expression:
    words.take()
    return Meta(words.one_of(META))


_FAMILIES = ("ip", "ip6")
_DIRECTIONS = ("original", "reply")


def _optional(words: Words, choices: tuple[str, ...]) -> str:
    return words.take() if words.peek() in choices else ""


def _ct(words: Words) -> Expression:
    words.take()
    direction = _optional(words, _DIRECTIONS)
    family = _optional(words, _FAMILIES)
    return Ct(words.one_of(CT), direction, family)


_FIB_FLAGS = ("saddr", "daddr", "mark", "iif", "oif")


def _fib(words: Words) -> Expression:
    words.take()
    flags = [words.one_of(_FIB_FLAGS)]
    while words.skip("."):
        flags.append(words.one_of(_FIB_FLAGS))
    result = words.one_of(("type", "oif", "oifname", "check"))
    return Fib(tuple(flags), result)


def read_offset(words: Words) -> int:
    """Read the number from which others are counted, 0 where there is none."""
    return words.number() if words.skip("offset") else 0


def _numgen(words: Words) -> Expression:
    words.take()
    mode = words.one_of(("random", "inc"))
    words.expect("mod")
    return Numgen(mode, words.number(), read_offset(words))


def _symhash(words: Words) -> Expression:
    words.take()
    words.expect("mod")
    return Hash("symhash", None, words.number(), None, read_offset(words))


def _socket(words: Words) -> Expression:
    words.take()
    key = words.one_of(("transparent", "mark", "wildcard", "cgroupv2"))
    return Socket(key, words.number() if words.skip("level") else None)


def _osf(words: Words) -> Expression:
    words.take()
    ttl = words.one_of(("loose", "skip")) if words.skip("ttl") else ""
    return Osf(words.one_of(("name", "version")), ttl)


def _rt(words: Words) -> Expression:
    if words.peek(1) in EXTENSIONS["rt"]:
        return _extension(words)
    words.take()
    family = _optional(words, _FAMILIES)
    return Rt(words.one_of(("classid", "nexthop", "mtu", "tcpmss", "ipsec")), family)


def _ipsec(words: Words) -> Expression:
    words.take()
    direction = words.one_of(("in", "out"))
    number = words.number() if words.skip("spnum") else 0
    family = _optional(words, _FAMILIES)
    return Ipsec(direction, words.one_of(("reqid", "spi", "saddr", "daddr")), family, number)


def read_raw_payload(words: Words) -> Expression:
    """Read bits of a header: `@th,16,16`."""
    base = words.take()[1:]
    if base not in {"ll", "nh", "th", "ih"}:
        raise NotReadError
    words.expect(",")
    offset = words.number()
    words.expect(",")
    return RawPayload(base, offset, words.number())


SELECTORS: dict[str, Callable[[Words], Expression]] = {
    **dict.fromkeys(PAYLOADS, _payload),
    **dict.fromkeys((name for name in EXTENSIONS if name != "rt"), _extension),
    "exthdr": _exthdr,
    "meta": _meta,
    "ct": _ct,
    "fib": _fib,
    "numgen": _numgen,
    "symhash": _symhash,
    "socket": _socket,
    "osf": _osf,
    "rt": _rt,
    "ipsec": _ipsec,
}
"""By the keyword, what reads it."""
