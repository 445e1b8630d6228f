r"""Splitting a rule's line into words as iptables-restore does.

Words are separated by blanks. A double quote opens a quoted stretch, inside which a backslash takes the next
character literally; the quote that closes it ends the word. Outside quotes a backslash is an ordinary
character (`add_param_to_argv` in iptables' xshared.c; `xtables_save_string` writes the inverse).
"""

from __future__ import annotations

import re

# A quoted word, perhaps with plain characters before its quote, or a plain word; or a quote left open.
_WORD = re.compile(r'([^\s"]*)"([^"\\]*+(?:[^"\\]|\\.)*+)"|([^\s"]+)|(")', re.DOTALL | re.ASCII)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_BARE = re.compile(r'[^\s"]+')
_NEEDS_ESCAPE = re.compile(r"([\"\\'])")
_NEEDS_NO_QUOTES = re.compile(r"[-_0-9a-zA-Z]+")


_ESCAPED = r"\\\1"


class UnclosedQuoteError(ValueError):
    """A double quote opens and the line ends before it closes."""


def split_words(text: str) -> list[str]:
    """Return the words of `text`, unquoted.

    Raises:
        UnclosedQuoteError: a quote is never closed.
    """
    words = []
    for before, quoted, plain, lost in _WORD.findall(text):
        if lost:
            raise UnclosedQuoteError(text)
        words.append(plain or before + (_ESCAPE.sub(r"\1", quoted) if "\\" in quoted else quoted))
    return words


def quote_word(word: str) -> str:
    """Return `word` so that `split_words` gives it back; only what needs quotes gets them."""
    if _BARE.fullmatch(word):
        return word
    return f'"{_NEEDS_ESCAPE.sub(_ESCAPED, word)}"'


def save_string(word: str) -> str:
    """Return `word` as `xtables_save_string` prints it: quoted unless it is letters, digits, `-` and `_`."""
    if _NEEDS_NO_QUOTES.fullmatch(word):
        return word
    return f'"{_NEEDS_ESCAPE.sub(_ESCAPED, word)}"'
