"""Every form in which a dump is handed over gives the dump: same rules, same policies, the right lines."""

from __future__ import annotations

from typing import Any

import pytest

from iptviz.checks.wording import sentences
from iptviz.dump.model import Dump
from tests.conftest import FIXTURES
from tests.intake import wild
from tests.intake.wild import (
    after,
    always,
    before,
    between,
    counted,
    decorate,
    each,
    entities,
    trailing,
    without,
)

PLAIN = {
    "ipv4": (FIXTURES / "httpd-service" / "dump.rules").read_text(encoding="utf-8"),
    "ipv6": (FIXTURES / "httpd-dual-stack" / "dump6.rules").read_text(encoding="utf-8"),
}
PROMPT = "root@node-1:~# iptables-save"
END = "root@node-1:~# "
WIDE = "the text is UTF-16 or UTF-32"
ENTITIES, TAGS = "HTML entities decoded", "HTML tags removed"
COMMENT_LINES = ("# Generated", "# Completed")


def syslog(number: int) -> str:
    return f"Nov  2 10:{number // 60:02}:{number % 60:02} node-1 kube-proxy[123]: "


def iso(number: int) -> str:
    return f"2024-11-12T10:{number // 60:02}:{number % 60:02}.{number:06}Z "


def klog(number: int) -> str:
    return f"I1112 10:11:{number % 60:02}.{number:06}    1234 proxier.go:1275] "


def numbered(number: int) -> str:
    return f"{number + 1}:"


# Name -> the decorations in their order, how it becomes bytes, and what is said of the whole text.
FORMS: dict[str, tuple[tuple[Any, ...], dict[str, Any], tuple[str, ...]]] = {
    "plain": ((), {}, ()),
    "counters": ((counted,), {}, ()),
    "no end of the last line": ((), {"last": False}, ()),
    "crlf": ((), {"end": "\r\n"}, ()),
    "cr": ((), {"end": "\r"}, ("carriage returns removed",)),
    "byte order mark": ((), {"encode": lambda text: b"\xef\xbb\xbf" + text.encode()}, ()),
    "utf-16-le": ((), {"encode": wild.utf16("utf-16-le")}, (WIDE,)),
    "utf-16-be": ((), {"encode": wild.utf16("utf-16-be")}, (WIDE,)),
    "utf-16-le without mark": ((), {"encode": lambda text: text.encode("utf-16-le")}, (WIDE,)),
    "utf-16-be without mark": ((), {"encode": lambda text: text.encode("utf-16-be")}, (WIDE,)),
    "utf-32": ((), {"encode": wild.utf16("utf-32-le")}, (WIDE,)),
    "utf-16 with crlf": ((), {"encode": wild.utf16("utf-16-le"), "end": "\r\n"}, (WIDE,)),
    "nul bytes": ((), {"encode": lambda text: text.encode().replace(b"COMMIT", b"COM\0MIT")}, ("NUL bytes removed",)),
    "trailing blanks": ((trailing("  "),), {}, ()),
    "trailing tabs and crlf": ((trailing("\t"),), {"end": "\r\n"}, ()),
    "blank lines around": ((before("", ""), after("", "")), {}, ()),
    "blank lines between all": ((lambda rows: [one for row in rows for one in (row, wild.Row(""))],), {}, ()),
    "quoted": ((always("> "),), {}, ()),
    "quoted without blank": ((always(">"),), {}, ()),
    "quoted twice": ((always("> > "),), {}, ()),
    "quoted twice, tight": ((always(">> "),), {}, ()),
    "bars": ((always("| "),), {}, ()),
    "four blanks": ((always("    "),), {}, ()),
    "tabs": ((always("\t"),), {}, ()),
    "no-break spaces": ((always("\u00a0\u00a0"),), {}, ()),
    "tabs in a mail": ((always("\t"), before("Hi,", "here it is:", ""), after("", "thanks")), {}, ()),
    "syslog": ((each(syslog),), {}, ()),
    "iso times": ((each(iso),), {}, ()),
    "klog": ((each(klog),), {}, ()),
    "container log": ((each(lambda number: iso(number) + "stdout F "),), {}, ()),
    "bracketed times": ((always("[2024-11-12 10:11:12] "),), {}, ()),
    "kernel times": ((each(lambda number: f"[ {number:4}.123456] "),), {}, ()),
    "docker compose": ((always("kube-proxy-1  | "),), {}, ()),
    "unknown prefix": ((each(lambda number: f"node({number}) => "),), {}, ()),
    "grep -n": ((each(numbered),), {}, ()),
    "file names": ((always("dump.txt:"),), {}, ()),
    "paths and numbers": ((each(lambda number: f"logs/node-1/dump.txt:{number}:"),), {}, ()),
    "cat -n": ((each(lambda number: f"{number:6}\t"),), {}, ()),
    "prompt": ((before(PROMPT), after(END)), {}, ()),
    "dollar prompt": ((before("$ sudo iptables-save"), after("$ exit")), {}, ()),
    "bare command": ((before("iptables-save"),), {}, ()),
    "fence": ((before("Here:", "", "```"), after("```", "", "What now?")), {}, ()),
    "fence with language and command": ((before("```console", PROMPT), after(END, "```")), {}, ()),
    "indented fence in a list": ((before("```"), after("```"), always("   ")), {}, ()),
    "Markdown table": ((always("| ", " |"), before("| rules |", "|---|")), {}, ()),
    "Markdown code in a table": ((always("| `", "` |"), before("| rules |", "|---|")), {}, ()),
    "stderr between tables": ((between("iptables-save: warning: this is slow"),), {}, ()),
    "legacy tables": (
        (after("# Warning: iptables-legacy tables present, use iptables-legacy-save to see them"),
         lambda rows: [row._replace(fate="") for row in rows]), {}, (),
    ),
    "html": ((entities, before("<html><body>", "<pre>"), after("</pre>", "</body></html>")), {}, (ENTITIES,)),
    "html lines": ((entities, always("<code>", "</code><br>")), {}, (TAGS, ENTITIES)),
    "wrapped": ((wild.wrapped(),), {}, ()),
    "wrapped narrowly": ((wild.wrapped(50),), {}, ()),
    "wrapped, crlf": ((wild.wrapped(),), {"end": "\r\n"}, ()),
    "quoted and wrapped": ((wild.wrapped(), always("> ")), {}, ()),
    "quoted, wrapped, in a mail": (
        (wild.wrapped(), always("> "), before("On Monday, Ann wrote:"), after("", "Thanks", "Bob")), {}, (),
    ),
    "wrapped, then indented": ((wild.wrapped(), always("    ")), {}, ()),
    "counters, quoted": ((counted, always("> ")), {}, ()),
    "counters, wrapped": ((counted, wild.wrapped()), {}, ()),
    "syslog, crlf": ((each(syslog),), {"end": "\r\n"}, ()),
    "syslog, prompt": ((before(PROMPT), after(END), each(syslog)), {}, ()),
    "quoted syslog": ((each(syslog), always("> ")), {}, ()),
    "utf-16, prompt": ((before(PROMPT), after(END)), {"encode": wild.utf16("utf-16-le")}, (WIDE,)),
    "utf-16, quoted, crlf": ((always("> "),), {"encode": wild.utf16("utf-16-be"), "end": "\r\n"}, (WIDE,)),
    "fence, quoted": ((before("```"), after("```"), always("> ")), {}, ()),
    "cr, quoted": ((always("> "),), {"end": "\r"}, ("carriage returns removed",)),
    "no comments": ((without(*COMMENT_LINES),), {}, ()),
    "no comments, quoted": ((without(*COMMENT_LINES), always("> ")), {}, ()),
}  # fmt: skip


