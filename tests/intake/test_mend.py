"""Rules that somebody edited are repaired; what iptables-save wrote stays byte for byte, whatever its comments hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iptviz.dump.model import Dump
from iptviz.intake.mend import is_whole, mend
from tests.intake.texts import dump, dumps, notes, rules, texts

RULE = '-A A -p tcp -m comment --comment "a b" -m tcp --dport 80 -j B'

# As it was written -> the rule that is meant, and what is said of the line.
MENDED: dict[str, tuple[str, str]] = {
    f"{RULE}   # why": (RULE, "removed a remark after the rule"),
    f"{RULE} // why": (RULE, "removed a remark after the rule"),
    f"{RULE}  \u2190 step 2": (RULE, "removed a remark after the rule"),
    f"{RULE} <-- here": (RULE, "removed a remark after the rule"),
    f"{RULE} <--- here # and there": (RULE, "removed a remark after the rule"),
    f"{RULE} (the last)": (RULE, "removed a remark after the rule"),
    RULE.replace("--dport", "\u2013dport"): (RULE, "replaced typographic dashes"),
    RULE.replace("--dport", "\u2014dport"): (RULE, "replaced typographic dashes"),
    RULE.replace("--dport", "-\u2013dport"): (RULE, "replaced typographic dashes"),
    RULE.replace("-j", "\u2212j"): (RULE, "replaced typographic dashes"),
    RULE.replace('"a b"', "\u201ca b\u201d"): (RULE, "replaced typographic quotes"),
    RULE.replace('"a b"', "\u201ea b\u201c"): (RULE, "replaced typographic quotes"),
    RULE.replace('"a b"', "\u00aba b\u00bb"): (RULE, "replaced typographic quotes"),
    RULE.replace('"a b"', '\u201ca b"'): (RULE, "replaced typographic quotes"),
    RULE.replace('"a b"', "\u2018a b\u2019"): (RULE, "replaced single quotes"),
    RULE.replace('"a b"', "'a b'"): (RULE, "replaced single quotes"),
    RULE.replace('"a b"', '\\"a b\\"'): (RULE, "removed backslashes before quotes"),
    RULE.replace('"a b"', '""a b""'): (RULE, "replaced doubled quotes"),
    RULE.replace('"a b"', "a b"): (RULE, "quoted an unquoted comment"),
    RULE.replace('"a b"', '""""a b""""'): (RULE, "replaced doubled quotes"),
    RULE.replace(" -j", " \u200b-j"): (RULE, "removed invisible characters"),
    RULE.replace(" -j", "\u00a0-j"): (RULE, "removed invisible characters"),
    RULE.replace(" -j", r"\xa0-j"): (RULE, "removed invisible characters"),
    RULE.replace("--dport", r"\x1b[36m--dport\u001b[0m"): (RULE, "removed invisible characters"),
    RULE.replace("-j B", "-j \u00adB"): (RULE, "removed invisible characters"),
    f"[1:60] {RULE} # why": (f"[1:60] {RULE}", "removed a remark after the rule"),
}


@pytest.mark.parametrize("written", MENDED)
@pytest.mark.parametrize("whole", [True, False])
def test_an_edited_rule_is_repaired(written: str, *, whole: bool) -> None:
    meant, what = MENDED[written]
    lines = (
        ["*nat", ":A - [0:0]", ":B - [0:0]", written, "-A A -j C", "COMMIT"]
        if whole
        else [written, "-A A -j C"]
    )
    read = dump(*lines)
    (found,) = rules(read).values()
    place = 4 if whole else 1
    assert [line for line, _ in found] == [place, place + 1]
    assert next(rule.text for table in read.tables.values() for rule in table.rules()) in {
        meant,
        meant.partition("] ")[2],
    }
    assert (str(place), False, what) in notes(read)


@pytest.mark.parametrize("written", MENDED)
def test_in_a_quotation_too(written: str) -> None:
    read = dump(f"> {written}", "> -A A -j C")
    ((_, first), (_, second)) = next(iter(rules(read).values()))
    assert (first.partition("] ")[2] or first, second) == (RULE, "-A A -j C")


COMMENTS = (
    "a # b", "a // b", "\u201ca\u201d", "\u2013dport", "it's", "\\\"a\\\"", "x <-- y", "x \u2190 y", "a (b)",
    "\u200ba", "a\u00a0b", "\\\\", "--comment a b", "\u00e9", "'a b'", "a \"\"",
)  # fmt: skip


@pytest.mark.parametrize("comment", [comment for comment in COMMENTS if not comment.endswith('""')])
def test_a_comment_keeps_what_it_holds(comment: str) -> None:
    rule = f'-A A -m comment --comment "{comment}" -j B'
    plain = ["*nat", ":A - [0:0]", rule, "-A A -j C", "COMMIT"]
    read = dump(*plain)
    assert (texts(read), read.line_notes, read.data) == ([rule, "-A A -j C"], [], bytes(read))
    assert texts(dump("$ iptables-save", *plain)) == [rule, "-A A -j C"]
    assert texts(dump(*(f"> {line}" for line in plain))) == [rule, "-A A -j C"]


@pytest.mark.parametrize(
    "line",
    [
        "-A A -j B --frobnicate # why", "-A A -p tcp # no target", "-A A -m comment --comment a b", "-A A x y -j B",
        '-A A -m comment --comment "a b', "-A A -j",
    ],
)  # fmt: skip
def test_what_does_not_become_a_whole_rule_stays(line: str) -> None:
    assert mend(line) is None
    assert texts(dump("*nat", ":A - [0:0]", line, "COMMIT")) == [line]


@given(st.text(alphabet="-Ajmcpt \"'\\#/\u2013\u201c\u201dabcomment80\u00a0\u200b(", max_size=60))
def test_a_repair_makes_a_whole_rule_or_none(text: str) -> None:
    line = f"-A A {text}"
    found = mend(line)
    assert found is None or (is_whole(found.text) and found.text != line)


def test_lines_that_end_in_backslashes_go_on() -> None:
    lines = [
        "-A A -p tcp \\",
        '   -m comment --comment "a b" \\',
        "   -m tcp --dport 80 \\",
        "   -j B",
        "-A A -j C",
    ]
    read = dump("*nat", ":A - [0:0]", *lines, "COMMIT")
    assert [" ".join(text.split()) for text in texts(read)] == [RULE, "-A A -j C"]
    assert notes(read) == [("4-6", False, "joined a wrapped line")]


def test_a_comment_without_quotes_may_be_wrapped() -> None:
    read = dump("-A A -p tcp -m comment --comment a", "b -m tcp --dport 80 -j B", "-A A -j C")
    assert texts(read, "filter") == [RULE, "-A A -j C"]


@pytest.mark.parametrize(
    "lines",
    [
        ["1-A A -j B", "2-A A -j C"],
        ["L12-A A -j B", "L13-A A -j C"],
        ["| -A A -j B", "| -A A -j C"],
        ["- -A A -j B", "- -A A -j C"],
        ["'-A A -j B',", "'-A A -j C',"],
        ['"-A A -j B"', '"-A A -j C"'],
        ["\u2502 -A A -j B   \u2502", "\u2502 -A A -j C   \u2502"],
        ["\u2013A A \u2013j B", "\u2013A A \u2013j C"],
        ["\u200b-A A -j B", "\ufeff-A A -j C"],
        [": -A A -j B", ": -A A -j C", ": -A A -j D"],
    ],
)
def test_what_is_glued_to_a_rule_is_taken_off(lines: list[str]) -> None:
    assert texts(dump(*lines), "filter")[:2] == ["-A A -j B", "-A A -j C"]


def test_a_whole_dump_that_needs_no_repair_is_read_as_it_is() -> None:
    data = (
        '*nat\n:A - [0:0]\n-A A -m comment --comment "it\'s \u2013 # \u201cx\u201d" -j B\nCOMMIT\n'.encode()
    )
    read = Dump(data)
    assert (read.data, read.line_count, read.line_notes) == (data, 0, [])


@pytest.mark.parametrize("name", ["a\u200db", "\u00adB", "a\ufeff"])
def test_a_chain_that_is_declared_with_an_invisible_sign_keeps_it(name: str) -> None:
    read = dump(
        "*nat", ":A - [0:0]", f":{name} - [0:0]", f"-A A -j {name}", f"-A {name} -j LOST\u200d", "COMMIT"
    )
    assert [rule.text for rule in read.tables["nat"].rules()] == [
        f"-A A -j {name}",
        f"-A {name} -j LOST\u200d",
    ]
    assert not notes(read)


@pytest.mark.parametrize("value", ['"a b', 'a b"', '"a b""'])
def test_a_quote_that_is_lost_is_put_back(value: str) -> None:
    written = RULE.replace('"a b"', value)
    read = dump("*nat", ":A - [0:0]", written, "-A A -j C", "COMMIT")
    assert texts(read) == [RULE, "-A A -j C"]
    assert ("3", False, "quoted an unquoted comment") in notes(read)


def test_a_quote_that_is_closed_on_the_next_line_is_not_lost() -> None:
    read = dump("*nat", ":A - [0:0]", '-A A -m comment --comment "see -j DROP', 'below" -j ACCEPT', "COMMIT")
    assert texts(read) == ['-A A -m comment --comment "see -j DROP below" -j ACCEPT']


@pytest.mark.parametrize(("open_", "close"), [("&quot;", "&#34;"), ("&#x27;", "&#39;"), ("&apos;", "&apos;")])
def test_entities_of_quotes_are_undone(open_: str, close: str) -> None:
    found = mend(RULE.replace('"a b"', f"{open_}a b{close}"))
    assert found is not None
    assert found.text == RULE


@pytest.mark.parametrize("before", ["$ iptables-save\n", "> "])
def test_of_a_large_text_the_odd_rules_alone_are_looked_at(before: str) -> None:
    plain = [f"-A A -s 10.{at // 250}.{at % 250}.1/32 -j B" for at in range(20_000)]
    odd = {
        1000: f"{RULE} # why",
        1001: RULE.replace("--dport", "\u2013dport"),
        4999: RULE.replace('"a b"', '\\"a b\\"'),
    }
    lines = ["*nat", ":A - [0:0]", *(odd.get(at, rule) for at, rule in enumerate(plain)), "COMMIT"]
    quote = before if before.startswith(">") else ""
    text = ("" if quote else before) + "".join(f"{quote}{line}\n" for line in lines)
    (read,) = dumps(text.removesuffix("\n"))
    assert texts(read) == [RULE if at in odd else rule for at, rule in enumerate(plain)]


@pytest.mark.parametrize("code", [r"\ud800", r"\x0a", r"\x", r"\u00", r"\u000a"])
def test_what_is_no_sign_in_a_string_stays(code: str) -> None:
    read = dump("*nat", ":A - [0:0]", RULE.replace(" -j", f" {code} -j"), "COMMIT")
    assert [rule.text for rule in read.tables["nat"].rules()] == [RULE.replace(" -j", f" {code} -j")]
