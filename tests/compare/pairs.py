"""Pairs of random rule sets: some that do the same by how they were made, and some with a change that may matter."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, NamedTuple

from tests.kernel.random_tables import MATCHES, PLAIN, PORTS, Menu, random_rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kernel.random_tables import Place

Dice = random.Random
CHANCES = ["0.5", "0.33333", "0.25000000000"]


def _match(dice: Dice, _place: Place) -> str:
    if dice.random() < 0.06:
        return f"-m statistic --mode random --probability {dice.choice(CHANCES)}"
    return dice.choice(MATCHES)(dice)


MENU = Menu(_match, PLAIN.targets)
PLAIN_MENU = PLAIN
"""Without chances."""


class Pair(NamedTuple):
    """Two dumps; `equal`: they do the same by how the second was made of the first, in the way of `how`."""

    old: str
    new: str
    equal: bool
    how: str


def _lines(rules: str) -> list[str]:
    return rules.splitlines()


def _rules(lines: list[str]) -> list[int]:
    return [
        place for place, line in enumerate(lines) if line.startswith("-A") and "-A OUTPUT -j DROP" not in line
    ]


def _text(lines: list[str]) -> str:
    return "\n".join([*lines, ""])


# --- the same, told otherwise --------------------------------------------------------------------------------


def renamed(_dice: Dice, lines: list[str]) -> list[str]:
    return [re.sub(r"\bC(\d+)\b", r"X\1-Y", line) for line in lines]


def with_nothing(dice: Dice, lines: list[str]) -> list[str]:
    """Rules that match nothing, or do nothing."""
    for place in sorted(dice.sample(_rules(lines), min(3, len(_rules(lines)))), reverse=True):
        chain = lines[place].split()[1]
        lines.insert(
            place,
            f"-A {chain} "
            + dice.choice(
                [
                    "",
                    "-m statistic --mode random --probability 0 -j RETURN",
                    "-p tcp -m tcp --dport 0",
                    "-m comment --comment x",
                ]
            ),
        )
    return lines


def split(dice: Dice, lines: list[str]) -> list[str]:
    """The end of a chain in a chain of its own, which is jumped to."""
    place = dice.choice(_rules(lines))
    chain = lines[place].split()[1]
    start = max(at for at in range(place) if lines[at].startswith("*"))
    end = next(at for at in range(place, len(lines)) if lines[at] == "COMMIT")
    own = [
        at for at in range(place, end) if lines[at].startswith(f"-A {chain} ") or lines[at] == f"-A {chain}"
    ]
    moved = [lines[at].replace(f"-A {chain}", "-A TAIL", 1) for at in own]
    kept = [line for at, line in enumerate(lines[start:end], start) if at not in own]
    kept.insert(1, ":TAIL -")
    jump = [f"-A {chain} -{dice.choice('jg') if chain.startswith('C') else 'j'} TAIL"]
    return lines[:start] + kept + jump + moved + lines[end:]


def disjoint_swapped(_dice: Dice, lines: list[str]) -> list[str]:
    """Neighbours of which one asks for TCP and the other for UDP, the other way round."""
    for place in _rules(lines)[:-1]:
        pair = lines[place : place + 2]
        both = all(re.match(r"-A \S+ -p (tcp|udp) ", line) for line in pair)
        if both and pair[0].split()[:2] == pair[1].split()[:2] and pair[0].split()[3] != pair[1].split()[3]:
            lines[place : place + 2] = pair[::-1]
    return lines


def respelled(_dice: Dice, lines: list[str]) -> list[str]:
    return [
        re.sub(r"(?<= -[sd] )(10\.\d+\.\d+\.\d+)/32", r"\1/255.255.255.255", line).replace(
            "--set-mark 0x3", "--set-xmark 0x3/0xffffffff"
        )
        for line in lines
    ]


def in_other_order(dice: Dice, lines: list[str]) -> list[str]:
    """Tables in another order, which makes no difference."""
    tables = re.findall(r"^\*.*?^COMMIT$", _text(lines), re.MULTILINE | re.DOTALL)
    dice.shuffle(tables)
    return "\n".join(tables).splitlines()


EQUAL: list[Callable[[Dice, list[str]], list[str]]] = [
    renamed, with_nothing, split, disjoint_swapped, respelled, in_other_order,
]  # fmt: skip

# --- changes that may matter ---------------------------------------------------------------------------------


def lost(dice: Dice, lines: list[str]) -> list[str]:
    del lines[dice.choice(_rules(lines))]
    return lines


def swapped(dice: Dice, lines: list[str]) -> list[str]:
    places = [at for at in _rules(lines)[:-1] if lines[at + 1].startswith(" ".join(lines[at].split()[:2]))]
    if places:
        at = dice.choice(places)
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
    return lines


def aimed_elsewhere(dice: Dice, lines: list[str]) -> list[str]:
    at = dice.choice(_rules(lines))
    verdict = dice.choice(["ACCEPT", "RETURN", "RETURN" if _table(lines, at) == "nat" else "DROP"])
    lines[at] = re.sub(r" -[jg] (ACCEPT|DROP|RETURN)$", f" -j {verdict}", lines[at])
    return lines


def _table(lines: list[str], at: int) -> str:
    return next(line[1:] for line in reversed(lines[:at]) if line.startswith("*"))


def narrowed(dice: Dice, lines: list[str]) -> list[str]:
    at = dice.choice(_rules(lines))
    if " -s " not in lines[at]:
        chain, _, rest = lines[at].removeprefix("-A ").partition(" ")
        lines[at] = (
            f"-A {chain} -s {dice.choice(['10.1.0.0/24', '10.1.0.9/32', '10.0.0.0/8', '10.1.0.2/31'])} {rest}".strip()
        )
    return lines


def added(dice: Dice, lines: list[str]) -> list[str]:
    at = dice.choice(_rules(lines))
    chain = lines[at].split()[1]
    verdict = "RETURN" if _table(lines, at) == "nat" else "DROP"
    match = dice.choice(
        [
            "-p tcp -m tcp --dport 80",
            f"-p udp -m udp --sport {dice.choice(PORTS)}",
            "-s 10.1.0.9/32",
            "-m mark --mark 0x1/0x1",
            "-d 10.2.0.3/32",
            "-m conntrack --ctstate DNAT",
        ]
    )
    lines.insert(at, f"-A {chain} {match} -j {verdict}")
    return lines


def otherwise(dice: Dice, lines: list[str]) -> list[str]:
    """Another address, port, mark or chance."""
    at = dice.choice(_rules(lines))
    changes = [
        (r"10\.2\.0\.3\b", "10.2.0.4"),
        (r"dport 80\b", "dport 81"),
        ("0x1/0x1", "0x2/0x2"),
        ("0x3", "0x1"),
        ("0.5", "0.4"),
        (r"10\.3\.0\.1\b", "10.3.0.2"),
        (":81", ":82"),
        ("MASQUERADE", "SNAT --to-source 10.9.0.9"),
    ]
    for pattern, to in dice.sample(changes, len(changes)):
        if re.search(pattern, lines[at]):
            lines[at] = re.sub(pattern, to, lines[at])
            break
    return lines


def other_policy(dice: Dice, lines: list[str]) -> list[str]:
    places = [
        at
        for at, line in enumerate(lines)
        if line.startswith((":FORWARD", ":INPUT")) and "filter" in _table(lines, at)
    ]
    if places:
        at = dice.choice(places)
        chain, policy = lines[at].split()[:2]
        lines[at] = f"{chain} {'ACCEPT' if policy == 'DROP' else 'DROP'}"
    return lines


CHANGES: list[Callable[[Dice, list[str]], list[str]]] = [
    lost, swapped, aimed_elsewhere, narrowed, added, otherwise, other_policy,
]  # fmt: skip


def random_pair(seed: int, hook: str = "prerouting", menu: Menu = MENU) -> Pair:
    """Return two rule sets: a third of the pairs do the same, the others may."""
    dice = Dice(seed)
    old = random_rules(seed, 4, hook, menu)
    lines = _lines(old)
    equal = seed % 3 == 0
    how = dice.sample(EQUAL, dice.randint(1, 3)) if equal else dice.choices(CHANGES, k=dice.choice([1, 3, 6]))
    for change in how:
        lines = change(dice, lines) if _rules(lines) else lines  # the last one may be lost
    return Pair(old, _text(lines), equal, ", ".join(change.__name__ for change in how))
