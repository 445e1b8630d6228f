"""What a single line is: the lines of `iptables -S`, of restore input, and of the noise around a dump."""

from __future__ import annotations

import re
from enum import Enum

from iptviz.intake.index import TABLE_NAMES
from iptviz.intake.text import to_text
from iptviz.listing.rows import ListedColumns
from iptviz.records import NamedTuple


class LineKind(Enum):
    """What a line is."""

    RULE = "rule"
    DECLARATION = "declaration"
    TABLE = "table"
    COMMIT = "commit"
    COMMENT = "comment"
    OPERATION = "operation"  # -I, -D, -F, -X, -R, -E: they change what stands above
    COMMAND = "command"
    OTHER = "other"


class Line(NamedTuple):
    """A line in the words of iptables-save, and what it is; `reason` is an id where it was put into them."""

    kind: LineKind
    text: bytes
    reason: str = ""


class Command(NamedTuple):
    """What a shell command for iptables tells of the output below it; None where it tells nothing.

    `namespace` is the network namespace in which it ran, where that is not the node's own. `chain` is the one
    that is to be listed, if any, and `shown` the columns that its rows have by the options.
    """

    table: str | None
    family: str
    backend: str | None
    node: str | None = None
    namespace: str | None = None
    chain: str | None = None
    shown: ListedColumns = ListedColumns(numbered=False, counted=False, interfaces=False)
    lists: bool = False


_COUNTERS = rb"(?: -c (?P<packets>\d+) (?P<bytes>\d+))?"
_ROWS: tuple[tuple[LineKind, str, str], ...] = (
    (LineKind.RULE, r"(?:\[\d+:\d+\] )?-A \S.*", ""),
    (LineKind.DECLARATION, r":\S+ +(?:ACCEPT|DROP|QUEUE|RETURN|-)(?: +\[\d+:\d+\])?", ""),
    (LineKind.TABLE, rf"\*(?:{'|'.join(TABLE_NAMES)})", ""),
    (LineKind.COMMIT, "COMMIT", ""),
    (LineKind.OPERATION, r"-(?:I|D|R|E) \S.*|-[FXZ](?: \S+)?", ""),
    (LineKind.COMMENT, r"#.*", ""),
)
_PATTERNS = tuple((kind, re.compile(pattern.encode(), re.DOTALL)) for kind, pattern, _ in _ROWS)
_POLICY = re.compile(rb"-P (\S+) ([A-Z]+)" + _COUNTERS)
_NEW_CHAIN = re.compile(rb"-N (\S+)")
_COMMAND = re.compile(
    rb"(?:\bnetns exec (?P<namespace>\S+) (?:\S*/)?|^|[#$>%;|&(]\s*|\bsudo\s+(?:-\S+\s+)*|/)"
    rb"(?P<tool>ip6?tables|xtables)(?P<kind>(?:-(?:nft|legacy|save|restore))*)"
    rb"(?P<arguments>(?:\s+[-|>&;<].*)?)\s*$"
)
_LONGEST_COMMAND = 1 << 16
_TABLE_ARGUMENT = re.compile(rb"(?:-t|--table)[ =]?\s*(filter|nat|mangle|raw|security)\b")

# The chain is the word behind -L or -S: `-nvL KUBE-SERVICES`, `--list=KUBE-SERVICES`.
_CHAIN_ARGUMENT = re.compile(rb"\s(?:-[a-zA-Z]{0,8}[LS]|--list(?:-rules)?)(?:=|\s+)([^-\s|<>;&!][^\s|<>;&]*)")
_LISTS = re.compile(rb"\s(?:-[a-zA-Z]{0,8}[LS](?![a-zA-Z])|--list)")
_NEXT_COMMAND = re.compile(rb"[|;&<>]")
_VERBOSE = re.compile(rb"\s(?:-[a-zA-Z]{0,8}v|--verbose\b)")
_NUMBERED = re.compile(rb"\s--line-?n")

