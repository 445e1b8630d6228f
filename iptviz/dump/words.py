r"""Splitting a rule's line into words as iptables-restore does.

Words are separated by blanks. A double quote opens and closes a quoted stretch, inside which a backslash
takes the next character literally; outside quotes a backslash is an ordinary character
(`add_param_to_argv` in iptables' xshared.c; `xtables_save_string` writes the inverse).
"""

from __future__ import annotations

import re

_WORD = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*")+', re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


_NEEDS_ESCAPE = re.compile(r"([\"\\'])")


class UnclosedQuoteError(ValueError):
    """A double quote opens and the line ends before it closes."""


def split_words(text: str) -> list[str]:
    """Return the words of `text`, unquoted.

    Raises:
        UnclosedQuoteError: a quote is never closed.
    """
    if '"' not in text:
        return text.split()
    words = _WORD.findall(text)
    if _leftover_quote(text):
        raise UnclosedQuoteError(text)
    return [_unquote(word) if '"' in word else word for word in words]


def _leftover_quote(text: str) -> bool:
    """Say whether a quote remains once every closed stretch is taken out."""
    return '"' in _QUOTED.sub("", text)


def _unquote(word: str) -> str:
    return _QUOTED.sub(lambda quoted: _ESCAPE.sub(r"\1", quoted[1]), word)


def quote_word(word: str) -> str:
    """Return `word` so that `split_words` gives it back; only what needs quotes gets them."""
    if word and '"' not in word and not any(character.isspace() for character in word):
        return word
    escaped = _NEEDS_ESCAPE.sub(r"\\\1", word)
    return f'"{escaped}"'
