r"""Splitting a rule's line into words as iptables-restore does.

Words are separated by blanks. A double quote opens a quoted stretch, inside which a backslash takes the next
character literally; the quote that closes it ends the word. Outside quotes a backslash is an ordinary
character (`add_param_to_argv` in iptables' xshared.c; `xtables_save_string` writes the inverse).
"""

from __future__ import annotations

import re

# A quoted word, perhaps with plain characters before its quote, or a plain word; or a quote left open.
_WORD = re.compile(r'([^\s"]*)"((?:[^"\\]|\\.)*)"|([^\s"]+)|(")', re.DOTALL | re.ASCII)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_NEEDS_ESCAPE = re.compile(r"([\"\\'])")


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
    if word and '"' not in word and not any(character.isspace() for character in word):
        return word
    escaped = _NEEDS_ESCAPE.sub(r"\\\1", word)
    return f'"{escaped}"'
