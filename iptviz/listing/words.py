"""How one piece of a listing's line becomes options of iptables-save: a pattern and a form, in tables.

A form names the groups of its pattern as `str.format` does; what follows the colon says how the group is
spelled for iptables-save: `{mask:flags}` turns 0x17 into FIN,SYN,RST,ACK, and a plain `{name}` is quoted
where it needs to be.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.records import NamedTuple
from iptviz.xtables.values.headers import DCCP_TYPES
from iptviz.xtables.values.protocols import TCP_FLAGS
from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Words = tuple[str, str]

WORD = r"\S+"
NUMBER = r"\d+"
HEX = r"0x[0-9A-Fa-f]{1,16}"
QUOTED = r'"(?:[^"\\]|\\.)*+"'

_BLANKS = re.compile(r"\s*+", re.ASCII)
# A piece ends where its word ends. ah puts no blank before its length; a pattern that only looks ahead
# stands where a word begins.
_END = r"(?:(?=\s|\Z|length:)|(?<=\s)|\A)"

_LOG_FLAGS = ("tcp-sequence", "tcp-options", "ip-options", "uid", "", "macdecode")
_LOG_LEVELS = ("emerg", "alert", "crit", "error", "warn", "notice", "info", "debug")
_IPV6_HEADERS = ("protocol", "ipv6-nonxt", "esp", "ah", "ipv6-frag", "ipv6-route", "ipv6-opts", "hop-by-hop")
_DCCP_NUMBERS = {str(number): name for number, name in enumerate(DCCP_TYPES)}
_SCTP_CHUNKS = (
    *("DATA", "INIT", "INIT_ACK", "SACK", "HEARTBEAT", "HEARTBEAT_ACK", "ABORT", "SHUTDOWN"),
    *("SHUTDOWN_ACK", "ERROR", "COOKIE_ECHO", "COOKIE_ACK", "ECN_ECNE", "ECN_CWR", "SHUTDOWN_COMPLETE"),
)
_CHUNK_NAMES = {f"0x{number:04x}": name for number, name in enumerate(_SCTP_CHUNKS)} | {
    "0x0040": "I_DATA",
    "0x0080": "ASCONF_ACK",
    "0x0082": "RE_CONFIG",
    "0x0084": "PAD",
    "0x00c0": "FORWARD_TSN",
    "0x00c1": "ASCONF",
}
_IPSEC = {"50": "esp", "51": "ah", "108": "ipcomp"}
_DEFAULT_LEVEL = "4"


class Row(NamedTuple):
    """One piece of a line: what it looks like, and what iptables-save writes for it."""

    pattern: re.Pattern[str]
    form: str


class ListedMatch(NamedTuple):
    """One match: how it begins, then its options in the order in which they are printed."""

    head: Row
    options: tuple[Row, ...]


def row(pattern: str, form: str) -> Row:
    """Make a row. Releases differ in blanks: one in `pattern` stands for many, and `!` takes any after it.

    No value begins with `!`: where it is not expected, the row does not fit.
    """
    lenient = pattern.replace(" ", r"\s++").replace("(?P<n>!)?", r"(?:(?P<n>!)\s*+|(?!!))")
    lenient = lenient.replace(r">\S+)", r">[^\s!]\S*)")
    return Row(re.compile(lenient + _END, re.ASCII | re.DOTALL), form)


def listed_match(head: str, form: str, *options: Words) -> ListedMatch:
    """Make a match of a head and its options, each a pattern and a form."""
    return ListedMatch(row(head, form), rows(*options))


def rows(*words: Words) -> tuple[Row, ...]:
    """Make rows of patterns and forms."""
    return tuple(row(pattern, form) for pattern, form in words)


def same(words: str, value: str = "") -> tuple[Words, ...]:
    """Return options that are printed under their own name, with a value where `value` is its pattern."""
    pattern, form = (f" (?P<a>{value})", " {a}") if value else ("", "")
    return tuple(
        (f"(?P<n>!)?{word}{pattern}", f"{{n:!}}--{word.removeprefix('--')}{form}") for word in words.split()
    )


def ahead(words: str) -> str:
    """Look for one of `words`, negated or not, and leave it to the options: such a match prints no head."""
    return rf"(?=(?:!\s*+)?(?:{'|'.join(words.split())})(?:\s|\Z))"


def transport(name: str, *options: Words) -> ListedMatch:
    """Make the match of a protocol with ports."""
    ports = tuple((rf"{end}pts?:(?P<n>!)?(?P<a>\S+)", f"{{n:!}}--{end}port {{a}}") for end in "sd")
    return listed_match(name, f"-m {name}", *ports, *options)


def read_rows(table: Iterable[Row], text: str, at: int) -> tuple[int, list[str]]:
    """Read each row of `table` at most once, in its order; where the next piece begins, and what was read."""
    pieces = []
    for pattern, form in table:
        found = pattern.match(text, at)
        if found:
            pieces.append(_fill(form, found))
            at = skip_blanks(text, found.end())
    return at, [piece for piece in pieces if piece]


def skip_blanks(text: str, at: int) -> int:
    """Return the first place from `at` on that holds no blank."""
    found = _BLANKS.match(text, at)
    return found.end() if found else at


class _Field(str):
    """What a group caught; how it is spelled is asked by the form."""

    __slots__ = ()

    def __format__(self, spelling: str) -> str:
        return _SPELLINGS[spelling](str(self))


def _fill(form: str, found: re.Match[str]) -> str:
    return form.format_map({name: _Field(text or "") for name, text in found.groupdict().items()}).strip()


def _bit_names(text: str, names: tuple[str, ...], none: str = "") -> str:
    """Name the bits of a hexadecimal number, the first name being that of the lowest; else keep the text."""
    bits = int(text, 16) if re.fullmatch(HEX, text) else -1
    if bits < 0 or bits >> len(names):
        return quote_word(text)
    return ",".join(name for place, name in enumerate(names) if bits >> place & 1) or none


def _header_names(text: str) -> str:
    """Name extension headers, which stand from the highest bit to the lowest."""
    named = _bit_names(text, _IPV6_HEADERS)
    return ",".join(reversed(named.split(","))) if re.fullmatch(HEX, text) else named


def _log_options(text: str) -> str:
    """Spell LOG's flags, which are a number with -n and words without."""
    words = text.split()
    if text.isdecimal():
        words = [word for place, word in enumerate(_LOG_FLAGS) if word and int(text) >> place & 1]
    return "".join(f" --log-{word}" for word in words)


