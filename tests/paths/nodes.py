"""Nodes made at random: what kube-proxy of some era writes, one to four rules of others in it, and clients.

Planted are words that tests/engine/interpreter.py knows, at any place of chains of others and of kube-proxy.
"""

from __future__ import annotations

import random
import re
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple

from tests.kernel.planted import PLANTS, Among, planted
from tests.kernel.planted_nodes import site_for
from tests.kubeproxy import saved
from tests.kubeproxy.features import FEATURES, POSSIBLE, cluster_with
from tests.kubeproxy.truth import frontends_of
from tests.paths.connections import Sent
from tests.paths.site import CALICO, FOUR, SIX, Site

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kubeproxy.cluster import Cluster, Service

HOOKS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}
PLACES = [
    *((table, chain) for table, chains in HOOKS.items() for chain in chains),
    *(("filter", chain) for chain in HOOKS["filter"]),
    ("nat", "PREROUTING"), ("nat", "OUTPUT"), ("nat", "POSTROUTING"), ("filter", "FORWARD"),
    ("nat", "KUBE-SERVICES"), ("nat", "KUBE-NODEPORTS"), ("nat", "KUBE-POSTROUTING"), ("nat", "KUBE-MARK-MASQ"),
    ("nat", "KUBE-SVC-"), ("nat", "KUBE-SEP-"), ("nat", "KUBE-EXT-"),
    ("filter", "KUBE-FORWARD"), ("filter", "KUBE-SERVICES"), ("filter", "KUBE-FIREWALL"),
]  # fmt: skip
"""Where rules are planted; the more often named the likelier."""
WANTED = [(name, era) for name, era in POSSIBLE if FEATURES[name].loads and not FEATURES[name].crowd]


class Node(NamedTuple):
    """A node's rules, a frontend of one service port of it, and the addresses of its endpoints."""

    rules: str
    site: Site
    target: str
    protocol: str
    endpoints: tuple[str, ...]
    pods: bool
    story: str

    def where_address_is_own(self) -> Node:
        """Return the same node where the frontend's address is one of its own, as that of a DNS cache is."""
        addresses = {**self.site.addresses, "nodelocaldns": self.address}
        return self._replace(site=self.site._replace(addresses=addresses))

    @property
    def address(self) -> str:
        """The frontend's address; empty: it is a node port."""
        return self.target.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.target.rpartition(":")[2])


def node_of(seed: int) -> Node:
    """Return the node of a seed."""
    dice = random.Random(seed)
    name, era = dice.choice(WANTED)
    cluster, one = cluster_with(name, era)
    site = SIX if cluster.family == 6 else CALICO if cluster.detect == "prefix" else FOUR
    service = one if cluster.family == 6 or dice.random() < 0.8 else dice.choice(cluster.services)
    target = dice.choice(sorted(frontends_of(cluster, service)))
    rules = saved(cluster)
    if cluster.family == 4 and dice.random() < _OFTEN:
        among = Among(
            dice, site_for(0), (*site.strangers, site.pod(99), site.own[0]), [_frontend(target, site)],
            service.endpoints or (("10.244.1.5", 8080),), service.protocol,
        )  # fmt: skip
        changes = [dice.choice(PLANTS)(among) for _ in range(dice.randint(1, 3))]
        rules = re.sub(
            r"-p (tcp|udp|sctp) +(! )?--", r"-p \1 -m \1 \2--", planted(rules, changes)
        )  # as it is saved
        plants = [" ".join(filter(None, change)) for change in changes]
    else:
        planter = _Planter(dice, site, cluster, service, target)
        own = [planter.change(rules) for _ in range(dice.randint(1, 4))]
        for plant in own:
            rules = _planted(rules, *plant, dice)
        plants = [" ".join(plant) for plant in own]
    named = rf" ! -s {re.escape(cluster.pod_cidr)} .*-j (?:KUBE-MARK-MASQ|MASQUERADE)"
    pods = re.search(named, rules) is not None
    addresses = tuple(address for address, _ in service.endpoints)
    story = f"seed {seed}: {name} of {era}, {target}/{service.protocol}; " + "; ".join(plants)
    return Node(rules, site, target, service.protocol, addresses, pods, story)


_OFTEN = 0.3
"""How often the rules are those that are tried in a kernel, too."""


def _frontend(target: str, site: Site) -> tuple[str, int]:
    address, _, port = target.rpartition(":")
    return address or site.own[0], int(port)


