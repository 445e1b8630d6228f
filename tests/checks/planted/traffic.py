"""Rules of others that end what services send, or rewrite where it comes from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.checks.planted import Plant

if TYPE_CHECKING:
    from tests.checks.planted import Base

_OTHERS = (
    "-A {} -i lo -j ACCEPT",
    "-A {} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
)
"""What a firewall has above its last word: more of it at each place."""


def _rules(base: Base, *rules: str) -> str:
    """Rules as the dump writes them."""
    counters = "[1:60] " if base.name.startswith("counters") else ""
    return "\n".join(counters + rule for rule in rules)


def _host(base: Base, address: str) -> str:
    """An address as iptables-save writes it in a rule."""
    return f"{address}/{32 if base.family == 4 else 128}"


def _endpoint(base: Base, place: int) -> str:
    """The first endpoint of the service of a place, a pod of this node."""
    return _host(base, base.service(place).endpoints[0][0])


def _above(base: Base, hook: str, *rules: str, chains: str = "") -> str:
    """The dump with rules above all of a hook in the filter table, and what other chains hold at its end."""
    text = base.appended("filter", _rules(base, *chains.splitlines())) if chains else base.text
    head, table, rest = text.partition("*filter\n")
    first = re.search(rf"^(?:\[\S+\] )?-A {hook} ", rest, re.MULTILINE)
    assert first, hook
    return head + table + rest[: first.start()] + _rules(base, *rules) + "\n" + rest[first.start() :]


def _declared(text: str, *chains: str) -> str:
    """The dump with more chains in the filter table."""
    lines = "".join(f":{chain} - [0:0]\n" for chain in chains)
    head, table, rest = text.partition("*filter\n")
    return head + table + rest.replace(":KUBE-FORWARD - ", f"{lines}:KUBE-FORWARD - ", 1)


def _others(place: int, hook: str) -> tuple[str, ...]:
    return tuple(rule.format(hook) for rule in _OTHERS[:place])


def _dropping(base: Base, hook: str, *accepting: str) -> str:
    """The dump with policy DROP, and what such firewalls accept."""
    head, table, rest = _above(base, hook, *accepting).partition("*filter\n")
    return head + table + rest.replace(f":{hook} ACCEPT", f":{hook} DROP", 1)


def _output(base: Base, place: int) -> str:
    return _dropping(base, "OUTPUT", *("-A OUTPUT -o lo -j ACCEPT", *_others(place, "OUTPUT")[1:])[:place])


def _health_check(base: Base, place: int) -> str:
    """A firewall drops what load balancers ask of a port of kube-proxy's, above its rule that accepts it."""
    port = 31_000 + place
    comment = f"default/{base.service(place).name}:http health check node port"
    own = f'-A KUBE-NODEPORTS -p tcp -m comment --comment "{comment}" -m tcp --dport {port} -j ACCEPT'
    text = base.appended("filter", _rules(base, own))
    rules = (
        f"-A INPUT -p tcp -m tcp --dport {port} -j DROP",
        "-A INPUT -p tcp -m tcp --dport 30000:32767 -j DROP",
        f"-A INPUT -p tcp -m multiport --dports 8080,{port} -j REJECT",
    )
    return _above(base._replace(text=text), "INPUT", *_others(place, "INPUT"), rules[place])


def _forward_drop(base: Base, place: int) -> str:
    """A policy, a rule above all others, and one that stands behind three jumps."""
    if place == 0:
        return _dropping(base, "FORWARD", *_others(2, "FORWARD"))
    if place == 1:
        return _above(base, "FORWARD", f"-A FORWARD -d {base.cluster.pod_cidr} -j DROP")
    text = _above(
        base, "FORWARD", "-A FORWARD -j SITE",
        chains="-A SITE -j SITE-IN\n-A SITE-IN -m conntrack --ctstate NEW -j SITE-NEW\n-A SITE-NEW -j DROP",
    )  # fmt: skip
    return _declared(text, "SITE", "SITE-IN", "SITE-NEW")


def _rejecting(base: Base, place: int) -> str:
    refused = "icmp-host-prohibited" if base.family == 4 else "icmp6-adm-prohibited"
    return _above(
        base, "FORWARD", *_others(place, "FORWARD"), f"-A FORWARD -j REJECT --reject-with {refused}",
        f"-A FORWARD -s {base.cluster.pod_cidr} -j ACCEPT",
    )  # fmt: skip


