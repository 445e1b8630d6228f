"""Rules of others that end what services send, or rewrite where it comes from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.checks.planted import Plant

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.checks.planted import Base

_OTHERS = (
    "-A {} -i lo -j ACCEPT",
    "-A {} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-A {} -d 198.51.100.7/32 -j DROP",
)
"""What a firewall has above its last word: more of it at each place."""


def _prefix(base: Base) -> str:
    return "[1:60] " if base.name.startswith("counters") else ""


def _above(base: Base, place: int, hook: str, *rules: str) -> str:
    """The dump with rules above all of a hook in the filter table."""
    family = [rule for rule in _OTHERS[:place] if base.family == 4 or "198.51" not in rule]
    lines = [
        _prefix(base) + rule.format(hook) for rule in (*family, *(f"-A {hook} {rule}" for rule in rules))
    ]
    head, table, rest = base.text.partition("*filter\n")
    first = re.search(rf"^(?:\[\S+\] )?-A {hook} ", rest, re.MULTILINE)
    assert first, hook
    return head + table + rest[: first.start()] + "\n".join(lines) + "\n" + rest[first.start() :]


def _rejecting(base: Base, place: int) -> str:
    refused = "icmp-host-prohibited" if base.family == 4 else "icmp6-adm-prohibited"
    pods = base.cluster.pod_cidr
    return _above(base, place, "FORWARD", f"-j REJECT --reject-with {refused}", f"-s {pods} -j ACCEPT")


def _policy(chain: str) -> Callable[[Base, int], str]:
    """The dump with policy DROP, and accepts of other networks."""

    def put(base: Base, place: int) -> str:
        other = "203.0.113.{}/32" if base.family == 4 else "2001:db8::{}/128"
        text = _above(
            base, 0, chain, *(f"-d {other.format(number)} -j ACCEPT" for number in range(1, place + 1))
        )
        head, table, rest = text.partition("*filter\n")
        return head + table + rest.replace(f":{chain} ACCEPT", f":{chain} DROP", 1)

    return put


def _one_endpoint(base: Base, place: int) -> str:
    address = base.service(place).endpoints[place][0]
    return _above(base, place, "FORWARD", f"-d {address} -j DROP")


def _raw(base: Base, place: int) -> str:
    service = base.service(place).address
    rule = f"{_prefix(base)}-A PREROUTING -d {service} -j DROP"
    return f"{base.text}*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{rule}\nCOMMIT\n"


def _masquerade(base: Base, place: int) -> str:
    other = (
        ("10.141.0.0/16", "192.168.0.0/16", "172.16.0.0/12") if base.family == 4 else ("fd00:141::/32",) * 3
    )
    rule = f"{_prefix(base)}-A POSTROUTING ! -d {other[place]} -j MASQUERADE"
    return base.after(
        base.line_of("-A POSTROUTING .*-j KUBE-POSTROUTING|-A POSTROUTING -j KUBE-POSTROUTING"), rule
    )


PLANTS = {
    "forward-drop": Plant(_policy("FORWARD")),
    "output-drop": Plant(_policy("OUTPUT")),
    "forward-reject-first": Plant(_rejecting),
    "blocked-endpoint-hidden": Plant(_one_endpoint),
    "rule-drops-services": Plant(_raw),
    "foreign-masquerade": Plant(_masquerade),
}
