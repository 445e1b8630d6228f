"""Differences planted between two dumps, and what `diff` has to tell of each: what was planted, and nothing else.

A kind of difference is planted in pairs of dumps of several releases, families and backends. The later dump differs
in all that is no difference, too: counters, times, the order of services, of chains' declarations and of tables.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from tests import kubeproxy
from tests.checks.planted import Base

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Fact = tuple[str, ...]
"""A kind of fact, what it is about, and the values before and after."""

ADDED, REMOVED, CHANGED, MOVED = "rule added", "rule removed", "rule changed", "rule moved"
REACHED, OTHER_REASON, BY_SINGLE = "reached", "reached for another reason", "reached by single clients"
"""That some kind of clients fares otherwise at a service port: in a word; in why, or whose source is lost; that only
clients do whom rules name."""


class Variant(NamedTuple):
    """How the dumps of a pair are written. `seed` decides which service is changed, and all that means nothing."""

    era: str
    family: int
    tool: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.era}-{self.family}-{self.tool}-{self.seed}"


VARIANTS = tuple(
    Variant(era, family, tool, seed)
    for seed, (era, family, tool) in enumerate(
        (
            ("1.14", 4, "plain"), ("1.31", 6, "nf_tables"), ("1.24", 4, "counters"), ("1.29", 4, "nf_tables"),
            ("1.18", 6, "counters"), ("1.27", 4, "plain"), ("1.21", 4, "nf_tables"), ("1.30", 6, "counters"),
            ("1.23", 4, "counters"), ("1.26", 6, "plain"),
        )
    )
)  # fmt: skip


class Pair(NamedTuple):
    """Two dumps, and all facts that are to be told of them; of what follows from these, some `must` be told, too.

    Some `may` be told: not in each release is it so. Of both the beginnings are given: a fact of any values is meant.
    """

    old: str
    new: str
    facts: frozenset[Fact]
    must: frozenset[Fact] = frozenset()
    may: frozenset[Fact] = frozenset()

    def missing(self, found: Iterable[Fact]) -> set[Fact]:
        """What is to be told, and is not found."""
        known = {beginning for fact in found for beginning in _beginnings(fact)}
        return {*(self.facts - frozenset(found)), *(self.must - known)}

    def invented(self, found: Iterable[Fact]) -> set[Fact]:
        """What is found, and is neither to be told nor may be."""
        allowed = self.must | self.may
        return {fact for fact in found if fact not in self.facts and allowed.isdisjoint(_beginnings(fact))}


def _beginnings(fact: Fact) -> Iterator[Fact]:
    return (fact[:size] for size in range(1, len(fact) + 1))


class Kind(NamedTuple):
    """A kind of difference: how it is planted, in which families, and the first release that has such a thing."""

    put: Callable[[Variant], Pair]
    families: tuple[int, ...] = (4, 6)
    since: int = 1

    def variants(self) -> list[Variant]:
        """Ten variants: where a release or a family has no such thing, another one with another seed."""
        fit = [one for one in VARIANTS if one.family in self.families and int(one.era[2:]) >= self.since]
        return [fit[seed % len(fit)]._replace(seed=seed) for seed in range(len(VARIANTS))]


# --- the dumps ----------------------------------------------------------------------------------------------------


def address(family: int, kind: str, number: int) -> str:
    """An address of a kind: `service`, `pod` (of this node), `far` (a pod elsewhere), `external`, `balancer`."""
    networks = {
        "service": ("10.96.1.", "fd00:10:96::"), "pod": ("10.244.1.", "fd00:10:244:1::"),
        "far": ("10.244.2.", "fd00:10:244:2::"), "external": ("192.0.2.", "2001:db8:1::"),
        "balancer": ("203.0.113.", "2001:db8:2::"), "node": ("192.168.1.", "fd00:192:168:1::"),
        "client": ("198.51.100.", "2001:db8:3::"),
    }  # fmt: skip
    return f"{networks[kind][family == 6]}{number if family == 4 else format(number, 'x')}"


def host(family: int, kind: str, number: int) -> str:
    """The same as iptables-save writes it in a rule."""
    return f"{address(family, kind, number)}/{32 if family == 4 else 128}"


PODS = {4: "10.244.0.0/16", 6: "fd00:10:244::/48"}


def endpoints(family: int, number: int, count: int = 4) -> tuple[kubeproxy.cluster.Endpoint, ...]:
    """Endpoints of the service of a number, which no other rule is about."""
    pod = f"10.244.{100 + number}.{{}}" if family == 4 else f"fd00:10:244:{100 + number}::{{}}"
    return tuple((pod.format(place + 1), 8080) for place in range(count))


def plain_service(family: int, number: int) -> kubeproxy.Service:
    """A service with a cluster IP and four endpoints."""
    return kubeproxy.Service(
        f"shop-{number}",
        address(family, "service", number),
        endpoints(family, number),
        port_name="http",
        namespace="shop",
        local=1,
    )


def neighbours(variant: Variant) -> list[kubeproxy.Service]:
    """Services that stay as they are, with something of everything; few, since each is followed on both sides."""
    family, newer = variant.family, int(variant.era[2:])
    options: list[dict[str, object]] = [
        {"node_port": 30_101},
        {"external_ips": (address(family, "external", 2),), "affinity": 600},
        {"protocol": "udp", "endpoints": endpoints(family, 3, 1)},
    ]
    if newer >= 4:
        balanced = {"load_balancer_ips": (address(family, "balancer", 4),), "node_port": 30_104}
        options.append({**balanced, "local_only": True})
    return [replace(plain_service(family, number), **one) for number, one in enumerate(options, 1)]  # type: ignore[arg-type]


def cluster_of(
    variant: Variant, *services: kubeproxy.Service, later: bool = False, **options: object
) -> kubeproxy.Cluster:
    """The cluster with these services among the neighbours; later they stand in another order."""
    every = [*neighbours(variant), *services]
    random.Random(variant.seed + 1000 * later).shuffle(every)
    made = kubeproxy.Cluster(
        tuple(every),
        variant.era,
        family=variant.family,
        pod_cidr=PODS[variant.family],
        node_ip=address(variant.family, "node", 10),
    )
    return replace(made, **options)  # type: ignore[arg-type]


def base_of(variant: Variant, cluster: kubeproxy.Cluster) -> Base:
    """A cluster's dump with rules of others."""
    text = with_others(kubeproxy.saved(cluster), variant.family)
    return Base(variant.name, text, variant.family, cluster.services, cluster)


