"""Random rule sets of plain nft: sets, maps, verdict maps, jumps, marks, limits, nat, in several tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

_PORTS = ("22", "80", "443", "8000-8080", "1024-65535", "53")
_STATES = ("new", "established", "related", "invalid", "untracked")
_PROTOCOLS = ("tcp", "udp", "sctp")
_MARKS = ("0x1", "0x4000", "0xff", "0x80000000")
_TYPES = ("local", "unicast", "broadcast", "multicast", "unreachable")


class Maker:
    """Makes one table; `version` is 4 or 6."""

    def __init__(self, random: Random, version: int) -> None:
        self.random = random
        self.ip = "ip" if version == 4 else "ip6"
        self.address_type = "ipv4_addr" if version == 4 else "ipv6_addr"
        self.version = version

    def pick(self, *choices: str) -> str:
        return self.random.choice(choices)

    def address(self) -> str:
        number = self.random.randrange(1, 250)
        return f"10.0.{number % 5}.{number}" if self.version == 4 else f"fd00:{number % 5}::{number:x}"

    def network(self) -> str:
        number = self.random.randrange(200)
        return f"10.{number}.0.0/16" if self.version == 4 else f"fd00:{number:x}::/32"

    def addresses(self) -> str:
        return self.pick(self.address(), self.network(), f"{{ {self.address()}, {self.network()} }}")

    def not_equal(self) -> str:
        return self.pick("", "", "!= ")

    # --- what is asked -----------------------------------------------------------------------------------

    def _of_address(self) -> str:
        return f"{self.ip} {self.pick('saddr', 'daddr')} {self.not_equal()}{self.addresses()}"

    def _of_set(self) -> str:
        return self.pick(
            f"{self.ip} saddr {self.not_equal()}@hosts", f"{self.ip} daddr . meta l4proto . th dport @triples",
            "tcp dport @ports", f"{self.ip} saddr . tcp dport @ranges",
        )  # fmt: skip

    def _of_port(self) -> str:
        which = f"{self.pick(*_PROTOCOLS)} {self.pick('sport', 'dport')}"
        return f"{which} {self.pick('', '', '!= ', '< ', '>= ')}{self.pick('22', '80', '9000')}"

    def _of_ports(self) -> str:
        first, second = self.random.sample(_PORTS[:4], 2)
        return f"{self.pick('tcp', 'udp')} dport {self.not_equal()}{{ {first}, {second} }}"

    def _of_state(self) -> str:
        states = ",".join(self.random.sample(_STATES, self.random.randint(1, 3)))
        return self.pick(f"ct state {states}", f"ct state != {states}", "ct state { new, established }")

    def _of_mark(self) -> str:
        mark, bits = self.pick(*_MARKS), self.pick(*_MARKS)
        return self.pick(
            f"meta mark {mark}", f"meta mark & {bits} {self.pick('==', '!=')} {bits}", f"ct mark != {mark}",
            f"meta mark & {bits} == 0x0", f"meta mark {{ {mark}, 0x77 }}", "meta mark 0x10-0x20",
        )  # fmt: skip

    def _of_meta(self) -> str:
        return self.pick(
            f"meta l4proto {self.pick(*_PROTOCOLS)}", "meta l4proto { tcp, udp }", 'iifname "cali*"',
            f'{self.pick("iifname", "oifname")} {self.not_equal()}"eth0"', 'iifname { "eth0", "lo" }', 'iif "lo"',
            "meta pkttype broadcast", "meta length 100-200", "meta skuid 1000", "meta random < 1000",
            f"numgen random mod {self.random.randint(2, 9)} 0",
        )  # fmt: skip

    def _of_rest(self) -> str:
        return self.pick(
            f"fib {self.pick('daddr', 'saddr')} type {self.not_equal()}{self.pick(*_TYPES)}",
            "fib saddr oif exists", "tcp flags syn / fin,syn,rst,ack", "tcp flags { syn, syn | ack }",
            "ct status dnat", "ct direction original", f"ct original {self.ip} daddr {self.address()}",
            f"{self.ip} dscp {self.pick('cs1', 'ef', 'af11')}", "tcp option maxseg size 1000-1400", "@nh,64,8 17",
            "icmp type { echo-request, destination-unreachable }" if self.version == 4 else "icmpv6 type echo-request",
            "limit rate 10/second", "limit rate over 5/minute burst 20 packets", "ct bytes > 100000",
            f"symhash mod {self.random.randint(2, 5)} 1", f"jhash {self.ip} saddr mod 4 seed 0x5 2",
        )  # fmt: skip

    # --- what is done ------------------------------------------------------------------------------------

    def _set_mark(self) -> str:
        mark = self.pick(*_MARKS)
        return self.pick(
            f"meta mark set {mark}", f"meta mark set meta mark | {mark}", f"meta mark set meta mark & {mark}",
            f"meta mark set meta mark ^ {mark}", "ct mark set meta mark", f"meta mark set {self.ip} saddr map @marks",
            f"meta mark set {self.ip} daddr map {{ {self.address()} : 0x1, {self.network()} : 0x2 }}",
            "meta mark set numgen inc mod 4 offset 100",
        )  # fmt: skip

    def _do(self) -> str:
        return self.pick(
            self._set_mark(), "counter", 'log prefix "seen: " level info', "counter packets 5 bytes 400",
            f"update @recent {{ {self.ip} saddr timeout 5m }}", f"add @recent {{ {self.ip} saddr }}",
        )  # fmt: skip

    def _end(self, later: list[str]) -> str:
        jumps = [f"{self.pick('jump', 'goto')} {chain}" for chain in later[:3]]
        return self.pick("accept", "drop", "return", "continue", "reject", "", *jumps, *jumps)

    def _lookup(self, later: list[str], *, of_base: bool) -> str:
        verdicts = ["accept", "drop", *(f"goto {chain}" for chain in later[:2])]
        first, second = self.random.choice(verdicts), self.random.choice(verdicts)
        return self.pick(
            *([f"{self.ip} daddr . meta l4proto . th dport vmap @services"] if of_base else []),
            f"ct state vmap {{ new : {first} }}",
            f"numgen random mod 2 vmap {{ 0 : {first}, 1 : {second} }}",
            f"{self.ip} saddr vmap {{ {self.network()} : {first}, {self.address()} : {second} }}",
        )  # fmt: skip

    def rule(self, later: list[str], *, of_base: bool = False) -> str:
        """Return a rule that may lead to chains that come later; one of a base chain may lead to all."""
        asked: list[Callable[[], str]] = [
            self._of_address, self._of_set, self._of_port, self._of_ports, self._of_state, self._of_mark,
            self._of_meta, self._of_rest,
        ]  # fmt: skip
        parts = [ask() for ask in self.random.sample(asked, self.random.randint(0, 2))]
        ports = [
            part for part in parts if "dport" in part or "sport" in part or "tcp" in part or "icmp" in part
        ]
        parts = [part for part in parts if part not in ports[1:]]  # two protocols contradict each other
        if self.random.random() < 0.15:
            return " ".join((*parts[:1], self._lookup(later, of_base=of_base)))
        comment = (
            f' comment "{self.pick("to be seen", "a; b", "{ odd }", "#1")}"'
            if self.random.random() < 0.2
            else ""
        )
        return " ".join(filter(None, (*parts, self._do(), self._end(later)))) + comment

    # --- a table -----------------------------------------------------------------------------------------

    def _elements(self, made: Callable[[], str]) -> str:
        return ", ".join(dict.fromkeys(made() for _ in range(self.random.randint(1, 6))))

    def sets(self, chains: list[str]) -> str:
        address = self.address_type

        def triple() -> str:
            return f"{self.address()} . {self.pick(*_PROTOCOLS)} . {self.random.randint(1, 9999)}"

        services = dict.fromkeys(triple() for _ in range(5))
        led = ", ".join(
            f'{key} comment "c: {at}" : goto {chains[at % len(chains)]}' for at, key in enumerate(services)
        )
        return f"""