def rules_of(dump: Dump) -> list[tuple[str, str]]:
    return [(name, rule.canonical()) for name, table in dump.tables.items() for rule in table.rules()]


def policies_of(dump: Dump) -> list[tuple[str, str, str | None]]:
    return [
        (name, chain.name, chain.policy)
        for name, table in dump.tables.items()
        for chain in table.chains.values()
    ]


def rule_lines(dump: Dump) -> list[int]:
    return [rule.line for table in dump.tables.values() for rule in table.rules()]


def fates_of(dump: Dump) -> dict[int, str]:
    return {
        line: wild.SKIPPED if note.skipped else wild.REPAIRED
        for note in dump.line_notes
        for line in range(note.first, note.last + 1)
    }


@pytest.mark.parametrize("family", PLAIN)
@pytest.mark.parametrize("form", FORMS)
def test_a_form_gives_the_plain_dump(form: str, family: str) -> None:
    decorations, how, repairs = FORMS[form]
    expected = Dump(PLAIN[family].encode())
    made = decorate(PLAIN[family], *decorations, **how)
    read = Dump(made.data)
    assert rules_of(read) == rules_of(expected)
    assert policies_of(read) == policies_of(expected)
    assert rule_lines(read) == [made.places[line] for line in rule_lines(expected)]
    assert bytes(read) == made.data
    assert fates_of(read) == made.fates
    assert tuple(sentences(read.repairs)) == repairs
    assert (read.complete, read.gaps) == (True, [])
    assert read.family == family
