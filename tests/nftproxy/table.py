"""A table while it is written: its sets, maps and chains, in the order in which they are made."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Objects:
    """What stands in a table, each by its name; `comments` are kept only where the release writes some."""

    family: str
    comments: bool
    heads: dict[str, list[str]] = field(default_factory=dict)
    elements: dict[str, dict[str, None]] = field(default_factory=dict)
    chains: dict[str, list[str]] = field(default_factory=dict)

    def add_set(self, name: str, *head: str, kind: str = "set", comment: str = "") -> None:
        """Declare a set or a map by the lines of its head."""
        said = [f'comment "{comment}"'] if comment and self.comments else []
        self.heads[f"{kind} {name}"] = [*head, *said]
        self.elements[name] = {}

    def add(self, name: str, *elements: str) -> None:
        """Add elements to a set that is declared."""
        self.elements[name] |= dict.fromkeys(elements)

    def chain(self, name: str, *rules: str) -> None:
        """Declare a chain, or add rules to it."""
        self.chains.setdefault(name, []).extend(rules)

    def text(self) -> str:
        """Return the table as a listing."""
        table_comment = ['\tcomment "rules for kube-proxy"'] if self.comments else []
        sets = ["\n".join(self._set(named)) for named in self.heads]
        chains = [
            "\n".join((f"\tchain {name} {{", *_indented(rules), "\t}")) for name, rules in self.chains.items()
        ]
        inner = "\n\n".join((*sets, *chains))
        return "\n".join((f"table {self.family} kube-proxy {{", *table_comment, inner, "}", ""))

    def _set(self, named: str) -> list[str]:
        elements = self.elements[named.partition(" ")[2]]
        joined = ",\n\t\t\t     ".join(elements)
        body = [*self.heads[named], *([f"elements = {{ {joined} }}"] if elements else [])]
        return [f"\t{named} {{", *_indented(body), "\t}"]


def _indented(lines: list[str]) -> list[str]:
    return [f"\t\t{line}" for line in lines]
