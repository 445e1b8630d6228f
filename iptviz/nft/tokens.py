"""The words of nft's language, and how it writes times."""

from __future__ import annotations

import re

# A comment goes to the end of its line, but for the name of what nft could not translate, which stands in one.
_TOKEN = re.compile(
    r"""
    \#\ xt_\S+ | \#[^\n]*
  | "[^"]*"?
  | [^\s{},;"=!<>&|^()\#\\]+
  | == | != | <= | >= | << | >>
  | [^\s\\]
    """,
    re.VERBOSE,
)


def tokens_of(text: str) -> list[str]:
    """Return the words and signs of a text, without its comments."""
    tokens = _TOKEN.findall(text)
    return [token for token in tokens if not is_remark(token)] if "#" in text else tokens


def spans_of(text: str) -> list[tuple[int, int]]:
    """Return where each of `tokens_of` stands."""
    return [found.span() for found in _TOKEN.finditer(text) if not is_remark(found[0])]


def is_remark(token: str) -> bool:
    """Whether a token is a comment to the end of the line."""
    return token.startswith("#") and not token.startswith("# xt_")


def unquoted(token: str) -> str:
    """Return a text without the quotes around it."""
    return token[1:-1] if len(token) > 1 and token[0] == token[-1] == '"' else token.removeprefix('"')


_TIME = re.compile(
    r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m(?!s))?(?:(\d{1,12})s)?(?:(\d{1,15})ms)?", re.ASCII
)
_UNITS = (86_400_000, 3_600_000, 60_000, 1000, 1)


def milliseconds(text: str) -> int | None:
    """Read `1d2h3m4s5ms`, or a number of seconds, as milliseconds; None for anything else."""
    if text.isascii() and text.isdigit():
        return int(text) * 1000 if len(text) <= _LONGEST_NUMBER else None
    found = _TIME.fullmatch(text)
    if found is None or not text:
        return None
    return sum(int(count) * unit for count, unit in zip(found.groups(), _UNITS, strict=True) if count)


_LONGEST_NUMBER = 40
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,64}|[0-9]{1,40}", re.ASCII)


def read_number(text: str) -> int | None:
    """Read a decimal or hexadecimal number; None for anything else. As in nft, a leading 0 means nothing."""
    if not _NUMBER.fullmatch(text):
        return None
    return int(text, 16) if text[:2] in {"0x", "0X"} else int(text)
