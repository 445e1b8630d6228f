"""A node in a network namespace: load rules, open connections, read counters."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BACKENDS = ("legacy", "nft")
NOTHING = "".join(f"*{table}\nCOMMIT\n" for table in ("raw", "mangle", "nat", "security")) + (
    "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n"
)
"""Goes before rules, which alone would leave the tables that they do not name as they were."""
TOOLS = (
    "ip", "iptables-legacy-restore", "iptables-nft-restore", "iptables-legacy-save", "iptables-nft-save",
    "xtables-monitor",
)  # fmt: skip
SENDER = Path(__file__).with_name("sender.py")


def why_not() -> str:
    """Return why no kernel can be asked here, or an empty text."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"needs {', '.join(missing)} (apt-get install iptables iproute2)"
    name = f"iptviz-{uuid.uuid4().hex[:8]}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"cannot make a network namespace: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=False)
    return ""


class Node:
    """One namespace that plays a node: every pod and node address is its own, so packets stay inside."""

    def __init__(self, name: str, backend: str, family: int) -> None:
        self.name = name
        self.backend = backend
        self.family = family

    def run(self, *command: str, stdin: str | None = None) -> str:
        """Run a command in the namespace; its standard output."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.name, *command],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def tool(self, verb: str) -> str:
        return f"ip{'6' if self.family == 6 else ''}tables-{self.backend}-{verb}"

    def load(self, rules: str) -> None:
        self.run(self.tool("restore"), stdin=rules)

    def save(self, *options: str) -> str:
        return self.run(self.tool("save"), *options)

    def connect(
        self,
        target: tuple[str, int],
        count: int,
        *,
        source: str,
        protocol: str = "tcp",
        per_source: int = 40_000,
    ) -> None:
        """Open `count` connections to `target`, `per_source` from each address from `source` on."""
        order = {
            "target": target,
            "count": count,
            "source": source,
            "protocol": protocol,
            "per_source": per_source,
        }
        self.run(
            sys.executable, "-S", str(SENDER), json.dumps(order)
        )  # -S: it needs nothing that is installed


@contextlib.contextmanager
def node(backend: str, family: int = 4) -> Iterator[Node]:
    """Make a namespace with one ordinary address; whatever is sent leaves by its loopback device.

    The rules are asked when a packet leaves, so nobody needs to be there to receive it. MASQUERADE needs the
    ordinary address to write it into packets, and `--src-type LOCAL` is true of that address alone.
    """
    made = Node(f"iptviz-{uuid.uuid4().hex[:8]}", backend, family)
    subprocess.run(["ip", "netns", "add", made.name], check=True)
    try:
        for command in _SET_UP[family]:
            made.run("ip", f"-{family}", *command.split())
        yield made
    finally:
        subprocess.run(["ip", "netns", "del", made.name], check=False)


NODE = {4: "192.168.1.10", 6: "fd00:192:168:1::10"}
_SET_UP = {
    4: ("link set lo up", f"addr add {NODE[4]}/24 dev lo", "route add default dev lo"),
    6: ("link set lo up", f"addr add {NODE[6]}/64 dev lo", "route add default dev lo"),
}


def tables_of(dump: str) -> dict[str, list[str]]:
    """Return each table's lines, without comments and policy counters, which no two saves share."""
    tables: dict[str, list[str]] = {}
    for line in dump.splitlines():
        if line.startswith("*"):
            tables[line] = lines = []
        elif not line.startswith("#"):
            lines.append(re.sub(r"\[\d+:\d+\]$", "[0:0]", line))
    return tables
