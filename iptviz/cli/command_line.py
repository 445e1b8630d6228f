"""A command line that is not finished: what stands before the cursor, what at it, what behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class CommandLine(NamedTuple):
    """The words of a command line without the program's name.

    `begun` is the word at the cursor, as far as it is typed; `raw` is the same as the shell has it, with quotes.
    """

    before: tuple[str, ...]
    begun: str
    after: tuple[str, ...] = ()
    raw: str = ""


def read_line(environment: Mapping[str, str]) -> CommandLine:
    """Return the command line that a shell tells in its variables.

    They are COMP_LINE and COMP_POINT, the cursor's place in it in characters; else COMP_WORDS, all words in one
    text, and COMP_CWORD, the number of the one at the cursor.
    """
    if "COMP_LINE" not in environment:
        words = split_words(environment.get("COMP_WORDS", ""))
        place = int(environment.get("COMP_CWORD", len(words)))
        begun = words[place] if place < len(words) else ""
        return CommandLine(tuple(words[1:place]), begun, tuple(words[place + 1 :]), begun)
    line = environment["COMP_LINE"]
    point = int(environment.get("COMP_POINT", len(line)))
    before, after = line[:point], line[point:]
    words, behind = split_words(before), split_words(after)
    is_new = not before or before[-1].isspace()
    if is_new:
        words.append("")
    if after[:1].strip():  # the cursor is in a word, whose rest is not what is asked for
        del behind[0]
    return CommandLine(tuple(words[1:-1]), words[-1], tuple(behind), "" if is_new else before.split()[-1])


def split_words(text: str) -> list[str]:
    """Return the words of a shell's line; a quote that is still open ends with it."""
    from shlex import shlex

    lexer = shlex(text, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        for word in lexer:
            words.append(word)  # noqa: PERF402 - what came before an open quote is kept
    except ValueError:
        words.append(lexer.token)
    return words
