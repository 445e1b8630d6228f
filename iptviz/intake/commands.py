"""Commands of iptables in a script or a shell's trace, as the rules that they make where nothing was before.

They are read only where a text holds no dump: above one, they say which command printed it.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from iptviz.intake.dialect import Command, LineKind
from iptviz.intake.draft import Draft, Piece
from iptviz.intake.index import TABLE_NAMES
from iptviz.intake.plain import DumpForm
from iptviz.intake.remark import LineNote, add_note, remark
from iptviz.intake.text import to_bytes, to_text
from iptviz.records import NamedTuple
from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LOOKS = re.compile(rb"(?:^|[\s/;&(])ip6?tables(?:-legacy|-nft)?[ \t]")
# What may stand before the command on its line: prompts, set -x, sudo, how a script goes on.
_BEFORE = re.compile(
    r"(?:\s|[+>|$#%]+ |\[?[\w.-]{1,64}@[\w.-]{1,253}[:\s][^#$\n]{0,100}[#$] |\d+[:.)]\s|[A-Za-z_]\w{0,40}=\S*\s"
    r"|(?:sudo|exec|command|nice|time|then|do|else|if|!)\s|-[EHnS]\s|/?(?:[\w.-]{1,40}/){1,8}(?=ip6?tables))"
)
_COMMAND = re.compile(r"(ip6?tables)(?:-(legacy|nft))?\s+(?=[-!])")
_ENDS = frozenset((";", "&&", "||", "|", "&", "(", ")", ">", ">>", "<", "<<", "2>", "&>"))
_EXPANDS = re.compile(r"[$`*?{}~]|<\(")
_FLAGS = frozenset(["-v", "-n", "-x", "-4", "-6", "--verbose", "--numeric", "--exact", "--ipv4", "--ipv6"])
_WITH_NUMBER = frozenset(["-w", "--wait", "-W", "--wait-interval"])
_CHANGES = {
    **{word: word for word in ("-A", "-I", "-D", "-R", "-F", "-X", "-Z", "-N", "-P", "-E")},
    "--append": "-A", "--insert": "-I", "--delete": "-D", "--replace": "-R", "--flush": "-F",
    "--delete-chain": "-X", "--zero": "-Z", "--new-chain": "-N", "--new": "-N", "--policy": "-P",
    "--rename-chain": "-E",
}  # fmt: skip
_MOST_BEFORE = 12
_BACKENDS = {"legacy": "legacy", "nft": "nf_tables"}
READ, EXPANDED = "command-read", "command-expanded"


class Commands(NamedTuple):
    """The tables that commands make, and what became of lines."""

    drafts: list[Draft]
    notes: list[LineNote]


class _Line(NamedTuple):
    """One command's words, without the name of the program."""

    tool: str
    backend: str
    words: list[str]


class _Change(NamedTuple):
    """What a command does to a table, in a line of restore input."""

    table: str
    kind: LineKind
    text: str


def read_commands(data: bytes) -> Commands | None:
    """Return the tables that the commands in a text make; None where it holds none that makes rules."""
    if not _LOOKS.search(data):
        return None
    drafts: dict[tuple[str, str], Draft] = {}
    notes: list[LineNote] = []
    count = 0
    for number, text in _logical_lines(to_text(data)):
        for line in _commands_of(text):
            change = _change(line)
            if change is None:
                continue
            if any(map(_EXPANDS.search, line.words)):
                add_note(notes, number, EXPANDED, skipped=True)
                continue
            count += 1
            add_note(notes, number, READ, skipped=False)
            _draft(drafts, line, change, number).add(Piece(change.kind, to_bytes(change.text + "\n"), number))
    found = [draft for draft in drafts.values() if draft.has_rules or draft.has_operations]
    if not found:
        return None
    for draft in found:
        draft.gaps.append(remark("made-from-commands", draft.line, count=count))
    return Commands(found, notes)


def _draft(drafts: dict[tuple[str, str], Draft], line: _Line, change: _Change, number: int) -> Draft:
    """Return the table that a command changes, made when the first one does."""
    key = (line.tool, change.table)
    if key not in drafts:
        family = "ipv6" if line.tool == "ip6tables" else "ipv4"
        told = Command(change.table, family, _BACKENDS.get(line.backend))
        drafts[key] = Draft(change.table, DumpForm.RULES, number, told)
        drafts[key].of_rules = True
    return drafts[key]


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line with its number; one that ends with a backslash goes on in the next."""
    start, parts = 1, []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.rstrip()
        if stripped.endswith("\\"):
            parts.append(stripped[:-1])
            continue
        yield start, " ".join([*parts, stripped])
        start, parts = number + 1, []
    if parts:
        yield start, " ".join(parts)


def _commands_of(text: str) -> Iterator[_Line]:
    """Yield the commands of iptables on a line, of which there may be several."""
    if "tables" not in text:
        return
    for part in _split(text):
        rest = part.lstrip()
        for _ in range(_MOST_BEFORE):
            found = _BEFORE.match(rest)
            if found is None:
                break
            rest = rest[found.end() :].lstrip()
        if command := _COMMAND.match(rest):
            words = _words(rest[command.end() :])
            if words is not None:
                yield _Line(command[1], command[2] or "", words)


def _split(text: str) -> list[str]:
    """Split a line where one command ends and the next begins, outside quotes."""
    return (
        re.split(r"""(?:&&|\|\||;)(?=(?:[^"']*["'][^"']*["'])*[^"']*\Z)""", text)
        if _is_short(text)
        else [text]
    )


def _is_short(text: str) -> bool:
    return any(sign in text for sign in ("&&", "||", ";")) and len(text) <= 1 << 10


def _words(text: str) -> list[str] | None:
    """Return the words of a command as a shell splits them; None where a quote is left open."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|<>()")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    try:
        words = list(lexer)
    except ValueError:
        return None
    end = next((at for at, word in enumerate(words) if word in _ENDS), len(words))
    redirected = end < len(words) and end and words[end][0] in "<>" and words[end - 1].isdigit()
    return words[: end - 1 if redirected else end]


def _change(line: _Line) -> _Change | None:
    """Return what a command changes; None where it lists, checks, or is none."""
    words = iter(_without_globals(line.words))
    table, verb, rest = "filter", "", []
    for word in words:
        if word in {"-t", "--table"}:
            table = next(words, "")
        elif word.startswith("--table="):
            table = word.partition("=")[2]
        elif not verb and word in _CHANGES:
            verb = _CHANGES[word]
        else:
            rest.append(word)
    if table not in TABLE_NAMES or not verb:
        return None
    return _in_words(table, verb, rest)


def _without_globals(words: list[str]) -> Iterable[str]:
    skip = False
    for at, word in enumerate(words):
        if skip:
            skip = False
        elif word in _WITH_NUMBER:
            skip = at + 1 < len(words) and words[at + 1].isdigit()
        elif word not in _FLAGS:
            yield word


def _in_words(table: str, verb: str, rest: list[str]) -> _Change | None:
    if verb == "-N":
        return _Change(table, LineKind.DECLARATION, f":{rest[0]} - [0:0]") if rest else None
    if verb == "-P":
        return _Change(table, LineKind.DECLARATION, f":{rest[0]} {rest[1]} [0:0]") if len(rest) > 1 else None
    if not rest and verb not in {"-F", "-X", "-Z"}:
        return None
    kind = LineKind.RULE if verb == "-A" else LineKind.OPERATION
    return _Change(table, kind, " ".join([verb, *map(quote_word, rest)]))
