"""Tables, chains and rules on the way to a text like that of iptables-save."""

from __future__ import annotations

from collections import defaultdict

HOOKS = {
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
}


class Tables:
    """The rules of each chain of each table; a chain that was asked for exists, even when empty."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, list[str]]] = {table: defaultdict(list) for table in HOOKS}

    def nat(self, chain: str, rule: str) -> None:
        self._tables["nat"][chain].append(f"-A {chain} {rule}")

    def filter(self, chain: str, rule: str) -> None:
        self._tables["filter"][chain].append(f"-A {chain} {rule}")

    def declare(self, table: str, *chains: str) -> None:
        for chain in chains:
            self._tables[table][chain]

    def has(self, chain: str) -> bool:
        """Whether the nat table has such a chain already."""
        return chain in self._tables["nat"]

    def text(self, header: str) -> str:
        """Built-in chains come first, then the others by name; tables without anything are not there."""
        lines = []
        for table, chains in self._tables.items():
            if not chains:
                continue
            hooks = HOOKS[table]
            users = sorted(set(chains) - set(hooks))
            lines += [header, f"*{table}", *(f":{hook} ACCEPT [0:0]" for hook in hooks)]
            lines += [f":{chain} - [0:0]" for chain in users]
            lines += [rule for chain in (*hooks, *users) for rule in chains.get(chain, ())]
            lines += ["COMMIT", "# Completed on Mon Nov 23 12:00:00 2026"]
        return "\n".join(lines) + "\n"
