"""Differences of rules that no service is made of: hooks, firewalls, host ports, other programs' chains."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.compare.planted import ADDED, CHANGED, MOVED, PODS, REMOVED, Kind, address, host, in_table
from tests.compare.planted.by_rule import edited

if TYPE_CHECKING:
    from tests.checks.planted import Base
    from tests.compare.planted import Fact, Variant
    from tests.compare.planted.by_rule import Edited


def _where(table: str, rule: str) -> str:
    return f"{table} {rule.split()[1]}"


def _found(base: Base, pattern: str) -> str:
    """The first rule that matches."""
    found = re.search(rf"^-A {pattern}.*$", base.text, re.MULTILINE)
    assert found, pattern
    return found[0]


def _adds(table: str, rule: str, *, first: bool = False, **options: Any) -> Kind:
    """A rule comes, at the end of its chain or at its beginning. {client} and the like are addresses."""

    def edit(base: Base, variant: Variant) -> Edited:
        made = _filled(rule, variant.family)
        return in_table(base.text, table, made, first=first), {(ADDED, _where(table, made), made)}

    return edited(edit, **options)


def _filled(rule: str, family: int) -> str:
    """A rule with its addresses."""
    kinds = {kind: host(family, kind, 77) for kind in ("client", "pod", "far", "external", "service")}
    refusal = "icmp-port-unreachable" if family == 4 else "icmp6-port-unreachable"
    return rule.format(**kinds, end=_bracketed(address(family, "far", 77)), refusal=refusal)


def _bracketed(text: str) -> str:
    return f"[{text}]" if ":" in text else text


def _removes(table: str, pattern: str, **options: Any) -> Kind:
    """A rule goes."""

    def edit(base: Base, _variant: Variant) -> Edited:
        rule = _found(base, pattern)
        return base.instead(rule), {(REMOVED, _where(table, rule), rule)}

    return edited(edit, **options)


def _changes(table: str, pattern: str, old: str, new: str, **options: Any) -> Kind:
    """A part of a rule changes where it stands."""

    def edit(base: Base, variant: Variant) -> Edited:
        rule = _found(base, pattern)
        changed = re.sub(old, _filled(new, variant.family), rule)
        assert changed != rule
        return base.instead(rule, changed), {(CHANGED, _where(table, rule), rule, changed)}

    return edited(edit, **options)


def _moves(pattern: str, behind: str, *facts: Fact, **options: Any) -> Kind:
    """A rule is asked behind another of its chain; `facts` are what is told of that, if it matters."""

    def edit(base: Base, _variant: Variant) -> Edited:
        rule, other = _found(base, pattern), _found(base, behind)
        assert base.text.index(f"\n{rule}\n") < base.text.index(f"\n{other}\n")
        moved = base._replace(text=base.instead(rule)).after(other, rule)
        return moved, set(facts)

    return edited(edit, **options)


def _policy(table: str, hook: str, **options: Any) -> Kind:
    def edit(base: Base, _variant: Variant) -> Edited:
        head, _, rest = base.text.partition(f"*{table}\n")
        text = f"{head}*{table}\n" + rest.replace(f":{hook} ACCEPT", f":{hook} DROP", 1)
        return text, {("policy", f"{table} {hook}", "ACCEPT", "DROP")}

    return edited(edit, **options)


def _chain_comes(base: Base, _variant: Variant) -> Edited:
    """A chain of somebody's, to which a hook leads."""
    rules = ("-A INPUT -j WATCH", "-A WATCH -p tcp -m tcp --dport 25 -j DROP")
    return in_table(base.text, "filter", *rules), {
        ("chain added", "filter WATCH"),
        (ADDED, "filter INPUT", rules[0]),
        (ADDED, "filter WATCH", rules[1]),
    }


def _chain_goes(base: Base, _variant: Variant) -> Edited:
    """The chain of a network policy, and the rule that leads there."""
    rules = re.findall(r"^-A POLICY-POD .*$", base.text, re.MULTILINE)
    jump = _found(base, "FORWARD .*-j POLICY-POD")
    text = re.sub(r"^:POLICY-POD .*\n|^-A POLICY-POD .*\n", "", base.text, flags=re.MULTILINE)
    facts = {(REMOVED, "filter POLICY-POD", rule) for rule in rules}
    return text.replace(f"{jump}\n", ""), {
        *facts,
        (REMOVED, "filter FORWARD", jump),
        ("chain removed", "filter POLICY-POD"),
    }


