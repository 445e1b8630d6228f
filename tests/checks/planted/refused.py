"""What the kernel refuses: chains that are missing, looped or too deep, and targets where they must not stand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.checks.planted import Plant

if TYPE_CHECKING:
    from tests.checks.planted import Base

TABLES = ("filter", "nat", "mangle")
HOOKS = ("FORWARD", "OUTPUT", "PREROUTING")
"""One of each table: a fault stands in another at each place."""


def _with(base: Base, place: int, chains: tuple[str, ...], *rules: str) -> str:
    """The dump with chains and rules at the end of a table."""
    prefix = "[1:60] " if base.name.startswith("counters") else ""
    text = base.appended(TABLES[place], "".join(f"{prefix}-A {rule}\n" for rule in rules))
    declared = "".join(f":{chain} - [0:0]\n" for chain in chains)
    return text.replace(f"*{TABLES[place]}\n", f"*{TABLES[place]}\n{declared}", 1)


def _loop(base: Base, place: int) -> str:
    ways = [f"{HOOKS[place]} -i eth0 -j ONE" if place != 1 else "OUTPUT -o eth0 -j ONE"]
    return _with(
        base, place, ("ONE", "TWO", "THREE"), *ways, "ONE -p tcp -j TWO", "TWO -j THREE", "THREE -g TWO"
    )


def _missing(base: Base, place: int) -> str:
    rules = [f"{HOOKS[place]} -p udp -m udp --dport {port} -j LOST" for port in range(9001, 9002 + place)]
    return _with(base, place, (), *rules)


def _depth(base: Base, place: int) -> str:
    names = tuple(f"DEEP{number}" for number in range(16 + place))
    rules = [f"{one} -p tcp -j {two}" for one, two in zip((HOOKS[place], *names), names, strict=False)]
    text = _with(base, place, names, *rules)
    return re.sub(r"-save (v[\d.]+)(?: \(\w+\))?", r"-save \1 (nf_tables)", text)


def _illegal(base: Base, place: int) -> str:
    rule = (
        "FORWARD -p tcp -m tcp --dport 9090 -j REDIRECT --to-ports 8080",
        "OUTPUT -p tcp -m tcp --dport 9090 -j MASQUERADE",
        "FORWARD -p tcp -m tcp --dport 9090 -j REJECT",
    )[place]
    return _with(base, place, (), rule)


PLANTS = {
    "chain-loop": Plant(_loop),
    "dangling-jump": Plant(_missing),
    "nft-depth": Plant(_depth),
    "illegal-target": Plant(_illegal),
}
