"""Listings as they are handed over: quoted, numbered, wrapped, with messages in them; they say the same."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from tests.nft.told import listing, ruleset_of, told

if TYPE_CHECKING:
    from collections.abc import Callable

WARNING = "# Warning: table ip nat is managed by iptables-nft, do not touch!\n"


def each(change: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: "\n".join(map(change, text.split("\n")))


def numbered(before: str) -> Callable[[str], str]:
    return lambda text: "\n".join(before.format(at) + line for at, line in enumerate(text.split("\n"), 1))


def at_column(width: int) -> Callable[[str], str]:
    """A terminal that wraps at its last column."""

    def wrapped(line: str) -> str:
        shown = line.expandtabs()
        return "\n".join(shown[at : at + width] for at in range(0, max(len(shown), 1), width))

    return each(wrapped)


def as_mail(width: int) -> Callable[[str], str]:
    """A mail that wraps at blanks."""

    def wrapped(line: str) -> str:
        inner = line.lstrip("\t")
        kept = line[: len(line) - len(inner)]
        return textwrap.fill(
            inner, width, initial_indent=kept, break_long_words=False, break_on_hyphens=False
        )  # fmt: skip

    return each(wrapped)


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "quoted": each("> {}".format),
    "quoted twice": each("> > {}".format),
    "indented": each("    {}".format),
    "without indentation": each(str.strip),
    "spaces for tabs": lambda text: text.expandtabs(4),
    "line ends of Windows": lambda text: text.replace("\n", "\r\n"),
    "carriage returns": lambda text: text.replace("\n", "\r"),
    "a byte order mark": "\ufeff{}".format,
    "grep -n": numbered("{}:"),
    "cat -n": numbered("{:6}\t"),
    "container log": numbered("2026-11-30T10:11:12.{}Z stdout F "),
    "a prompt": "root@node:~# nft list ruleset\n{}root@node:~# ".format,
    "in Markdown": "See below:\n\n```\n{}```\nThanks!\n".format,
    "kubectl exec": 'Defaulted container "a" out of: a, b (init)\n{}'.format,
    "warnings between lines": lambda text: text.replace("\tchain", f"{WARNING}\tchain"),
    "warnings among elements": lambda text: text.replace(",\n", f",\n{WARNING}"),
    "a warning within a name": lambda text: text.replace("chain services", f"chain ser{WARNING}vices", 1),
    "a warning within an element": lambda text: text.replace(
        "10.96.0.10 . udp", f"10.96{WARNING}.0.10 . udp", 1
    ),
    "a terminal": at_column(80),
    "a wide terminal": at_column(133),
    "a mail": as_mail(76),
    "colours": lambda text: text.replace("chain", "\x1b[1mchain\x1b[0m"),
    "in a bundle's text": "== ip addr ==\n1: lo: <LOOPBACK>\n\n== nft ==\n{}\n== end ==\n  more\nand more\n".format,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["every-1.34", "every-1.36"])
def test_a_listing_says_the_same_in_any_form(name: str, form: str) -> None:
    text = listing(f"{name}.listing").decode()
    changed = FORMS[form](text)
    ruleset = ruleset_of(changed)
    assert told(ruleset) == told(ruleset_of(text))
    last = changed.count("\n") + changed.count("\r") + 1
    assert all(1 <= note.first <= note.last <= last for note in ruleset.notes)
    assert ruleset.remarks == [one for one in ruleset.remarks if one.line == 0]


def test_lines_keep_their_numbers() -> None:
    text = listing("every-1.34.listing").decode()
    changed = FORMS["warnings among elements"](text)
    lines = changed.split("\n")
    for table in ruleset_of(changed).tables.values():
        for chain in table.chains.values():
            assert lines[chain.line - 1] == f"\tchain {chain.name} {{"
            assert all(rule.text in lines[rule.line - 1] for rule in chain.rules)
        for found in table.sets.values():
            assert found.name in lines[found.line - 1]
            assert all(lines[line - 1].startswith(("\t\telements", "\t\t\t")) for line, _ in found.lines)


def test_wide_characters_are_read() -> None:
    text = listing("every-1.36.listing").decode()
    ruleset = ruleset_of(text.encode("utf-16"))
    assert told(ruleset) == told(ruleset_of(text))
    assert [one.id for one in ruleset.remarks] == ["wide-characters"]


def test_short_lines_of_people_are_not_joined() -> None:
    ruleset = ruleset_of(
        "table inet filter {\nchain input {\n    type filter hook input priority 0;\nct state new accept\ntcp dport 22 accept\n}\n}\n"
    )
    (table,) = ruleset.tables.values()
    assert [rule.text for rule in table.chains["input"].rules] == [
        "ct state new accept",
        "tcp dport 22 accept",
    ]
