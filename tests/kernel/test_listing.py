"""iptables judges the reading of listings: what it lists comes back as what it saves."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from iptviz.listing.rows import ListedColumns, read_columns, read_heading, read_row
from iptviz.xtables.words import split_words
from tests.kernel.lab import BACKENDS, node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.kernel.lab import Node

RULES = Path(__file__).with_name("listing_rules.txt")
TABLES = ("filter", "nat", "mangle", "raw", "security")
CHAINS = [":USERCHAIN - [0:0]", ":a-really-long-chain-name-28 - [0:0]"]
# Most kernels lack some extension; fewer rules than these would say little.
FEWEST = 230

# What a listing does not show, or says in other words; all else comes back as it was saved.
LOST = (
    (r" --hashlimit-name \S+", ""),
    (r" --datestop 2038-01-19T03:14:07", ""),  # saved by 1.8.9 where there is no end
    (r" --ttl 1 --log 2(?= |$)", ""),
    (r"! --quota", "--quota"),
    (r"-j NOTRACK", "-j CT --notrack"),
    (r"0x0000cafe", "0xcafe"),
    # The rate of rate-match is listed by another unit, and with a time that was not asked for.
    (
        r"upto 5/sec (.*)(--hashlimit-srcmask 16 .*-rate-match)",
        r"upto 10/min \1--hashlimit-htable-expire 1000 \2",
    ),
)
# Of these the options come back in another order.
UNORDERED = {"HMARK"}
# With ip6tables HMARK's prefixes are listed without their values; nft lists nothing for eui64 with -n.
UNKNOWN = {6: {"HMARK", "eui64"}, 4: set[str]()}

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]


def rules_of(family: int) -> Iterator[tuple[str, str]]:
    """Yield the table of each rule for `family`, and its line."""
    table = chain = families = ""
    for line in RULES.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            table, chain, families = line.strip("[]").split()
        elif line and line[0] != "#" and str(family) in families:
            yield table, f"-A {chain} {line}"


def load_most(lab: Node, table: str, rules: list[str]) -> None:
    """Load what this kernel takes of `rules`, halving them until those that it refuses stand alone."""
    done = quietly(lab, lab.tool("restore"), "--noflush", stdin="\n".join([f"*{table}", *rules, "COMMIT\n"]))
    if done.returncode and len(rules) > 1:
        middle = len(rules) // 2
        load_most(lab, table, rules[:middle])
        load_most(lab, table, rules[middle:])


def quietly(lab: Node, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run what may fail: an extension or ipset may be missing."""
    inside = ["ip", "netns", "exec", lab.name, *command]
    return subprocess.run(inside, input=stdin, capture_output=True, text=True, check=False)


def load_all(lab: Node) -> None:
    # Names are looked up without -n; with a route each would wait for an answer.
    lab.run("ip", f"-{lab.family}", "route", "flush", "default")
    family = "inet6" if lab.family == 6 else "inet"
    quietly(lab, "ipset", "create", "tset", "hash:ip,port", "family", family, "counters")
    rules = [*rules_of(lab.family)]
    for table in TABLES:
        load_most(lab, table, CHAINS)
        load_most(lab, table, [rule for owner, rule in rules if owner == table])


def ask(lab: Node, table: str, *options: str) -> list[str]:
    return lab.run(lab.tool("").rstrip("-"), "-t", table, *options).splitlines()


def saved(lab: Node, table: str) -> list[str]:
    rules = [line for line in ask(lab, table, "-S") if line.startswith("-A")]
    for pattern, told in LOST:
        rules = [re.sub(pattern, told, rule) for rule in rules]
    return sorted(rules, key=chain_of)


def listed(lab: Node, table: str, *options: str) -> list[str]:
    """List a table and read it; nothing but its blank lines may be left over."""
    chain, columns, rules = "", None, []
    for line in ask(lab, table, *options):
        if heading := read_heading(line):
            chain = heading.name
        elif promised := read_columns(line):
            columns = promised
        elif line.strip():
            assert columns, line
            row = read_row(chain, line, columns)
            assert row, line
            rules.append(row.removeprefix("[0:0] "))
    return sorted(rules, key=chain_of)


def chain_of(rule: str) -> str:
    """-S and -L do not agree on the order of chains."""
    return rule.split()[1]


def words(rule: str) -> list[str]:
    found = split_words(rule)
    return found if UNORDERED.isdisjoint(found) else sorted(found)


def names(rule: str) -> list[str]:
    """Options without their values, which without -n may be names of hosts, services and users."""
    return [word for word in words(rule) if word.startswith("-") and word != "--"]


def differences(
    lab: Node, left: list[str], right: list[str], of: Callable[[str], list[str]] = words
) -> list[tuple[str, str]]:
    pairs = zip(left, right, strict=True)
    known = [(a, b) for a, b in pairs if UNKNOWN[lab.family].isdisjoint(split_words(a))]
    return [(a, b) for a, b in known if of(a) != of(b)]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_listed_comes_back_as_it_is_saved(backend: str, family: int) -> None:
    count = 0
    with node(backend, family) as lab:
        load_all(lab)
        for table in TABLES:
            rules = saved(lab, table)
            count += len(rules)
            assert not differences(lab, rules, listed(lab, table, "-nvL"))
            assert not differences(lab, rules, listed(lab, table, "-nvxL", "--line-numbers"))
            bare = [re.sub(r" (?:! )?-[io] \S+", "", rule) for rule in rules]
            assert not differences(lab, bare, listed(lab, table, "-nL"))
            named = [
                rule.replace(" -s ::/128", "") for rule in bare
            ]  # this address is `anywhere` to ip6tables
            assert not differences(lab, named, listed(lab, table, "-L"), names)
    assert count > FEWEST


COLUMNS = ListedColumns(numbered=False, counted=True, interfaces=True)
PACKETS = (99_999, 100_000, 123_456, 9_999_499, 9_999_500, 12_345_678_901, 9_999_499_500_000, 2**62)


def counters_of(listing: list[str]) -> list[tuple[int, int]]:
    """Return each number of the rules' counters and how far off it may be."""
    rules = [row for line in listing if (row := read_row("INPUT", line, COLUMNS))]
    counts = [part for rule in rules for part in rule.split("]")[0].strip("[").split(":")]
    return [(int(number), int(width or 0)) for number, _, width in (part.partition("~") for part in counts)]


def test_rounded_counters_hold_the_exact_ones() -> None:
    counted = [f"[{number}:{number}] -A INPUT -p tcp" for number in PACKETS]
    with node("legacy") as lab:
        lab.run(lab.tool("restore"), "-c", stdin="\n".join(["*filter", *counted, "COMMIT\n"]))
        exact, rounded = (counters_of(ask(lab, "filter", option)) for option in ("-nvxL", "-nvL"))
    assert [number for number, _ in exact] == [number for number in PACKETS for _ in "pb"]
    assert all(abs(a - b) <= width for (a, _), (b, width) in zip(exact, rounded, strict=True))