def _answers(base: Base, place: int) -> str:
    pods = base.cluster.pod_cidr
    rules = (
        f"-A FORWARD -s {pods} ! -d {pods} -j DROP",
        f"-A FORWARD -s {pods} -m conntrack --ctstate ESTABLISHED -j DROP",
        f"-A FORWARD -s {pods} -m conntrack ! --ctstate NEW -j DROP",
    )
    return _above(base, "FORWARD", rules[place])


def _one_endpoint(base: Base, place: int) -> str:
    return _above(
        base, "FORWARD", *_others(place, "FORWARD"), f"-A FORWARD -d {_endpoint(base, place)} -j DROP"
    )


def _early(base: Base, place: int) -> str:
    """A table that is asked before nat drops what goes to a service."""
    table, hooks = (("raw", "PREROUTING OUTPUT"), ("mangle", "PREROUTING INPUT FORWARD OUTPUT POSTROUTING"))[
        place % 2
    ]
    to = _host(base, base.service(place).cluster_ip)
    rule = _rules(base, f"-A PREROUTING -d {to} -j DROP")
    if f"\n*{table}\n" in base.text:
        return base.appended(table, rule)
    policies = "".join(f":{hook} ACCEPT [0:0]\n" for hook in hooks.split())
    return f"{base.text}*{table}\n{policies}{rule}\nCOMMIT\n"


def _npm(base: Base, place: int, behind: bool) -> str:
    """Azure's network policies before kube-proxy's accept or behind it; they admit nobody to a pod."""
    line = base.line_of("-A FORWARD .*-j KUBE-FORWARD|-A FORWARD -j KUBE-FORWARD")
    jump = _rules(base, "-A FORWARD -j AZURE-NPM")
    text = base.after(line, jump) if behind else base.before(line, jump)
    to = (
        _host(base, "10.244.9.9" if base.family == 4 else "fd00:10:244:9::9")
        if behind
        else _endpoint(base, place)
    )
    rules = _rules(base, "-A AZURE-NPM -j AZURE-NPM-INGRESS", f"-A AZURE-NPM-INGRESS -d {to} -j DROP")
    return _declared(base._replace(text=text).appended("filter", rules), "AZURE-NPM", "AZURE-NPM-INGRESS")


def _stale(base: Base, place: int) -> str:
    """kube-router's chains of two pods for one address."""
    pod, chains = _endpoint(base, place), ("KUBE-POD-FW-VLPV47CG3OAM3QH6", "KUBE-POD-FW-37NS2F2H4YE27V4R")
    refused = "icmp-port-unreachable" if base.family == 4 else "icmp6-port-unreachable"
    rules = "\n".join(
        f"-A KUBE-ROUTER-FORWARD -{way} {pod} -j {chain}" for chain in chains for way in ("d", "s")
    )
    rules += f"\n-A {chains[0]} -d {pod} -j REJECT --reject-with {refused}"
    rules += f"\n-A {chains[1]} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    text = _above(base, "FORWARD", "-A FORWARD -j KUBE-ROUTER-FORWARD", chains=rules)
    return _declared(text, "KUBE-ROUTER-FORWARD", *chains)


def _masquerade(base: Base, place: int) -> str:
    """What leaves for other networks than one that is not the pods' loses its source."""
    others = {
        4: ("10.141.0.0/16", "192.168.0.0/16", "172.16.0.0/12"),
        6: ("fd00:141::/32", "fd00::/64", "fe80::/10"),
    }
    rule = _rules(base, f"-A POSTROUTING ! -d {others[base.family][place]} -j MASQUERADE")
    return base.after(base.line_of("-A POSTROUTING .*-j KUBE-POSTROUTING"), rule)


PLANTS = {
    "forward-drop": Plant(_forward_drop),
    "forward-reject-first": Plant(_rejecting),
    "input-drop": Plant(_health_check),
    "output-drop": Plant(_output),
    "replies-dropped": Plant(_answers),
    "blocked-endpoint-hidden": Plant(_one_endpoint),
    "rule-drops-services": Plant(_early),
    "policy-drops-services": Plant(lambda base, place: _npm(base, place, behind=False)),
    "policy-after-kube-forward": Plant(lambda base, place: _npm(base, place, behind=True)),
    "stale-pod-policy": Plant(_stale),
    "foreign-masquerade": Plant(_masquerade),
}
