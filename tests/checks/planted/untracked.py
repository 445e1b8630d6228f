"""Connections that are not tracked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.checks.planted import Plant
from tests.checks.planted.preemption import all_bits

if TYPE_CHECKING:
    from tests.checks.planted import Base

_TARGETS = ("CT --notrack", "NOTRACK", "CT --notrack")


def _with_raw(text: str, *rules: str) -> str:
    lines = ("*raw", ":PREROUTING ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]", *rules, "COMMIT", "*nat")
    return text.replace("\n*nat\n", "\n{}\n".format("\n".join(lines)), 1)


def _untracked(base: Base, place: int) -> str:
    rule = (
        f"-d {base.service(place).cluster_ip}/{all_bits(base)} -p tcp -m tcp --dport 80 -j {_TARGETS[place]}"
    )
    return _with_raw(base.text, f"-A PREROUTING {rule}", f"-A OUTPUT {rule}")


def _dns(base: Base, place: int) -> str:
    """NodeLocal DNSCache beside a policy of Calico that admits no answers of its own."""
    cache = "169.254.20.10/32" if base.family == 4 else "fd00:169:254::10/128"
    which = ("-p udp -m udp --dport 53", "-p udp -m udp --sport 53", "-p tcp -m multiport --dports 53,9153")
    hook = ("PREROUTING", "OUTPUT", "PREROUTING")[place]
    direction = "-s" if place == 1 else "-d"
    policy = (
        "-A OUTPUT -o cali+ -j cali-to-wl-dispatch",
        "-A cali-to-wl-dispatch -o cali12ab34cd56e -g cali-tw-cali12ab34cd56e",
        "-A cali-tw-cali12ab34cd56e -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        f"-A cali-tw-cali12ab34cd56e -s {cache} -j DROP",
    )
    text = base.before(base.line_of("-A FORWARD .*-j KUBE-FORWARD"), "\n".join(policy))
    chains = ":cali-to-wl-dispatch - [0:0]\n:cali-tw-cali12ab34cd56e - [0:0]\n"
    text = text.replace(":KUBE-FORWARD - [0:0]\n", f"{chains}:KUBE-FORWARD - [0:0]\n", 1)
    return _with_raw(text, f"-A {hook} {direction} {cache} {which[place]} -j {_TARGETS[place]}")


PLANTS = {
    "untracked-service": Plant(_untracked),
    "notrack-dns": Plant(_dns),
}