_PROMPT = re.compile(rb"\[?[\w.-]+@([A-Za-z0-9][A-Za-z0-9.-]{0,252})[:\s]")

_MESSAGE = re.compile(
    rb"(?:ip6?tables\S*|sudo|bash|sh|modprobe|Error|Warning|FATAL|Another app|Failed to list|Perhaps ip6?tables"
    rb"|Defaulted container)\b.*[:!.?]|Unable to use a TTY"
)

SEPARATOR, COMMAND_LINE, NO_PART = "grep-separator", "command", "no-part"
OF_RULES = "of-iptables-S"
"""Why a line is read in other words than its own, which takes no note: so `iptables -S` writes it."""

# Why a line is no part of a dump, by what it looks like; the first that fits.
_REASONS = (
    (re.compile(rb"--\s*$"), SEPARATOR),
    (re.compile(rb"(?:```|~~~)"), "markdown-fence"),
    (
        re.compile(
            rb"(?:\[?[\w.-]{1,100}+@[\w.-]{1,253}+[^#$]{0,200}[#$]|\$"
            rb"|[\w.-]{1,60}:[~/][^#$]{0,200}[#$])(?:\s|\Z)"
        ),
        "shell-prompt",
    ),
    (re.compile(rb"</?[A-Za-z][^<>]*>\s*$"), "html-tag"),
    (_MESSAGE, "message"),
)


def classify(text: bytes) -> Line:
    """Return what `text`, a line without decoration and line end, is."""
    if found := _POLICY.fullmatch(text):
        counters = b"[%s:%s]" % (found["packets"] or b"0", found["bytes"] or b"0")
        return Line(LineKind.DECLARATION, b":%s %s %s" % (found[1], found[2], counters), OF_RULES)
    if found := _NEW_CHAIN.fullmatch(text):
        return Line(LineKind.DECLARATION, b":%s - [0:0]" % found[1], OF_RULES)
    for kind, pattern in _PATTERNS:
        if pattern.fullmatch(text):
            return Line(kind, text)
    return Line(LineKind.COMMAND if _find_command(text) else LineKind.OTHER, text)


def reason_to_skip(text: bytes) -> str:
    """Return the id of why a line that is no part of a dump stands there."""
    if _find_command(text) and not _MESSAGE.match(text):
        return COMMAND_LINE
    return next((reason for pattern, reason in _REASONS if pattern.match(text)), NO_PART)


def _find_command(text: bytes) -> re.Match[bytes] | None:
    """Find a shell command; one in a text of megabytes is not looked for, which would take a minute."""
    # Most lines of a log are rules, and long: only where the name is, the pattern is tried.
    return _COMMAND.search(text) if b"tables" in text and len(text) <= _LONGEST_COMMAND else None


def read_command(text: bytes) -> Command | None:
    """Return what a shell command, with its prompt or without, tells of the output below it."""
    found = _find_command(text)
    if found is None:
        return None
    arguments, *_ = _NEXT_COMMAND.split(found["arguments"], maxsplit=1)
    table = _TABLE_ARGUMENT.search(arguments)
    chain = _CHAIN_ARGUMENT.search(arguments)
    verbose = _VERBOSE.search(arguments) is not None
    backend = {b"-nft": "nf_tables", b"-legacy": "legacy"}.get(
        found["kind"][: -5 if found["kind"].endswith(b"-save") else None]
    )
    return Command(
        table[1].decode() if table else None,
        "ipv6" if found["tool"] == b"ip6tables" else "ipv4",
        backend,
        _node(text),
        found["namespace"].decode(errors="replace") if found["namespace"] else None,
        to_text(chain[1]) if chain else None,
        ListedColumns(_NUMBERED.search(arguments) is not None, counted=verbose, interfaces=verbose),
        _LISTS.search(arguments) is not None,
    )


def _node(text: bytes) -> str | None:
    """Return the host in a prompt such as `root@node-1:~#`."""
    found = _PROMPT.match(text.lstrip(b"> |\t"))
    return found[1].decode() if found else None
