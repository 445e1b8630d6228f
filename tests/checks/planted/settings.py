"""Settings of the kernel that answers depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.checks.planted import Plant

if TYPE_CHECKING:
    from tests.checks.planted import Base


def _bridged(base: Base, place: int) -> str:
    """Flannel's rules for a node whose pods have one of the networks that endpoints are in."""
    pods, own = (
        ("10.244.0.0/16", f"10.244.{place}.0/24")
        if base.family == 4
        else ("fd00:10:244::/48", f"fd00:10:244:{place:x}::/64")
    )
    rules = (
        "-A POSTROUTING -j FLANNEL-POSTRTG",
        f"-A FLANNEL-POSTRTG -s {pods} -d {pods} -j RETURN",
        f"-A FLANNEL-POSTRTG ! -s {pods} -d {own} -j RETURN",
    )
    text = base.appended("nat", "\n".join(rules))
    return text.replace(":KUBE-MARK-MASQ - [0:0]\n", ":FLANNEL-POSTRTG - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n", 1)


PLANTS = {"bridge-nf-call": Plant(_bridged)}
