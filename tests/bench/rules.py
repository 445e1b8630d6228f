"""How long it takes to bring all rules of a large dump into the neutral form, the thorough way and by shapes.

`python -m tests.bench.rules [SERVICES [ENDPOINTS [ROUNDS]]]`; the best of some rounds, each in a process of its own,
since what is read once is remembered.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from iptviz.dump.model import Dump
from iptviz.rules.iptables import rule_table
from iptviz.rules.shapes import Shapes
from tests import kubeproxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table

SIZE = ("2400", "3")  # some 33,000 rules


def take_apart(_table: Table, rules: Iterable[Rule]) -> None:
    for rule in rules:
        _ = rule.parts


def thoroughly(table: Table, rules: Iterable[Rule]) -> None:
    made = rule_table(table)
    for rule in rules:
        made.thoroughly(rule)


def by_shapes(table: Table, rules: Iterable[Rule]) -> None:
    made = rule_table(table)
    shapes = Shapes(made.has_chain, made.family)
    for rule in rules:
        _ = shapes.compiled(rule, rule.text) or made.thoroughly(rule)


WAYS: dict[str, Callable[[Table, Iterable[Rule]], None]] = {
    "taken apart alone": take_apart,
    "made thoroughly": thoroughly,
    "made by shapes": by_shapes,
}


def measure(name: str, services: int, endpoints: int) -> None:
    """Print how many rules there are, and the seconds of processor time that one way takes for them."""
    dump = Dump(kubeproxy.saved(kubeproxy.numbered(services, endpoints)).encode())
    rules = {table.name: list(table.rules()) for table in dump.tables.values()}
    gc.disable()
    start = time.process_time()
    for table in dump.tables.values():
        WAYS[name](table, rules[table.name])
    print(sum(map(len, rules.values())), time.process_time() - start)


def main(services: str = SIZE[0], endpoints: str = SIZE[1], rounds: str = "5") -> None:
    for name in WAYS:
        command = [sys.executable, "-m", "tests.bench.rules", "--only", name, services, endpoints]
        runs = [subprocess.check_output(command, text=True).split() for _ in range(int(rounds))]
        print(
            f"{name:20} {runs[0][0]:>8} rules {min(float(seconds) for _, seconds in runs):7.3f} s", flush=True
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--only"]:
        measure(sys.argv[2], *map(int, sys.argv[3:]))
    else:
        main(*sys.argv[1:])
