"""Rules as people type them and as iptables-save prints them: the `.txt` files here, and how to read them.

A section `[ipv4 filter]` names family and table. A line at the margin is a rule as typed, without its chain;
the indented lines below it are what iptables-save prints, one per rule it makes. Words in front of a printed
line tell who prints it so: `legacy:` or `nf_tables:` a backend, `1.8.9:` a release older than the one whose
form we print; a typed rule whose printed lines are all marked with one backend is refused by the other.
A line `(no kernel)` says that the kernel at hand lacks the extension, so that only our reading is tested.
A line `(in CHAIN)` puts the rule into that built-in chain, which some targets demand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent
BACKENDS = ("legacy", "nf_tables")
_SECTION = re.compile(r"\[(ipv4|ipv6) (\w+)\]")
_MARKED = re.compile(r"(legacy|nf_tables|1\.8\.9): ")


@dataclass
class Typed:
    """A rule as typed; `printed` by backend, and where an older release prints it otherwise, `older`."""

    place: str
    family: str
    table: str
    text: str
    chain: str = "TYPED"
    in_kernel: bool = True
    printed: dict[str, list[str]] = field(default_factory=dict)
    older: list[str] = field(default_factory=list)

    def by_tool(self, backend: str) -> list[str]:
        """Return what iptables 1.8.9 prints."""
        return self.older or self.printed.get(backend, [])


def typed_rules() -> list[Typed]:
    """Return the rules of all files."""
    return [rule for path in sorted(FOLDER.glob("*.txt")) for rule in _read(path)]


def _read(path: Path) -> list[Typed]:
    family = table = ""
    rules: list[Typed] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if section := _SECTION.fullmatch(line):
            family, table = section.groups()
        elif not line.startswith(" "):
            rules.append(Typed(f"{path.name}:{number}", family, table, line))
        else:
            _add(rules[-1], line.strip())
    return rules


def _add(rule: Typed, line: str) -> None:
    mark = _MARKED.match(line)
    text = line[mark.end() :] if mark else line
    if line == "(no kernel)":
        rule.in_kernel = False
    elif line.startswith("(in "):
        rule.chain = line[4:-1]
    elif mark and mark[1] == "1.8.9":
        rule.older.append(text)
    else:
        for backend in BACKENDS if mark is None else (mark[1],):
            rule.printed.setdefault(backend, []).append(text)