class _Planter:
    """Makes rules that name what is on the way of a frontend's connections."""

    def __init__(
        self, dice: random.Random, site: Site, cluster: Cluster, service: Service, target: str
    ) -> None:
        self._dice = dice
        self._site = site
        self._pods = cluster.pod_cidr
        self._protocol = service.protocol
        address, _, port = target.rpartition(":")
        self._frontend = address.strip("[]") or site.own[0]
        self._ports = [port, *sorted({str(port) for _, port in service.endpoints}), "40001"]
        self._endpoints = [address for address, _ in service.endpoints] or [site.strangers[0]]
        self._size = 128 if cluster.family == 6 else 32

    def change(self, rules: str) -> tuple[str, str, str]:
        """Return a table, a chain, and a rule for it; or a policy, or what is taken away."""
        if self._dice.random() < 0.1:
            return "filter", self._dice.choice(HOOKS["filter"]), "policy"
        if self._dice.random() < 0.08:
            return "", self._dice.choice(_TAKEN), "taken"
        while True:
            table, begin = self._dice.choice(PLACES)
            chains = sorted(set(re.findall(rf"^:({begin}\S*) ", rules, re.MULTILINE)))
            if not begin.startswith("KUBE-") or chains:
                break
        hook = begin if begin in HOOKS[table] else ""
        chain = self._dice.choice(chains) if not hook else begin
        match = self._match(hook)
        target = self._target(table, hook or begin)
        if "! -s" in match and "MASQUERADE" in target:
            match = match.replace("! -s", "-s")  # else it would say which network is that of the pods
        return table, chain, f"{match}{target}"

    def _match(self, hook: str) -> str:
        count = self._dice.choice([0, 1, 1, 1, 2])
        ways: list[Callable[[], str]] = [self._basic, self._extended]
        if hook:
            ways.append(lambda: self._link(hook))
        words = [self._dice.choice(ways)() for _ in range(count)]
        singles = [re.sub("^! ", "", word)[:2] for word in words]
        return "".join(sorted(words[:1] if len(set(singles)) < len(singles) else words))

    def _not(self, text: str) -> str:
        return f"! {text}" if self._dice.random() < 0.2 else text

    def _basic(self) -> str:
        dice, size = self._dice, self._size
        sources = [*self._site.strangers, *self._site.own, *self._endpoints, self._site.pod(99)]
        destinations = [self._frontend, self._frontend, *self._endpoints, *self._endpoints, self._site.own[0]]
        wide = [
            self._pods,
            self._pods,
            f"{self._site.strangers[0]}/{size - 8}",
            f"{self._endpoints[0]}/{size - 1}",
        ]
        return dice.choice([
            self._not(f"-s {dice.choice(sources)}/{size} "), self._not(f"-s {_network(dice.choice(wide))} "),
            self._not(f"-d {dice.choice(destinations)}/{size} "),
            self._not(f"-d {_network(dice.choice(wide))} "), f"-p {self._protocol} ",
        ])  # fmt: skip

    def _extended(self) -> str:
        dice, protocol = self._dice, self._protocol
        side = dice.choice(["d", "d", "s"])
        ports = dice.choice([*self._ports, f"{self._ports[0]}:{int(self._ports[0]) + 9}", "1024:"])
        end = dice.choice(["src", "dst"])
        first, last = sorted(
            dice.sample([*self._endpoints, *self._site.strangers, self._frontend], 2), key=ip_address
        )
        states = dice.choice(
            ["NEW", "NEW", "ESTABLISHED", "RELATED,ESTABLISHED", "DNAT", "UNTRACKED", "INVALID"]
        )
        marks = dice.choice(["0x4000/0x4000", "0x0", "0x1/0x1", "0x8000/0x8000"])
        choices = [
            f"-p {protocol} -m {protocol} {self._not(f'--{side}port {ports} ')}",
            f"-m conntrack {self._not(f'--ctstate {states} ')}",
            f"-m iprange {self._not(f'--{end}-range {first}-{last} ')}",
            f"-m mark {self._not(f'--mark {marks} ')}",
            f"-m addrtype {self._not(f'--{end}-type LOCAL ')}",
            f"-m conntrack {self._not(f'--ctorigdst {self._frontend} ')}",
            f"-m statistic --mode random --probability {dice.choice(_CHANCES)} ",
        ]  # fmt: skip
        if protocol == "tcp":
            flags = dice.choice(["FIN,SYN,RST,ACK SYN", "SYN,ACK SYN,ACK", "SYN,ACK ACK"])
            choices += [f"-p tcp -m tcp {self._not(f'--tcp-flags {flags} ')}"]
        if protocol != "sctp":
            choices += [f"-p {protocol} -m multiport --{side}ports {','.join(self._ports)} "]
        return dice.choice(choices)

    def _link(self, hook: str) -> str:
        link = self._dice.choice([*self._site.links, "lo", "eth+", "cali+"])
        ways = ["-i"] * (hook in {"PREROUTING", "INPUT", "FORWARD"})
        ways += ["-o"] * (hook in {"FORWARD", "OUTPUT", "POSTROUTING"})
        return self._not(f"{self._dice.choice(ways)} {link} ")

    def _target(self, table: str, chain: str) -> str:
        dice = self._dice
        choices = ["ACCEPT", "RETURN", f"MARK --set-xmark {dice.choice(_MARKS)}"]
        if table == "raw":
            choices = ["NOTRACK", "NOTRACK", "DROP", "ACCEPT", *choices[2:]]
        elif table == "mangle":
            choices += ["DROP", "DROP", "CONNMARK --save-mark", "CONNMARK --restore-mark"]
        elif table == "filter":
            choices += ["DROP", "DROP", "REJECT", "REJECT"]
        elif chain == "POSTROUTING":
            choices += ["MASQUERADE", "MASQUERADE", f"SNAT --to-source {self._site.strangers[1]}"]
        elif chain in {"INPUT", "KUBE-POSTROUTING", "KUBE-MARK-MASQ"}:
            pass
        else:
            choices += [
                f"DNAT --to-destination {dice.choice([*self._endpoints, self._site.strangers[1], self._site.own[0]])}"
            ]
        return f"-j {dice.choice(choices)}"