def others(family: int) -> dict[str, tuple[str, ...]]:
    """Rules of others, by table: Docker's, host ports of CNI, a network policy, a firewall of the node."""
    docker = {4: "172.17.0.0/16", 6: "fd00:172:17::/64"}[family]
    container = {4: "172.17.0.2", 6: "fd00:172:17::2"}[family]
    written = container if family == 4 else f"[{container}]"
    pod = host(family, "pod", 200)
    ping = {4: "-p icmp -m icmp --icmp-type 8", 6: "-p ipv6-icmp -m icmp6 --icmpv6-type 128"}[family]
    pod_end = address(family, "pod", 200) if family == 4 else f"[{address(family, 'pod', 200)}]"
    comment = '-m comment --comment "dnat name: \\"cni0\\" id: \\"first\\""'
    refusal = f"icmp{'' if family == 4 else '6'}-port-unreachable"
    return {
        "nat": (
            "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
            "-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
            f"-A POSTROUTING -s {docker} ! -o docker0 -j MASQUERADE",
            f"-A CNI-HOSTPORT-DNAT -p tcp {comment} -m multiport --dports 9100 -j CNI-DN-0123456789abcdef01234",
            f"-A CNI-DN-0123456789abcdef01234 -p tcp -m tcp --dport 9100 -j DNAT --to-destination {pod_end}:9100",
            "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
            f"-A DOCKER ! -i docker0 -p tcp -m tcp --dport 5000 -j DNAT --to-destination {written}:5000",
        ),
        "filter": (
            "-A INPUT -i lo -j ACCEPT",
            f"-A INPUT {ping} -j ACCEPT",
            "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT",
            f"-A INPUT -s {host(family, 'client', 7)} -p tcp -m tcp --dport 9090 -j DROP",
            "-A INPUT -p udp -m udp --dport 1900 -j DROP",
            "-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            "-A FORWARD -i docker0 ! -o docker0 -j ACCEPT",
            f"-A FORWARD -d {pod} -j POLICY-POD",
            "-A POLICY-POD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            "-A POLICY-POD -p tcp -m tcp --dport 9100 -j ACCEPT",
            f"-A POLICY-POD -j REJECT --reject-with {refusal}",
        ),
        "mangle": (
            "-A PREROUTING -i eth1 -p tcp -m tcp --dport 443 -j MARK --set-xmark 0x100/0xff00",
            "-A FORWARD -o wg0 -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
        ),
        "raw": ("-A PREROUTING -i eth1 -p udp -m udp --dport 161 -j DROP",),
    }


_HOOKS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
}