def _chain_renamed(base: Base, _variant: Variant) -> Edited:
    rules = re.findall(r"^-A POLICY-POD .*$", base.text, re.MULTILINE)
    jump = _found(base, "FORWARD .*-j POLICY-POD")
    renamed = [rule.replace("POLICY-POD", "POLICY-2") for rule in rules]
    return base.text.replace("POLICY-POD", "POLICY-2"), {
        *((REMOVED, "filter POLICY-POD", rule) for rule in rules),
        *((ADDED, "filter POLICY-2", rule) for rule in renamed),
        (CHANGED, "filter FORWARD", jump, jump.replace("POLICY-POD", "POLICY-2")),
        ("chain removed", "filter POLICY-POD"),
        ("chain added", "filter POLICY-2"),
    }


def _table_goes(base: Base, _variant: Variant) -> Edited:
    """The raw table, and its one rule, are gone."""
    rule = _found(base, "PREROUTING -i eth1 -p udp")
    text = re.sub(r"# Generated.*\n\*raw\n(?:.*\n)*?COMMIT\n(?:# Completed.*\n)?", "", base.text)
    return text, {(REMOVED, "raw PREROUTING", rule)}


def _host_port_comes(base: Base, variant: Variant) -> Edited:
    """Another host port: a rule of the dispatching chain, and a chain of its own."""
    chain = "CNI-DN-fedcba9876543210fedcb"
    end = _bracketed(address(variant.family, "pod", 201))
    rules = (
        f"-A CNI-HOSTPORT-DNAT -p tcp -m multiport --dports 9200 -j {chain}",
        f"-A {chain} -p tcp -m tcp --dport 9200 -j DNAT --to-destination {end}:9200",
    )
    return in_table(base.text, "nat", *rules), {
        ("chain added", f"nat {chain}"),
        *((ADDED, _where("nat", rule), rule) for rule in rules),
    }


def _twice(base: Base, _variant: Variant) -> Edited:
    """A rule stands there twice."""
    rule = _found(base, "INPUT -p udp -m udp --dport 1900")
    return base.after(rule, rule), {(ADDED, "filter INPUT", rule)}


def _passed_and_dropped(base: Base) -> tuple[str, str]:
    """What lets TCP to pods pass, and what drops all to them."""
    return tuple(f"-A FORWARD -d {PODS[base.family]} {rest}" for rest in ("-p tcp -j ACCEPT", "-j DROP"))  # type: ignore[return-value]


def _dropped_last(base: Base) -> str:
    return in_table(base.text, "filter", *_passed_and_dropped(base), first=True)


def _dropped_first(base: Base, _variant: Variant) -> Edited:
    rules = _passed_and_dropped(base)[::-1]
    return in_table(base.text, "filter", *rules, first=True), {(MOVED, "filter FORWARD", "surely")}