set hosts {{ type {address}; flags interval; auto-merge; elements = {{ {self._elements(self.network)} }}; }}
set ports {{ type inet_service; elements = {{ {self._elements(lambda: str(self.random.randint(1, 9999)))} }}; }}
set triples {{ type {address} . inet_proto . inet_service; elements = {{ {self._elements(triple)} }}; }}
set ranges {{ type {address} . inet_service; flags interval; elements = {{ {self.network()} . 80-90 }}; }}
set recent {{ type {address}; size 1000; flags dynamic,timeout; timeout 3h; elements = {{ {self.address()} }}; }}
map marks {{ type {address} : mark; elements = {{ {self.address()} : 0x10 }}; }}
map services {{ type {address} . inet_proto . inet_service : verdict; elements = {{ {led} }}; }}
"""

    def table(self, family: str, name: str) -> str:
        """Return a table with base chains at several hooks, and chains that they lead to."""
        chains = [f"chain-{number}/x" for number in range(self.random.randint(2, 5))]
        inner = [
            "\n".join(("\n".join([f"chain {chain} {{", *self._rules(chains[at + 1 :]), "}"]), ""))
            for at, chain in enumerate(chains)
        ]
        hooks = self.random.sample(("prerouting", "input", "forward", "output", "postrouting"), 2)
        bases = [
            "\n".join(
                (
                    f"chain {hook} {{ type filter hook {hook} priority {self._priority()}; policy {self.pick('accept', 'drop')};",
                    *self._rules(chains, of_base=True),
                    "}",
                )
            )
            for hook in hooks
        ]
        return "\n".join(
            (f"table {family} {name} {{", self.sets(chains), *reversed(inner), *bases, self._nat(), "}")
        )

    def _priority(self) -> str:
        return self.pick("filter", "0", "-150", "mangle - 5", "filter + 10", "-300", "security")

    def _rules(self, later: list[str], *, of_base: bool = False) -> list[str]:
        return [
            self.rule(later, of_base=of_base).replace("reject", "drop")
            for _ in range(self.random.randint(0, 5))
        ]

    def _nat(self) -> str:
        end = f"{self.address()}" if self.version == 4 else f"[{self.address()}]"
        targets = f"{{ 0 : {self.address()} . 80, 1 : {self.address()} . 8080 }}"
        to = (
            f"tcp dport 80 dnat {self.ip} to {end}:8080", f"meta l4proto udp dnat {self.ip} to numgen random mod 2 map {targets}",
            f"dnat {self.ip} to {self.address()} persistent", "tcp dport 8080 redirect to :80",
        )  # fmt: skip
        return f"chain nat {{ type nat hook prerouting priority dstnat; {self.random.choice(to)}\n}}"
