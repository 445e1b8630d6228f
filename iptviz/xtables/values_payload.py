"""How iptables-save prints what matches look for in a packet's bytes: strings, and the tests of u32."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.xtables.numbers import read_uint
from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.xtables.saving import Saving

# --- strings ---------------------------------------------------------------------------------------------

# A stretch of hexadecimal digits in pairs, an escaped character, or plain text (parse_hex_string).
_HEX_PIECE = re.compile(r"\|((?: *[0-9a-fA-F]{2})+ *)\||\\(.)|([^|\\]+)", re.DOTALL)


def to_payload(text: str) -> bytes | None:
    """Return the bytes that the text of a rule stands for; None for surrogates that stand for none."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return None


def read_hex_string(text: str) -> bytes | None:
    """Read `GET |2f 0a|`; None where iptables would refuse it."""
    pieces: list[bytes] = []
    end = 0
    for found in _HEX_PIECE.finditer(text):
        digits, escaped, plain = found.groups()
        piece = bytes.fromhex(digits) if digits else to_payload(escaped or plain)
        if piece is None or found.start() != end:
            return None
        pieces.append(piece)
        end = found.end()
    return b"".join(pieces) if pieces and end == len(text) else None


def print_payload(payload: bytes) -> tuple[str, str]:
    """Return option and value that look for `payload`: hexadecimal for what is not printable.

    A backslash at the end makes it hexadecimal too: it would escape the closing quote (libxt_string.c).
    """
    plain = payload.isascii() and payload.decode("ascii").isprintable() and not payload.endswith(b"\\")
    return ("--string", payload.decode()) if plain else ("--hex-string", f"|{payload.hex()}|")


def _nfacct_name(text: str, _saving: Saving) -> str:
    """Print the name after two blanks: libxt_nfacct.c prints one and xtables_save_string another."""
    from iptviz.xtables.words import save_string

    return " " + save_string(text)


def _as_it_is(text: str, _saving: Saving) -> str:
    """Print what a rewrite has printed already."""
    return text


# --- u32 -------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r"\s*(0[xX][0-9a-fA-F]+|[0-9]+|&&|<<|>>|[&@=,:])", re.ASCII)
_OPERATORS = {"&", "<<", ">>", "@"}
_LAST_NUMBER = 0xFFFFFFFF


def _u32(text: str, _saving: Saving) -> str:
    """Print `6 & 0xFF = 1` as `"0x6&0xff=0x1"`, and a range whose ends are equal as one number."""
    printed = _print_tests(list(_tokens(text)))
    return quote_word(text) if printed is None else f'"{printed}"'


def _tokens(text: str) -> Iterator[str]:
    """Yield numbers as printed, and operators; an empty one for what is neither."""
    end = 0
    text = text.rstrip()
    while end < len(text):
        found = _TOKEN.match(text, end)
        if found is None:
            yield ""
            return
        end = found.end()
        number = read_uint(found[1]) if found[1][0].isdigit() else None
        readable = number is not None and number <= _LAST_NUMBER
        yield f"{number:#x}" if readable else "" if found[1][0].isdigit() else found[1]


def _print_tests(tokens: list[str]) -> str | None:
    """Return tests `LOCATION=VALUES` that `&&` joins; None where the tokens make no sense."""
    if not tokens or "" in tokens or len(tokens) % 2 == 0:
        return None
    numbers, signs = tokens[::2], tokens[1::2]
    if any(not number.startswith("0x") for number in numbers):
        return None
    if any(sign.startswith("0x") for sign in signs) or not _well_ordered(signs):
        return None
    return _join(numbers, signs)


def _well_ordered(signs: list[str]) -> bool:
    """Whether each test has its operators, one `=`, then ranges and commas."""
    in_values = in_range = False
    for sign in signs:
        allowed = {"&&", ","} | (set() if in_range else {":"}) if in_values else {"=", *_OPERATORS}
        if sign not in allowed:
            return False
        in_values = sign not in {"&&", *_OPERATORS}
        in_range = sign == ":"
    return in_values


def _join(numbers: list[str], signs: list[str]) -> str:
    printed = [numbers[0]]
    for sign, before, number in zip(signs, numbers, numbers[1:], strict=False):
        if sign != ":" or before != number:
            printed += [sign, number]
    return "".join(printed)


PAYLOAD_KINDS: dict[str, Callable[[str, Saving], str]] = {
    "nfacct-name": _nfacct_name,
    "as-it-is": _as_it_is,
    "u32": _u32,
}
