"""What matches look for in a packet's bytes: strings, programs of BPF, and the tests of u32."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.xtables.values.numbers import read_uint

if TYPE_CHECKING:
    from collections.abc import Iterator

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


# --- bytecode --------------------------------------------------------------------------------------------

_INSTRUCTION = re.compile(r"\s*([0-9]{1,9})\s+([0-9]{1,9})\s+([0-9]{1,9})\s+([0-9]{1,10})", re.ASCII)
_FIELDS = (0xFFFF, 0xFF, 0xFF, 0xFFFFFFFF)
_MOST_INSTRUCTIONS = 64
_LENGTH = re.compile(r"\s*([0-9]{1,5})", re.ASCII)


def read_bytecode(text: str) -> list[tuple[int, ...]] | None:
    """Read the number of instructions, and instructions of four numbers each (libxt_bpf.c)."""
    length_text, _, rest = text.partition(",")
    length = _LENGTH.fullmatch(length_text)
    words = rest.removesuffix(",").split(",", _MOST_INSTRUCTIONS)
    instructions = [_instruction(found) for word in words if (found := _INSTRUCTION.fullmatch(word))]
    if length is None or not int(length[1]) == len(words) == len(instructions):
        return None
    return instructions


def _instruction(found: re.Match[str]) -> tuple[int, ...]:
    """Return the four numbers, without the bits that their fields have no room for."""
    return tuple(int(number) & field for number, field in zip(found.groups(), _FIELDS, strict=True))


def show_bytecode(instructions: list[tuple[int, ...]]) -> str:
    """Show the number of instructions and the instructions in quotes."""
    words = (" ".join(map(str, instruction)) for instruction in instructions)
    return f'"{",".join((str(len(instructions)), *words))}"'


# --- u32 -------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r"\s*(0[xX][0-9a-fA-F]+|[0-9]+|&&|<<|>>|[&@=,:])", re.ASCII)
_OPERATORS = {"&", "<<", ">>", "@"}
_LAST_NUMBER = 0xFFFFFFFF


def read_u32(text: str) -> str | None:
    """Read tests `6 & 0xFF = 1` as `0x6&0xff=0x1`, and a range whose ends are equal as one number."""
    return _print_tests(list(_tokens(text)))


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
