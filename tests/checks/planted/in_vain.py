"""Rules that do nothing where they stand."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from tests.checks.planted import Plant
from tests.checks.planted.refused import HOOKS, TABLES

if TYPE_CHECKING:
    from tests.checks.planted import Base


def _behind(base: Base, place: int, *rules: str) -> str:
    """The dump with rules of a chain of their own, which one TCP port leads to, as many jumps deep as the place."""
    prefix = "[1:60] " if base.name.startswith("counters") else ""
    chains = ("ONE", "TWO", "SHOP")[2 - place :]
    way = [f"{HOOKS[place]} -p tcp -m tcp --dport 9090 -j {chains[0]}"]
    way += [f"{one} -m conntrack --ctstate NEW -j {two}" for one, two in pairwise(chains)]
    lines = [f"{prefix}-A {rule}\n" for rule in (*way, *(f"SHOP {rule}" for rule in rules))]
    declared = "".join(f":{chain} - [0:0]\n" for chain in chains)
    text = base.appended(TABLES[place], "".join(lines))
    return text.replace(f"*{TABLES[place]}\n", f"*{TABLES[place]}\n{declared}", 1)


def _network(base: Base, length: int) -> str:
    return f"203.0.113.0/{length}" if base.family == 4 else f"2001:db8::/{length + 40}"


def _unreachable(base: Base, place: int) -> str:
    ends = ("-j RETURN", "-m comment --comment done -j ACCEPT", "-j DROP")[place]
    return _behind(base, place, "-p tcp -m tcp --sport 1024:65535", ends, "-j MARK --set-xmark 0x1/0x1")


def _shadowed(base: Base, place: int) -> str:
    wide = (f"-s {_network(base, 24)}", f"! -s {_network(base, 24)}", "-m conntrack --ctstate NEW")[place]
    narrow = (f"-s {_network(base, 28)}", "-p tcp", "-m conntrack --ctstate NEW -p tcp")[place]
    if place == 1:
        narrow = f"! -s {_network(base, 20)} -p tcp"
    return _behind(base, place, f"{wide} -j ACCEPT", f"{narrow} -j MARK --set-xmark 0x1/0x1")


def _duplicates(base: Base, place: int) -> str:
    line = base.line_of("-A (?:FORWARD|OUTPUT|KUBE-FORWARD) ", place)
    return base.after(line, "\n".join([line] * (3 + 20 * place)))


def _contradiction(base: Base, place: int) -> str:
    wrong = ("-p udp", "-p tcp -m tcp --dport 9091", "-m conntrack --ctstate INVALID")[min(place, 2)]
    return _behind(base, place, "-p tcp -m tcp --sport 1024:65535", f"{wrong} -j RETURN")


PLANTS = {
    "unreachable-rule": Plant(_unreachable),
    "shadowed-rule": Plant(_shadowed),
    "duplicate-rules": Plant(_duplicates),
    "rule-contradiction": Plant(_contradiction),
}
