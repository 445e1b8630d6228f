"""What a dump does not show, or shows wrongly: lines cut away, and conditions that an older iptables did not print."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.checks.planted import Plant

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.checks.planted import Base


def _table(base: Base, name: str) -> tuple[str, str, str]:
    """The text before a table, the table's, and the text behind it."""
    head, sign, rest = base.text.partition(f"*{name}\n")
    own, commit, tail = rest.partition("COMMIT\n")
    return head, sign + own + commit, tail


def _cut(base: Base, place: int) -> str:
    """The dump without the end of a table, without a table, or without declarations of chains."""
    head, own, tail = _table(base, "nat" if place == 0 else "filter")
    if place == 2:
        own = re.sub(r"^:KUBE-(?:FORWARD|SERVICES) .*\n", "", own, flags=re.MULTILINE)
    return head + (own.removesuffix("COMMIT\n") if place == 0 else own if place == 2 else "") + tail


def _unreadable(base: Base, place: int) -> str:
    head, _, tail = _table(base, "nat")
    return f"{'# ' * (place > 0)}# Table `nat' is incompatible, use 'nft' tool.\n{head}{tail}".replace(
        "# # ", "# "
    )


def _nat_without(pattern: str, new: str = "") -> Callable[[Base, int], str]:
    """The dump without a condition in all of the table nat, saved by an older iptables."""

    def put(base: Base, place: int) -> str:
        head, own, tail = _table(base, "nat")
        text = head + re.sub(pattern, new, own) + tail
        return text.replace("v1.8.9", f"v1.8.{5 + place}")

    return put


def _one_address(base: Base, place: int) -> str:
    """The dump with DNAT rules of which some lack their address."""
    wrong = ("[unsupported revision]", "--to-destination :0 --persistent", "--random")[place]
    line = base.line_of("-j DNAT --to-destination", place)
    return base.instead(line, re.sub(r"--to-destination .*", wrong, line))


def _bare_drop(base: Base, place: int) -> str:
    """The dump with the rule of kubelet's that drops marked packets, without the mark."""
    line = base.line_of("-A KUBE-FIREWALL .*-j DROP" if base.family == 4 else "-A KUBE-FORWARD .*INVALID")
    said = '-m comment --comment "kubernetes firewall for dropping marked packets" ' if place else ""
    bare = f"-A KUBE-FIREWALL {said}-j DROP"
    return base.before(line, bare) if place < 2 else base.after(line, bare)


def _version(base: Base, place: int) -> str:
    return re.sub(r"-save v[\d.]+(?: \(\w+\))?", f"-save v1.8.{place + 1} (nf_tables)", base.text)


PLANTS = {
    "partial-dump": Plant(_cut),
    "nat-unreadable": Plant(_unreadable),
    "ports-not-printed": Plant(_nat_without(r" -m tcp --dport \d+")),
    "marks-not-printed": Plant(_nat_without(r" -m mark ! --mark \S+")),
    "chances-not-printed": Plant(_nat_without(r" -m statistic --mode random --probability \S+")),
    "dnat-unreadable": Plant(_one_address),
    "rule-corrupt": Plant(_bare_drop),
    "iptables-version": Plant(_version),
}