def with_others(text: str, family: int) -> str:
    """A dump with the rules of others: those of each hook behind kube-proxy's."""
    for table, rules in others(family).items():
        if f"\n*{table}\n" not in text:
            hooks = "".join(f":{hook} ACCEPT [0:0]\n" for hook in _HOOKS[table])
            text = f"{text}# Generated by iptables-save v1.8.9 on Mon Nov 23 12:00:00 2026\n*{table}\n{hooks}COMMIT\n"
        text = in_table(text, table, *rules)
    return text


def in_table(text: str, table: str, *rules: str, first: bool = False) -> str:
    """A dump with more rules in a table, each behind those of its chain or before them; new chains are declared."""
    head, _, rest = text.partition(f"*{table}\n")
    own, _, tail = rest.partition("COMMIT\n")
    lines = own.splitlines()
    for rule in rules if not first else reversed(rules):
        chain = rule.split()[1]
        declarations = [place for place, line in enumerate(lines) if line.startswith(":")]
        if not any(line.startswith(f":{chain} ") for line in lines):
            lines.insert(declarations[-1] + 1, f":{chain} - [0:0]")
        places = [place for place, line in enumerate(lines) if re.match(rf"-A {re.escape(chain)} ", line)]
        default = len(lines)
        lines.insert(places[0] if first and places else places[-1] + 1 if places else default, rule)
    return f"{head}*{table}\n" + "".join(f"{line}\n" for line in lines) + f"COMMIT\n{tail}"


Follows = tuple[frozenset[Fact], frozenset[Fact]]
"""Beginnings of what must be told, and of what may be."""

_SAID = re.compile(r"(?P<what>.+?)(?:@(?P<family>[46]))?(?P<open>\?)?")


def follows(variant: Variant, said: Iterable[str], names: Iterable[str]) -> Follows:
    """What follows from a difference, at each of some service ports: each as `KIND OF FACT` or `HOW FINDING`.

    Behind it stands `@4` or `@6` where it is so in one family alone, and `?` where not in each release.
    """
    must: set[Fact] = set()
    may: set[Fact] = set()
    for one in said:
        parts = _SAID.fullmatch(one)
        assert parts, one
        if parts["family"] in {None, str(variant.family)}:
            (may if parts["open"] else must).update(_told_as(parts["what"], names))
    return frozenset(must), frozenset(may)


def _told_as(what: str, names: Iterable[str]) -> Iterable[Fact]:
    how, _, finding = what.partition(" ")
    if how in {"new", "gone", "changed"}:
        return [(f"finding {how}", finding)]
    return [(what, name) for name in names]


def together(*parts: Follows) -> Follows:
    """What follows from several things."""
    must, may = ([part[place] for part in parts] for place in (0, 1))
    return frozenset().union(*must), frozenset().union(*may)


# --- what means nothing -------------------------------------------------------------------------------------------


def written(variant: Variant, text: str, *, later: bool = False) -> str:
    """A dump as the variant's tool writes it; later with other counters, times and orders of what means nothing."""
    dice = random.Random(variant.seed + 1000 * later)
    if later:
        text = text.replace("Mon Nov 23 12:00:00 2026", "Tue Nov 24 09:31:07 2026")
        text = _shuffled_tables(text, dice)
    text = re.sub(r"(?<=ACCEPT \[)0:0", lambda _: f"{dice.randrange(99999)}:{dice.randrange(10**9)}", text)
    if variant.tool == "counters":
        counted = lambda _: f"[{dice.randrange(99999)}:{dice.randrange(10**9)}] -A "  # noqa: E731
        text = re.sub(r"^-A ", counted, text, flags=re.MULTILINE)
    if variant.family == 6:
        text = text.replace("Generated by iptables-save", "Generated by ip6tables-save")
    if variant.tool == "nf_tables":
        text = re.sub(r"(-save v[\d.]+)", r"\1 (nf_tables)", text)
    return text


def _shuffled_tables(text: str, dice: random.Random) -> str:
    """A dump with its tables, and what they declare, in another order."""
    tables = re.findall(r"^# Generated.*?^COMMIT\n(?:# Completed.*\n)?", text, re.MULTILINE | re.DOTALL)
    assert "".join(tables) == text
    dice.shuffle(tables)
    return "".join(
        re.sub(r"(?:^:.*\n)+", lambda found: _shuffled(found[0], dice), table, flags=re.MULTILINE)
        for table in tables
    )


def _shuffled(lines: str, dice: random.Random) -> str:
    every = lines.splitlines(keepends=True)
    dice.shuffle(every)
    return "".join(every)


def pair(variant: Variant, old: str, new: str, facts: frozenset[Fact], then: Follows) -> Pair:
    """The pair of two dumps as they are written."""
    return Pair(written(variant, old), written(variant, new, later=True), facts, *then)
