"""What iptables-save itself prints for the rules of `tests/canonical`, loaded and saved by both backends."""

from __future__ import annotations

import re
import subprocess
from itertools import groupby
from typing import TYPE_CHECKING

import pytest

from iptviz import load
from tests.canonical import Typed, typed_rules
from tests.kernel.lab import BACKENDS, Node, node

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

BY_TABLE = {
    place: [rule for rule in rules if rule.in_kernel]
    for place, rules in (
        (place, list(group))
        for place, group in groupby(
            sorted(typed_rules(), key=lambda rule: (rule.family, rule.table)),
            key=lambda rule: (rule.family, rule.table),
        )
    )
}
SAVED_AS = {"legacy": "legacy", "nft": "nf_tables"}
SETS = ("create known hash:ip", "create ports hash:ip,port", "create known6 hash:ip family inet6")


@pytest.mark.parametrize(("family", "table"), list(BY_TABLE))
@pytest.mark.parametrize("backend", BACKENDS)
def test_iptables_prints_what_the_files_say(backend: str, family: str, table: str) -> None:
    rules = BY_TABLE[family, table]
    with node(backend, 4 if family == "ipv4" else 6) as lab:
        lab.run("ipset", "restore", stdin="\n".join(SETS) + "\n")
        printed = {rule.place: lines for rule, lines in ask(lab, table, rules)}
    assert printed == {rule.place: rule.by_tool(SAVED_AS[backend]) for rule in rules}


@pytest.mark.parametrize(("family", "table"), list(BY_TABLE))
@pytest.mark.parametrize("backend", BACKENDS)
def test_what_iptables_saves_is_read_back_whole_and_canonical(backend: str, family: str, table: str) -> None:
    rules = [rule for rule in BY_TABLE[family, table] if rule.by_tool(SAVED_AS[backend])]
    with node(backend, 4 if family == "ipv4" else 6) as lab:
        lab.run("ipset", "restore", stdin="\n".join(SETS) + "\n")
        load_together(lab, table, [rule for rule in rules if rule.chain == "TYPED"])
        text = lab.save("-t", table)
    dump = load(text.encode())
    older = {line for rule in rules for line in rule.older}
    assert bytes(dump) == text.encode()
    for rule in dump.tables[table].rules():
        assert rule.parts.unknown == (), rule
        if rule.text.split(" ", 2)[2:] and rule.text.split(" ", 2)[2] not in older:
            assert rule.canonical() == rule.text


def ask(lab: Node, table: str, rules: list[Typed]) -> Iterator[tuple[Typed, list[str]]]:
    """Yield each rule with the lines that iptables-save prints for it; none where iptables refuses it."""
    own = [rule for rule in rules if rule.chain == "TYPED"]
    yield from load_together(lab, table, own)
    for rule in rules:
        if rule.chain != "TYPED":
            yield rule, load_alone(lab, table, rule)


def load_together(lab: Node, table: str, rules: list[Typed]) -> Iterable[tuple[Typed, list[str]]]:
    """Load each rule into a chain of its own; those that iptables refuses are taken out one by one."""
    kept = dict(enumerate(rules, 1))
    while True:
        chains = [f":T{number} - [0:0]" for number in kept]
        lines = [f"-A T{number} {rule.text}" for number, rule in kept.items()]
        refused = try_load(lab, "\n".join((f"*{table}", *chains, *lines, "COMMIT", "")))
        if refused is None:
            break
        assert 0 <= refused - len(chains) - 2 < len(lines), f"line {refused} of {lines} is refused"
        del kept[list(kept)[refused - len(chains) - 2]]
    saved = lab.save("-t", table).splitlines()
    return [
        (
            rule,
            [
                line.removeprefix(f"-A T{number}").strip()
                for line in saved
                if line.startswith((f"-A T{number} ",)) or line == f"-A T{number}"
            ],
        )
        for number, rule in enumerate(rules, 1)
    ]


def load_alone(lab: Node, table: str, rule: Typed) -> list[str]:
    if try_load(lab, f"*{table}\n-A {rule.chain} {rule.text}\nCOMMIT\n") is not None:
        return []
    head = f"-A {rule.chain} "
    return [line.removeprefix(head) for line in lab.save("-t", table).splitlines() if line.startswith(head)]


def try_load(lab: Node, text: str) -> int | None:
    """Load `text`; return the line, counted from 1, that iptables refuses."""
    command = ("ip", "netns", "exec", lab.name, lab.tool("restore"))
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    found = re.search(r"line:? (\d+)(?: failed)?", done.stderr)
    assert found, done.stderr
    return int(found[1])
