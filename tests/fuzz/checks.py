"""What must hold for any bytes at all: one function per harness, used by the fuzzers and by the tests."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import product
from typing import TYPE_CHECKING

from iptviz.dump.model import Dump
from iptviz.dump.single import parse_rule
from iptviz.errors import DumpError, TargetError
from iptviz.grammar.reader import read_thoroughly, take_apart
from iptviz.grammar.segments import by_segments
from iptviz.intake.read import read_text
from iptviz.intake.text import to_text
from iptviz.listing.rows import ListedColumns, read_columns, read_heading, read_row
from iptviz.questions.trace import trace
from iptviz.render.formats import FORMATS
from iptviz.source.origin import Source
from iptviz.terminal import Style
from iptviz.view.text import printable
from iptviz.xtables.words import quote_word, save_string, split_words

if TYPE_CHECKING:
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Chain

BACKENDS = ("legacy", "nf_tables")
FAMILIES = ("ipv4", "ipv6")


# --- the reader ---------------------------------------------------------------------------------------------


def check_reader(data: bytes) -> None:
    """Read any bytes: what was read is kept, and everything can be asked of every dump that is found."""
    text = read_text(data)
    assert text.raw == data
    last_line = 1 + data.count(b"\n") + data.count(b"\r")
    for note in text.notes:
        assert 1 <= note.first <= note.last <= last_line
    for plain in text.dumps:
        _ask_dump(Dump.of(text, plain, Source("<fuzz>", "", data)), data, last_line)
    try:
        first = Dump(data)
    except DumpError:
        assert not text.dumps
    else:
        assert bytes(first) == data


def _ask_dump(dump: Dump, data: bytes, last_line: int) -> None:
    assert bytes(dump) == data
    assert dump.family in FAMILIES
    assert all(1 <= gap.line <= last_line for gap in dump.gaps)
    assert dump.describe()
    assert 1 <= dump.first_line <= last_line
    for table in dump.tables.values():
        assert 1 <= table.line <= last_line
        assert set(table.undeclared()) <= set(table.chains)
        for chain in table.chains.values():
            _ask_chain(chain, last_line)
        assert table.rule_count == len(list(table.rules()))
    assert dump.rule_count == sum(table.rule_count for table in dump.tables.values())


def _ask_chain(chain: Chain, last_line: int) -> None:
    assert chain.declared or chain.rules
    assert 1 <= chain.line <= last_line
    assert chain.counters is None or chain.policy or chain.declared
    for number, rule in enumerate(chain.rules, 1):
        assert rule.number == number
        assert 1 <= rule.line <= last_line
        assert rule.parts == take_apart(rule.text)
        assert rule.counters is None or rule.counters.packets >= 0
        assert rule.jump is None or rule.target is not None
        assert rule.comment is None or rule.matches
        assert "\n" not in rule.text


# --- one rule -----------------------------------------------------------------------------------------------


def check_rule(data: bytes) -> None:
    """Read one rule: both readers agree, and what iptables-save would print is read as the same rule."""
    text = to_text(data)
    quick = by_segments(text)
    assert quick is None or quick == read_thoroughly(text)
    for family in FAMILIES:
        with suppress(DumpError):
            _check_canonical(parse_rule(text, family), family)


def _check_canonical(rule: Rule, family: str) -> None:
    understood = not (rule.parts.problem or rule.parts.unknown)
    for backend in BACKENDS:
        for printed in rule.canonical(backend).split("\n")[:_ENOUGH]:
            if understood:
                again = parse_rule(printed, family, rule.table.name).canonical(backend)
                assert again == printed, f"{backend}, {family}: {printed!r} is printed as {again!r}"


_ENOUGH = 20
"""How many of the rules that iptables makes of one are checked: many addresses make many rules."""


def check_words(data: bytes) -> None:
    """Quote words and split them again: each comes back."""
    text = to_text(data)
    words = text.replace("\0", "").split("\n")
    for quote in (quote_word, save_string):
        for word in words:
            assert split_words(quote(word)) == [word]
        assert split_words(" ".join(map(quote, words))) == words


# --- a listing ----------------------------------------------------------------------------------------------

EVERY_COLUMNS = tuple(ListedColumns(*which) for which in product((False, True), repeat=3))
LISTED = "LISTED"


def check_listing(data: bytes) -> None:
    """Read a row of a listing under every heading it may stand below: what is made of it is a rule."""
    text = to_text(data)
    heading, columns = read_heading(text), read_columns(text)
    assert heading is None or "\n" not in heading.name
    for one in EVERY_COLUMNS if columns is None else ():
        row = read_row(LISTED, text, one)
        if row is not None:
            _check_row(row, one)


def _check_row(row: str, columns: ListedColumns) -> None:
    assert "\n" not in row
    counters, _, rule = row.partition("-A ")
    assert bool(counters) == columns.counted
    parts = take_apart(f"-A {rule}")
    assert parts.chain == LISTED
    assert not parts.problem, parts.problem


# --- a trace ------------------------------------------------------------------------------------------------

TEMPLATE = """\
*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-SVC-A - [0:0]
:KUBE-SVC-B - [0:0]
:KUBE-SEP-A - [0:0]
:KUBE-SEP-B - [0:0]
:KUBE-MARK-MASQ - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-SERVICES -d 10.0.0.1/32 -p tcp -m comment --comment "a/b:c cluster IP" -m tcp --dport 80 -j KUBE-SVC-A
-A KUBE-SERVICES -d 10.0.0.3/32 -p udp -m comment --comment "a/d cluster IP" -m udp --dport 53 -j KUBE-SVC-B
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-NODEPORTS -p tcp -m comment --comment "a/b:c" -m tcp --dport 30080 -j KUBE-SVC-A
-A KUBE-SVC-A ! -s 10.244.0.0/16 -d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
-A KUBE-SVC-A -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-A
-A KUBE-SVC-A -j KUBE-SEP-B
-A KUBE-SEP-A -s 10.244.0.5/32 -j KUBE-MARK-MASQ
-A KUBE-SEP-A -p tcp -m tcp -j DNAT --to-destination 10.244.0.5:80
-A KUBE-SEP-B -p tcp -m tcp -j DNAT --to-destination 10.244.0.6:80
COMMIT
*filter
:KUBE-SERVICES - [0:0]
-A KUBE-SERVICES -d 10.0.0.2/32 -p tcp -m comment --comment "a/e has no endpoints" -m tcp --dport 80 -j REJECT
COMMIT
"""
TARGETS = ("10.0.0.1", "10.0.0.2:80", "a/d", ":30080", "KUBE-SVC-A", "10.244.0.5:80", "b:c", "[fd00::1]:443")
LAYOUTS = ((Style(), True), (Style(width=80, ascii_only=True), False))


def check_trace(data: bytes) -> None:
    """Trace through a small dump of kube-proxy that `data` edits, and write the answer in every format.

    A line of `data` is an edit: its first byte chooses one of the dump's lines, counted from `0` (so `:` is
    the eleventh), its second what becomes of that: `=` replaces it with the rest, `+` puts the rest behind
    it, `-` deletes it, `~` puts the rest behind it in the line. Any other line is the target.
    """
    dump_text, target = _edited(data)
    try:
        dump = Dump(dump_text, "fuzz")
    except DumpError:
        return
    with suppress(TargetError):
        result = trace(dump, target)
        for style, fold in LAYOUTS:
            tree = FORMATS["tree"].writer("trace")(result, style, fold=fold)
            assert all(line == printable(line) for line in tree.split("\n")), tree
            assert tree.isascii() or not style.ascii_only
        assert FORMATS["dot"].writer("trace")(result, Style(), fold=True)
        assert json.loads(str(FORMATS["json"].writer("trace")(result, Style(), fold=False)))


def _edited(data: bytes) -> tuple[bytes, str]:
    """Return the dump with the edits of `data`, and the target."""
    lines = [[line] for line in TEMPLATE.encode().split(b"\n")]
    target = TARGETS[0]
    for edit in data.split(b"\n"):
        place = edit[0] - ord("0") if edit else -1
        if len(edit) < 2 or not 0 <= place < len(lines) or edit[1:2] not in _EDITS:
            target = to_text(edit) or target
            continue
        line = lines[place]
        if edit[1:2] == b"+":
            line.append(edit[2:])
        elif edit[1:2] == b"~":
            line[0] += edit[2:]
        else:
            line[:1] = [edit[2:]] if edit[1:2] == b"=" else []
    return b"\n".join(line for group in lines for line in group), target


_EDITS = (b"=", b"+", b"-", b"~")