OF_OTHERS: dict[str, Kind] = {
    "a source is dropped before all in FORWARD": _adds("filter", "-A FORWARD -s {client} -j DROP", first=True, at={"all": ("reached by single clients",)}),
    "a source is dropped behind all in FORWARD": _adds("filter", "-A FORWARD -s {client} -j DROP", at={"local": ("reached by single clients",)}),
    "a source is dropped in raw": _adds("raw", "-A PREROUTING -s {client} -j DROP", at={"all": ("reached by single clients",)}),
    "DNS of a client is not tracked": _adds("raw", "-A PREROUTING -s {client} -p udp -m udp --dport 53 -j CT --notrack"),
    "a mark is set in mangle": _adds("mangle", "-A PREROUTING -s {client} -j MARK --set-xmark 0x200/0xff00"),
    "a log rule comes": _adds("filter", '-A INPUT -s {client} -m limit --limit 3/min -j LOG --log-prefix "x: "'),
    "a rule of an ipset comes": _adds("filter", "-A INPUT -m set --match-set blocked src -j DROP", at={"all": ("reached", "reached for another reason?")}),
    "a port is refused": _adds("filter", "-A INPUT -p tcp -m tcp --dport 3306 -j REJECT --reject-with {refusal}", at={"tcp": ("reached by single clients", "reached for another reason?")}),
    "a source is accepted": _adds("filter", "-A INPUT -s {client} -j ACCEPT", first=True),
    "Docker publishes a port": _adds("nat", "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 6000 -j DNAT --to-destination {end}:6000"),
    "a policy admits another port": _adds("filter", "-A POLICY-POD -p tcp -m tcp --dport 9200 -j ACCEPT", first=True),
    "an address is masqueraded": _adds("nat", "-A POSTROUTING -s {client} -o eth1 -j MASQUERADE", at={"local": ("reached by single clients",)}),
    "Docker's masquerade rule goes": _removes("nat", "POSTROUTING .*! -o docker0", at={"local": ("reached for another reason",)}),
    "a rule of the firewall goes": _removes("filter", "INPUT .*--dport 9090"),
    "Docker's port goes": _removes("nat", "DOCKER "),
    "the jump to host ports goes": _removes("nat", "PREROUTING .*-j CNI-HOSTPORT-DNAT"),
    "a port of a rule changes": _changes("filter", "INPUT .*--dport 9090", "9090", "9091"),
    "a source of a rule changes": _changes("filter", "INPUT .*--dport 9090", r"-s \S+", "-s {client}"),
    "a match is negated": _changes("filter", "FORWARD -i docker0", "-i docker0 ! -o", "! -i docker0 ! -o"),
    "a target changes": _changes("filter", "INPUT .*--dport 22 ", "-j ACCEPT", "-j DROP", at={"tcp": ("reached by single clients", "reached for another reason?")}),
    "a jump becomes a goto": _changes("filter", "FORWARD .*POLICY-POD", "-j POLICY", "-g POLICY"),
    "a comment changes": _changes("nat", "CNI-HOSTPORT-DNAT .*", "first", "second"),
    "a mask of a mark changes": _changes("mangle", "PREROUTING .*MARK", "0xff00", "0xf00"),
    "a rule moves, which matters": _moves(
        "POLICY-POD .*--dport 9100", "POLICY-POD -j REJECT", (MOVED, "filter POLICY-POD", "surely"), then=("new unreachable-rule",)),
    "a rule moves that drops services' connections": edited(
        _dropped_first, at={"tcp": ("reached",)}, then=("changed forward-drop",), before=_dropped_last
    ),
    "policy of FORWARD": _policy("filter", "FORWARD", at={"all": ("reached",)}, then=("new forward-drop",)),
    "policy of INPUT": _policy("filter", "INPUT", at={"all": ("reached", "reached for another reason?")}, then=("new replies-dropped", "new input-drop?")),
    "policy of OUTPUT in mangle": _policy("mangle", "OUTPUT", at={"all": ("reached",)}, then=("new rule-drops-services",)),
    "a chain comes": edited(_chain_comes, at={"tcp": ("reached by single clients", "reached for another reason?")}),
    "a chain goes": edited(_chain_goes),
    "a chain is renamed": edited(_chain_renamed),
    "a table goes": edited(_table_goes, at={"udp": ("reached by single clients",)}),
    "a host port comes": edited(_host_port_comes),
    "a rule stands twice": edited(_twice, then=("new duplicate-rules",)),
}  # fmt: skip
"""Rules that others wrote, or kube-proxy whatever its services are."""

OF_KUBE_PROXY: dict[str, Kind] = {
    "services are not asked in PREROUTING": _removes(
        "nat", "PREROUTING .*-j KUBE-SERVICES", at={"all": ("reached",)}, then=("new hook-without-services",)
    ),
    "services are not asked in OUTPUT": _removes(
        "nat",
        "OUTPUT -m comment .*-j KUBE-SERVICES",
        at={"all": ("reached",)},
        then=(
            "new hook-without-services",
            "gone route-localnet@4?",
            "changed route-localnet@4?",
        ),
    ),
    "node ports are not asked": _removes(
        "nat",
        "KUBE-SERVICES .*-j KUBE-NODEPORTS",
        at={"node port": ("reached",)},
        then=(
            "new service-not-reached",
            "gone route-localnet@4?",
            "changed route-localnet@4?",
        ),
    ),
    "nothing is masqueraded": _removes(
        "nat",
        "POSTROUTING .*KUBE-POSTROUTING",
        since=2,
        at={"all": ("reached for another reason",)},
        then=("new no-masquerade",),
    ),
    "another mark": _changes(
        "nat",
        "KUBE-MARK-MASQ ",
        "0x4000/0x4000",
        "0x8/0x8",
        since=2,
        at={"all": ("reached for another reason",)},
        then=("new no-masquerade",),
    ),
    "the firewall's rule goes": _removes("filter", "KUBE-FIREWALL .*127.0.0.0/8", since=18, families=(4,)),
    "invalid packets pass": _removes(
        "filter", "KUBE-FORWARD .*INVALID", since=16, then=("new invalid-drop",)
    ),
    "marked packets are not accepted": _removes("filter", "KUBE-FORWARD .*0x4000", since=9),
    "the forwarding chain is not asked": _removes("filter", "FORWARD .*-j KUBE-FORWARD", since=9),
    "somebody takes node ports at an address before services": _adds(
        "nat", "-A PREROUTING -d {service} -j RETURN", first=True, at={"node port": ("reached",)}
    ),
    "somebody's DNAT before services": _adds(
        "nat",
        "-A PREROUTING -d {external} -p tcp -m tcp --dport 80 -j DNAT --to-destination {end}:80",
        first=True,
    ),
}
"""The fixed part of kube-proxy's and kubelet's rules."""