_CHANCES = ("0.50000000000", "0.25000000000", "0.00000000000", "1.00000000000")
_MARKS = ("0x4000/0x4000", "0x0/0x4000", "0x0/0xffffffff", "0x8000/0x8000", "0x1/0xff")
_TAKEN = (
    "-A PREROUTING .*-j KUBE-SERVICES", "-A OUTPUT .*-j KUBE-SERVICES", "-A POSTROUTING .*-j KUBE-POSTROUTING",
    "-A FORWARD .*-j KUBE-FORWARD", "-A KUBE-MARK-MASQ .*", "-A KUBE-POSTROUTING .*-j MASQUERADE.*",
    "-A KUBE-FORWARD .*ESTABLISHED.*", "-A KUBE-SERVICES .*-j KUBE-NODEPORTS", "-A KUBE-SEP-.*-j KUBE-MARK-MASQ",
)  # fmt: skip


def _network(text: str) -> str:
    return str(ip_network(text, strict=False))


def _planted(rules: str, table: str, chain: str, rule: str, dice: random.Random) -> str:
    """Return rules with one more, at any place of its chain, or with another policy, or without some."""
    if rule == "taken":
        return re.sub(rf"^{chain}\n", "", rules, flags=re.MULTILINE)
    if f"*{table}\n" not in rules:
        chains = "".join(f":{name} ACCEPT [0:0]\n" for name in HOOKS[table])
        rules = f"{rules}*{table}\n{chains}COMMIT\n"
    head, body = rules.split(f"*{table}\n", 1)
    body, tail = body.split("COMMIT\n", 1)
    if rule == "policy":
        body = body.replace(f":{chain} ACCEPT", f":{chain} DROP")
    else:
        lines = body.splitlines(keepends=True)
        places = [place for place, line in enumerate(lines) if line.startswith(f"-A {chain} ")]
        where = [places[0], *places, places[-1] + 1] if places else [len(lines)]
        lines.insert(dice.choice(where), f"-A {chain} {rule}\n")
        body = "".join(lines)
    return f"{head}*{table}\n{body}COMMIT\n{tail}"


# --- clients -------------------------------------------------------------------------------------------------


def clients_of(node: Node, seed: int, each: int) -> list[Sent]:
    """Return clients of each kind that connect to the frontend."""
    dice = random.Random(seed)
    found = []
    for kind, sources in _SOURCES.items():
        some = sources(node)
        found += [_client(dice, node, kind, dice.choice(some)) for _ in range(each if some else 0)]
    return found


def _others(node: Node) -> list[str]:
    """Return endpoints that are no addresses of the node; of more than eight no more is told than of others."""
    return [address for address in node.endpoints[:8] if not node.site.has(address)]


def _pods(node: Node) -> list[str]:
    every = [node.site.pod(number) for number in (60, 61, 98, 99)]
    return [one for one in every if one not in node.endpoints] if node.pods else []


_SOURCES: dict[str, Callable[[Node], list[str]]] = {
    "outside": lambda node: [*node.site.strangers, *(() if node.pods else _others(node))],
    "pod": _pods,
    "node": lambda node: [*node.site.own, *([] if node.address else [node.site.loopback])],
}


def _client(dice: random.Random, node: Node, kind: str, source: str) -> Sent:
    sport = dice.choice([40001, 40002, 1023, int(dice.choice("159")) + node.port])
    link = "" if kind == "node" else node.site.way_to(source)  # answers go back by where requests came from
    own = [node.site.loopback] if source == node.site.loopback else node.site.own
    destination = node.address or dice.choice(own)
    return Sent(
        kind, source, destination, node.protocol, sport, node.port, link, localnet=dice.random() < 0.5
    )