def _log_level(text: str) -> str:
    """Spell LOG's level; iptables-save does not mention the default."""
    names = {name: str(number) for number, name in enumerate(_LOG_LEVELS)} | {"err": "3", "warning": "4"}
    level = names.get(text, text)
    return "" if level == _DEFAULT_LEVEL else f" --log-level {quote_word(level)}"


def _chunk_name(text: str) -> str:
    number, colon, flags = text.partition(":")
    return _CHUNK_NAMES.get(number.lower(), number) + colon + flags


def _dccp_name(text: str) -> str:
    return _DCCP_NUMBERS.get(text, text)


def _each(spell: Callable[[str], str]) -> Callable[[str], str]:
    """Spell every word of a list with commas."""
    return lambda text: quote_word(",".join(map(spell, text.split(","))))


def _bytecode(text: str) -> str:
    """Put the number of its instructions before a BPF program, which a listing leaves out."""
    program = text.strip(" ,\0")
    return quote_word(f"{program.count(',') + 1},{program}")


_SPELLINGS: dict[str, Callable[[str], str]] = {
    "": quote_word,
    "raw": str,  # printed in quotes already, as xtables_save_string does
    "!": lambda text: "! " if text else "",
    "flags": lambda text: _bit_names(text, TCP_FLAGS, "NONE"),
    "headers": _header_names,
    "chunks": _each(_chunk_name),
    "dccp": _each(_dccp_name),
    "days": _each(lambda day: day.rstrip("dhnrst")),  # 1st, 2nd, 3rd, 4th
    "commas": lambda text: quote_word(text.replace("-", ",")),
    "ipsec": lambda text: quote_word(_IPSEC.get(text, text)),
    "not32": lambda text: f"{~int(text, 16) & 0xFFFFFFFF:#x}",
    "not8": lambda text: f"{~int(text, 16) & 0xFF:#04x}",
    "class": lambda text: ":".join(f"{int(half, 16):04x}" for half in text.split(":")),
    "decimal": lambda text: str(int(text, 16)),
    "program": _bytecode,
    "level": _log_level,
    "log": _log_options,
    "recent": lambda text: {"CHECK": "--rcheck"}.get(text, f"--{text.lower()}"),
    "side": lambda text: f"--r{text}",
    "prefix": lambda text: f"--log-prefix {quote_word(text)}" if text else "",
}
