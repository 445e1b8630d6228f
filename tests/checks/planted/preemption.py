"""Rules of others that take services' connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.checks.planted import Plant

if TYPE_CHECKING:
    from tests.checks.planted import Base

_HOOK = r"-A PREROUTING .*-j KUBE-SERVICES"


def all_bits(base: Base) -> str:
    """How long the prefix of a single address is."""
    return "32" if base.family == 4 else "128"


def before_services(base: Base, rule: str, chain: str = "") -> str:
    """The dump with a rule above the jump to KUBE-SERVICES, and others at the end of nat, if any."""
    text = base.before(base.line_of(_HOOK), rule)
    return base._replace(text=text).appended("nat", chain) if chain else text


def after_services(base: Base, rule: str, chain: str) -> str:
    """The dump with a rule below the jump to KUBE-SERVICES, and others at the end of nat."""
    return base._replace(text=base.after(base.line_of(_HOOK), rule)).appended("nat", chain)


def declared(text: str, *chains: str) -> str:
    """The dump with chains of nat declared."""
    lines = "".join(f":{chain} - [0:0]\n" for chain in chains)
    return text.replace(":KUBE-MARK-MASQ - [0:0]\n", f"{lines}:KUBE-MARK-MASQ - [0:0]\n", 1)


def _foreign(base: Base, place: int) -> str:
    address = f"{base.service(place).cluster_ip}/{all_bits(base)}"
    rules = (
        f"-A PREROUTING -d {address} -j ACCEPT",
        f"-A PREROUTING -d {address} -p tcp -j REDIRECT --to-ports 15001",
        f"-A PREROUTING ! -i docker0 -d {address} -p tcp -m tcp --dport 80 -j ACCEPT",
    )
    return before_services(base, rules[place])


def _conditional(base: Base, place: int) -> str:
    hook, condition = (
        ("PREROUTING", "-i eth0"), ("OUTPUT", "! -o lo"), ("PREROUTING", f"-s {base.cluster.pod_cidr}"),
    )[place]  # fmt: skip
    return base.instead(
        base.line_of(rf"-A {hook} .*-j KUBE-SERVICES"), f"-A {hook} {condition} -j KUBE-SERVICES"
    )


PLANTS = {
    "foreign-dnat-first": Plant(_foreign),
    "services-asked-if": Plant(_conditional),
}
